//! Records as JSON, one a line: the JSON mapping of protobuf for `sextant.ingestion.v1.Record`.
//!
//! Written are the names of the contract (`account_id`), whole enum names and RFC 3339 times. Read are also lowerCamelCase
//! names, enum names without their prefix, numbers for enums, integers as text, and plain JSON values for traits. A record
//! without an id is identified by its content, one without a source gets the import's. A field that is not of the contract is
//! an error: it would be lost.

use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::Record;

use crate::import::batch::{Origin, TIME};
use crate::import::identity::RowIds;
use crate::import::input::{Ending, Input, no_line_end, too_long};
use crate::import::rejects::NDJSON_NOTE;
use crate::import::{Error, Fault, Item, Original, Part};

mod object;
mod plain;
mod read;
mod strict;
mod write;

use crate::import::ndjson::strict::Strict;

pub use crate::import::ndjson::write::write;

/// Reads lines as records.
#[derive(Debug)]
pub struct NdjsonRows {
    input: Input,
    source: String,
    /// Where days begin.
    zone: Zone,
    ids: RowIds,
    row: u64,
    line: u64,
    buffer: Vec<u8>,
}

impl NdjsonRows {
    /// Reads a file from its beginning; records without a source get this one, and days begin in the zone.
    #[must_use]
    pub fn new(input: Input, source: &str, zone: &Zone) -> Self {
        Self {
            input,
            source: source.to_owned(),
            zone: zone.clone(),
            ids: RowIds::default(),
            row: 0,
            line: 0,
            buffer: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<Option<Item>, Error> {
        loop {
            let Some(ending) = self.input.line(&mut self.buffer)? else {
                return Ok(None);
            };
            self.line += 1;
            let bytes = self
                .buffer
                .strip_prefix(b"\xef\xbb\xbf")
                .unwrap_or(&self.buffer)
                .trim_ascii();
            if bytes.is_empty() || bytes.starts_with(NDJSON_NOTE) {
                continue;
            }
            self.row += 1;
            let (row, line) = (self.row, self.line);
            let read = record(bytes, ending, (&self.source, &self.zone), &mut self.ids);
            let original = match ending {
                Ending::TooLong(_) => Original::NotKept,
                Ending::Newline | Ending::EndOfFile => Original::Line(bytes.to_vec()),
            };
            return Ok(Some(match read {
                Ok(record) => Item::Record {
                    origin: Origin {
                        row,
                        line,
                        part: Part::Row,
                        original,
                        time: TIME,
                        header: None,
                    },
                    record: Box::new(record),
                },
                Err(fault) => Item::Malformed(fault.at(row, line, original)),
            }));
        }
    }
}

/// A record that is a JSON object, as on a line of its own.
pub(crate) fn record_of(value: serde_json::Value, zone: &Zone) -> Result<Record, Fault> {
    read::record(value, zone)
}

fn record(
    bytes: &[u8],
    ending: Ending,
    (source, zone): (&str, &Zone),
    ids: &mut RowIds,
) -> Result<Record, Fault> {
    if let Ending::TooLong(bytes) = ending {
        return Err(too_long(bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        // Cut within a character.
        if error.error_len().is_none() && ending == Ending::EndOfFile {
            return no_line_end();
        }
        Fault::of_row(format!(
            "is not UTF-8 from byte {} on; save the file as UTF-8",
            error.valid_up_to() + 1
        ))
    })?;
    let Strict(value) = serde_json::from_str(text).map_err(|error| syntax(&error, ending))?;
    let mut record = read::record(value, zone)?;
    if record.source.is_empty() {
        source.clone_into(&mut record.source);
    }
    if record.id.is_empty() {
        record.id = ids
            .next(
                "ndjson",
                std::iter::once(("record", write(&record).as_str())),
            )
            .record_id();
    }
    Ok(record)
}

fn syntax(error: &serde_json::Error, ending: Ending) -> Fault {
    if error.is_eof() && ending == Ending::EndOfFile {
        return no_line_end();
    }
    if error.is_data() {
        return Fault::of_row(format!("is ambiguous: {error}; leave one of the two out"));
    }
    Fault::of_row(format!(
        "is no JSON: {error}; each line must hold one whole object"
    ))
}

impl Iterator for NdjsonRows {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests;
