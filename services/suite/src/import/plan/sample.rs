//! The beginning of a file.

use std::path::Path;

use csv::{ByteRecord, StringRecord};

use crate::import::csv_rows::Texts;
use crate::import::csv_rows::records::Records;
use crate::import::map::Encoding;
use crate::import::{Error, Input};

/// Rows that are looked at.
const MAX_ROWS: usize = 10_000;
/// Letters of an example that are shown.
const MAX_SHOWN: usize = 30;

/// The beginning of a file, as texts.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) names: Vec<String>,
    pub(super) encoding: Encoding,
    delimiter: u8,
    rows: Vec<StringRecord>,
}

impl Sample {
    /// Reads the beginning of a file. Where it is not said what is between its columns, that is what is most often in its first line.
    ///
    /// # Errors
    /// A file that cannot be read, or has no header.
    pub(super) fn read(path: &Path, delimiter: Option<u8>) -> Result<Self, Error> {
        let delimiter = match delimiter {
            Some(delimiter) => delimiter,
            None => most_often(&first_line(path)?),
        };
        let mut records = Records::new(Input::open(path)?, delimiter)?;
        let mut rows: Vec<ByteRecord> = Vec::new();
        while rows.len() <= MAX_ROWS
            && let Some(record) = records.read()?
        {
            // What is no row is told when it is imported.
            rows.extend(record.cells.ok());
        }
        let wrong = |problem: &str| records.input().wrong(problem);
        if rows.len() < 2 {
            return Err(wrong(
                "has no rows under a header, so nothing can be told of its columns",
            ));
        }
        let is_utf8 = |row: &ByteRecord| row.iter().all(|cell| std::str::from_utf8(cell).is_ok());
        // A file of UTF-8 may have a row that is damaged; without its header it is none.
        let (mut n_utf8, mut n_others) = (0, 0);
        for row in rows.iter().filter(|row| !row.as_slice().is_ascii()) {
            if is_utf8(row) {
                n_utf8 += 1;
            } else {
                n_others += 1;
            }
        }
        let encoding = if n_others > n_utf8 || !rows.first().is_none_or(is_utf8) {
            Encoding::Windows1252
        } else {
            Encoding::Utf8
        };
        let texts = rows
            .into_iter()
            .filter_map(|row| Texts::of(row, encoding).ok());
        let mut texts: Vec<StringRecord> = texts.map(|texts| texts.cells).collect();
        let header = texts.remove(0);
        let names = header.iter().map(|name| name.trim().to_owned());
        Ok(Self {
            names: names.collect(),
            encoding,
            delimiter,
            rows: texts,
        })
    }

    /// The cells of a column that are not empty.
    pub(super) fn texts(&self, place: usize) -> impl Iterator<Item = &str> {
        let cells = self.rows.iter().filter_map(move |row| row.get(place));
        cells.map(str::trim).filter(|text| !text.is_empty())
    }

    /// One of them; empty where there is none.
    pub(super) fn example(&self, place: usize) -> String {
        let text = self.texts(place).next().unwrap_or_default();
        let mut letters = text.chars();
        let shown: String = letters.by_ref().take(MAX_SHOWN).collect();
        let shown = shown.replace(char::is_control, " ");
        if letters.next().is_some() {
            format!("{shown}…")
        } else {
            shown
        }
    }

    /// What is between the columns, as maps have it.
    pub(super) fn delimiter_text(&self) -> String {
        match self.delimiter {
            b'\t' => "tab".to_owned(),
            other => char::from(other).to_string(),
        }
    }
}

fn first_line(path: &Path) -> Result<Vec<u8>, Error> {
    let mut line = Vec::new();
    Input::open(path)?.line(&mut line)?;
    Ok(line)
}

/// The sign that is most often in a line, outside of quotes; of several the first of these.
fn most_often(line: &[u8]) -> u8 {
    let n_of = |delimiter: u8| {
        let mut is_quoted = false;
        let mut n_found = 0;
        for byte in line {
            is_quoted ^= *byte == b'"';
            n_found += usize::from(*byte == delimiter && !is_quoted);
        }
        n_found
    };
    let all = [b',', b';', b'\t', b'|'];
    let best = all
        .into_iter()
        .rev()
        .max_by_key(|delimiter| n_of(*delimiter));
    best.unwrap_or(b',')
}
