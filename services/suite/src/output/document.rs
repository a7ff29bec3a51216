//! A whole answer.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use sextant_proto::common::v1::{Freshness, FreshnessState};
use sextant_proto::metrics::v1::MetricPolicy;

use crate::output::cell::Cell;
use crate::output::table::{self, Look};

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables for people.
    Table,
    /// One JSON object.
    Json,
    /// One JSON object per row.
    Ndjson,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Table, Self::Json, Self::Ndjson];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// How a column is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Words.
    Left,
    /// Numbers.
    Right,
    /// Sentences, wrapped.
    Prose,
    /// A flag or a text that few rows have: people see the column where a row has it.
    Rare,
    /// What programs need and people do not.
    Unseen,
}

/// A column of a block.
#[derive(Debug, Clone)]
pub struct Column {
    /// For programs; a contract.
    pub key: String,
    /// For people.
    pub title: String,
    /// How it is laid out.
    pub layout: Layout,
}

impl Column {
    /// Words.
    pub fn left(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: title.into(),
            layout: Layout::Left,
        }
    }

    /// Numbers.
    pub fn right(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: title.into(),
            layout: Layout::Right,
        }
    }

    /// A flag or a text that few rows have; people see it where one does.
    pub fn rare(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: title.into(),
            layout: Layout::Rare,
        }
    }

    /// What people do not see.
    pub fn unseen(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: String::new(),
            layout: Layout::Unseen,
        }
    }

    /// Sentences.
    pub fn prose(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: title.into(),
            layout: Layout::Prose,
        }
    }
}

/// A titled table.
#[derive(Debug, Clone)]
pub struct Block {
    /// For programs; a contract.
    pub key: &'static str,
    /// What it is. Empty: nothing is printed above the table.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each as long as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// How to read it, in a sentence or two. Empty: nothing is printed below the table.
    pub note: String,
}

impl Block {
    /// A block without rows.
    pub fn new(key: &'static str, title: impl Into<String>, columns: Vec<Column>) -> Self {
        Self {
            key,
            title: title.into(),
            columns,
            rows: Vec::new(),
            note: String::new(),
        }
    }

    /// The block with a sentence that says how to read it.
    #[must_use]
    pub fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn row_json(&self, row: &[Cell]) -> Map<String, Value> {
        self.columns
            .iter()
            .zip(row)
            .map(|(column, cell)| (column.key.clone(), cell.json()))
            .collect()
    }
}

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// What it says.
    pub blocks: Vec<Block>,
    /// How current it is, where that is known.
    pub freshness: Option<Freshness>,
    /// The rules behind its figures, where it has any.
    pub policy: Option<MetricPolicy>,
}

impl From<Block> for Document {
    fn from(block: Block) -> Self {
        vec![block].into()
    }
}

impl From<Vec<Block>> for Document {
    fn from(blocks: Vec<Block>) -> Self {
        Self {
            blocks,
            freshness: None,
            policy: None,
        }
    }
}

impl Document {
    /// The document with the freshness of the answer behind it.
    #[must_use]
    pub fn fresh_as(mut self, freshness: Option<Freshness>) -> Self {
        self.freshness = freshness;
        self
    }

    /// The document with the rules behind its figures.
    #[must_use]
    pub fn governed_by(mut self, policy: Option<MetricPolicy>) -> Self {
        self.policy = policy;
        self
    }

    /// Prints the document.
    ///
    /// # Errors
    /// The writer's.
    pub fn print(&self, format: Format, look: &Look, to: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => self.print_tables(look, to),
            Format::Json => {
                let text = serde_json::to_string_pretty(&self.json())?;
                writeln!(to, "{text}")
            },
            Format::Ndjson => self.print_lines(to),
        }
    }

    fn print_tables(&self, look: &Look, to: &mut dyn Write) -> io::Result<()> {
        for (place, block) in self.blocks.iter().enumerate() {
            if place > 0 {
                writeln!(to)?;
            }
            table::print(block, look, to)?;
        }
        if let Some(policy) = &self.policy {
            writeln!(
                to,
                " Policy: {}, version {}, hash {}.",
                policy.name, policy.version, policy.hash
            )?;
        }
        Ok(())
    }

    fn print_lines(&self, to: &mut dyn Write) -> io::Result<()> {
        for block in &self.blocks {
            for row in &block.rows {
                let mut line = Map::new();
                if self.blocks.len() > 1 {
                    line.insert("block".to_owned(), json!(block.key));
                }
                line.extend(block.row_json(row));
                writeln!(to, "{}", Value::Object(line))?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        for block in &self.blocks {
            let rows = block
                .rows
                .iter()
                .map(|row| Value::Object(block.row_json(row)))
                .collect();
            object.insert(block.key.to_owned(), Value::Array(rows));
        }
        if let Some(freshness) = &self.freshness {
            object.insert("freshness".to_owned(), freshness_json(freshness));
        }
        if let Some(MetricPolicy {
            name,
            version,
            hash,
        }) = &self.policy
        {
            let policy = json!({ "name": name, "version": version, "hash": hash });
            object.insert("policy".to_owned(), policy);
        }
        Value::Object(object)
    }

    /// Whether the answer lacks what is stored, so that its figures, such as zeros, are not to be taken for the truth.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let state = self.freshness.as_ref().map(Freshness::state);
        state == Some(FreshnessState::Backfilling)
    }

    /// What people must know about the answer's age; empty where it is fresh.
    #[must_use]
    pub fn caveat(&self) -> &'static str {
        match self.freshness.as_ref().map(Freshness::state) {
            None | Some(FreshnessState::Unspecified | FreshnessState::Fresh) => "",
            Some(FreshnessState::Stale) => {
                "the service is behind: newer data is not in this answer yet"
            },
            Some(FreshnessState::Failed) => {
                "the last evaluation failed: this is the answer before it"
            },
            Some(FreshnessState::Holding) => {
                "a source is silent: segments that depend on it are held"
            },
            Some(FreshnessState::Backfilling) => {
                "not all is evaluated yet: days that have passed are being closed, or an import is open (`sextant tenants list` shows since when) or was completed and is still being evaluated; this answer is not complete"
            },
        }
    }
}

fn freshness_json(freshness: &Freshness) -> Value {
    let state = freshness
        .state()
        .as_str_name()
        .trim_start_matches("FRESHNESS_STATE_")
        .to_lowercase();
    let closed_on = freshness
        .closed_on
        .as_ref()
        .and_then(|date| sextant_wire::time::day(date).ok());
    json!({
        "as_of": Cell::moment(freshness.as_of.as_ref()).json(),
        "watermark": Cell::moment(freshness.watermark.as_ref()).json(),
        "state": state,
        "position": freshness.position,
        "closed_on": closed_on.map(|day| day.to_string()),
        "definition_version": freshness.definition_version,
        "model_version": freshness.model_version,
        "catalogue_version": freshness.catalogue_version,
        "engine_version": freshness.engine_version,
    })
}
