//! A block for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, LineStyle, Table, TableStyle, Width};

use sextant_domain::time::Zone;

use crate::output::Cell;
use crate::output::document::{Block, Column, Layout};

/// Width at which sentences are wrapped, whatever the terminal: the same answer has the same bytes everywhere.
const PROSE_WIDTH: u16 = 44;
/// Width at which titles and notes are wrapped.
const NOTE_WIDTH: usize = 110;

/// A line under the header and nothing else.
const LINED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Whether titles stand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Plain text: files, pipes, and `NO_COLOR`.
    Plain,
    /// Bold titles.
    Bold,
}

/// What an answer for people looks like.
#[derive(Debug, Clone)]
pub struct Look {
    /// Whether titles stand out.
    pub style: Style,
    /// By whose clocks moments are shown.
    pub zone: Zone,
}

/// Prints title, table and note.
pub(crate) fn print(block: &Block, look: &Look, to: &mut dyn Write) -> io::Result<()> {
    if !block.title.is_empty() {
        match look.style {
            Style::Plain => writeln!(to, "{}", block.title)?,
            Style::Bold => writeln!(to, "\u{1b}[1m{}\u{1b}[0m", block.title)?,
        }
    }
    if block.rows.is_empty() {
        // Without rows there is nothing for the note to explain.
        return writeln!(to, " (none)");
    }
    for line in table_of(block, &look.zone).lines() {
        writeln!(to, "{}", line.trim_end())?;
    }
    for line in wrapped(&block.note, NOTE_WIDTH) {
        writeln!(to, " {line}")?;
    }
    Ok(())
}

fn table_of(block: &Block, zone: &Zone) -> Table {
    let mut table = Table::new();
    table.load_style(LINED);
    let columns = block.columns.iter().enumerate();
    let columns: Vec<(usize, &Column)> = columns
        .filter(|(place, column)| {
            let has_it = |row: &Vec<Cell>| {
                let cell = row.get(*place);
                matches!(cell, Some(Cell::Flag(true) | Cell::Text(_)))
            };
            match column.layout {
                Layout::Left | Layout::Right | Layout::Prose => true,
                Layout::Rare => block.rows.iter().any(has_it),
                Layout::Unseen => false,
            }
        })
        .collect();
    table.set_header(columns.iter().map(|(_, column)| column.title.as_str()));
    for row in &block.rows {
        let cells = columns.iter().filter_map(|(place, _)| row.get(*place));
        table.add_row(cells.map(|cell| cell.shown(zone)));
    }
    for (index, (_, column)) in columns.into_iter().enumerate() {
        let Some(laid_out) = table.column_mut(index) else {
            continue;
        };
        match column.layout {
            Layout::Left | Layout::Rare | Layout::Unseen => {},
            Layout::Right => laid_out.set_cell_alignment(CellAlignment::Right),
            Layout::Prose => {
                laid_out.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(PROSE_WIDTH)));
            },
        }
    }
    table
}

/// A text in lines of at most `width` characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            },
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
