//! Rows of a CSV file (RFC 4180, any one-byte delimiter).

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use sextant_domain::time::Zone;

use crate::import::batch::Origin;
use crate::import::columns::{Header, Kind};
use crate::import::facts::{self, Row};
use crate::import::identity::RowIds;
use crate::import::input::{Input, no_line_end};
use crate::import::rejects::NOTE_PREFIX;
use crate::import::{Error, Fault, Item, Original, Part};

/// Reads rows as records.
#[derive(Debug)]
pub struct CsvRows {
    reader: Reader<Input>,
    header: Header,
    /// Columns before the first one of the header that say why a row was not taken.
    n_notes: usize,
    source: String,
    /// Where days begin.
    zone: Zone,
    ids: RowIds,
    /// Number of the row that was read last.
    row: u64,
}

impl CsvRows {
    /// Reads the header. Days of the file begin in the zone.
    ///
    /// # Errors
    /// No header, one that is not of this kind, or a file that cannot be read.
    pub fn new(
        input: Input,
        kind: Kind,
        source: &str,
        delimiter: u8,
        zone: &Zone,
    ) -> Result<Self, Error> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(input);
        let mut first = ByteRecord::new();
        let some = reader
            .read_byte_record(&mut first)
            .map_err(|error| unreadable(&reader, error))?;
        if !some {
            return Err(reader
                .get_ref()
                .wrong("is empty; its first line must name the columns"));
        }
        if first.as_slice().starts_with(&[0xff, 0xfe])
            || first.as_slice().starts_with(&[0xfe, 0xff])
        {
            return Err(reader.get_ref().wrong("is UTF-16; save it as UTF-8"));
        }
        let names = StringRecord::from_byte_record(first).map_err(|_not_utf8| {
            reader
                .get_ref()
                .wrong("has a header that is not UTF-8; save it as UTF-8")
        })?;
        if reader.get_ref().end().is_some() {
            return Err(reader
                .get_ref()
                .wrong("its header has no line end: the file may have been cut; write the file again, or end it with a line break"));
        }
        let names = names
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned());
        let mut names: Vec<String> = names.collect();
        let n_notes = names
            .iter()
            .take_while(|name| name.starts_with(NOTE_PREFIX))
            .count();
        names.drain(..n_notes);
        let header = Header::read(kind, names, delimiter)
            .map_err(|problem| reader.get_ref().wrong(problem))?;
        Ok(Self {
            reader,
            header,
            n_notes,
            source: source.to_owned(),
            zone: zone.clone(),
            ids: RowIds::default(),
            row: 0,
        })
    }

    /// The names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.header.names()
    }

    /// The next row, or `None` behind the last one.
    fn read(&mut self) -> Result<Option<ByteRecord>, Error> {
        let mut record = ByteRecord::new();
        let some = self
            .reader
            .read_byte_record(&mut record)
            .map_err(|error| unreadable(&self.reader, error))?;
        if self.n_notes > 0 {
            let position = record.position().cloned();
            record = record.iter().skip(self.n_notes).collect();
            record.set_position(position);
        }
        Ok(some.then_some(record))
    }

    /// A row as a record.
    fn item(&mut self, record: ByteRecord) -> Item {
        self.row += 1;
        let (row, line) = (self.row, record.position().map_or(0, csv::Position::line));
        if let Some(fault) = self.unended() {
            // In a file of rejects it would have a line end, and be taken for whole when that is imported.
            return Item::Malformed(fault.at(row, line, Original::NotKept));
        }
        if record.len() != self.header.len() {
            let fault = self.wrong_length(record.len(), line);
            return Item::Malformed(fault.at(row, line, Original::Cells(record)));
        }
        let record = match StringRecord::from_byte_record(record) {
            Ok(record) => record,
            Err(error) => {
                let place = error.utf8_error().field();
                let fault = Fault::new(
                    self.header.name(place),
                    "is not UTF-8; save the file as UTF-8",
                );
                let original = Original::Cells(error.into_byte_record());
                return Item::Malformed(fault.at(row, line, original));
            },
        };
        let cells = Row::new(&self.header, &record, &self.zone);
        let time = cells.time_column();
        let read = facts::record(&cells, &self.source, &mut self.ids);
        let original = Original::Cells(record.into_byte_record());
        match read {
            Ok(record) => Item::Record {
                origin: Origin {
                    row,
                    line,
                    part: Part::Row,
                    original,
                    time,
                },
                record: Box::new(record),
            },
            Err(fault) => Item::Malformed(fault.at(row, line, original)),
        }
    }

    /// What is wrong with a row that ends with the file and not with a line end.
    fn unended(&self) -> Option<Fault> {
        match self.reader.get_ref().end()? {
            // The line end is part of the last value.
            b'\n' | b'\r' => Some(Fault::of_row(
                "a quote that opens in this row is never closed; close it, or double it if it is part of a value",
            )),
            _ => Some(no_line_end()),
        }
    }

    /// Why a row has another number of columns than the header.
    fn wrong_length(&self, found: usize, line: u64) -> Fault {
        let named = self.header.len();
        if found > named {
            return Fault::of_row(format!(
                "has {found} columns, the header names {named}; quote values that hold the delimiter"
            ));
        }
        let next_line = self.reader.position().line();
        let problem = if next_line > line + 1 {
            format!(
                "is missing: the row has {found} of {named} columns and runs to line {next_line}; a quote that opens there may never be closed"
            )
        } else {
            format!("is missing: the row has {found} of {named} columns")
        };
        Fault::new(self.header.name(found), problem)
    }
}

impl Iterator for CsvRows {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(Some(record)) => Some(Ok(self.item(record))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

fn unreadable(reader: &Reader<Input>, error: csv::Error) -> Error {
    let source = match error.into_kind() {
        csv::ErrorKind::Io(source) => source,
        other => std::io::Error::other(format!("{other:?}")),
    };
    reader.get_ref().unreadable(source)
}
