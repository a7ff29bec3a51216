//! Rows of a CSV file (RFC 4180, any one-byte delimiter).

use csv::StringRecord;

use sextant_domain::time::Zone;

use crate::import::batch::Origin;
use crate::import::columns::{Header, Kind};
use crate::import::csv_rows::records::{CsvRecord, Records};
use crate::import::facts::{self, Row};
use crate::import::identity::RowIds;
use crate::import::input::Input;
use crate::import::rejects::NOTE_PREFIX;
use crate::import::{Error, Fault, Item, Original, Part};

mod records;

/// Reads rows as records.
#[derive(Debug)]
pub struct CsvRows {
    records: Records,
    header: Header,
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
        let mut records = Records::new(input, delimiter)?;
        let Some(first) = records.read()? else {
            return Err(records
                .input()
                .wrong("is empty; its first line must name the columns"));
        };
        let first = first.cells.map_err(|refused| {
            let column = refused
                .place
                .map_or_else(String::new, |place| format!("column {}: ", place + 1));
            let problem = format!("its header is no row: {column}{}", refused.problem);
            records.input().wrong(problem)
        })?;
        let names = StringRecord::from_byte_record(first).map_err(|_not_utf8| {
            records
                .input()
                .wrong("has a header that is not UTF-8; save it as UTF-8")
        })?;
        let names = names.iter().map(|name| name.trim().to_owned());
        let mut names: Vec<String> = names.collect();
        let n_notes = names
            .iter()
            .take_while(|name| name.starts_with(NOTE_PREFIX))
            .count();
        names.drain(..n_notes);
        let header = Header::read(kind, names, delimiter)
            .map_err(|problem| records.input().wrong(problem))?;
        records.pass_over(n_notes);
        Ok(Self {
            records,
            header,
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

    /// A row as a record.
    fn item(&mut self, record: CsvRecord) -> Item {
        self.row += 1;
        let (row, line, last_line) = (self.row, record.line, record.last_line);
        let record = match record.cells {
            Ok(cells) => cells,
            Err(refused) => {
                let field = refused.place.map_or("", |place| self.header.name(place));
                let fault = Fault::new(field, refused.problem);
                return Item::Malformed(fault.at(row, line, refused.original));
            },
        };
        if record.len() != self.header.len() {
            let fault = self.wrong_length(record.len(), (line, last_line));
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

    /// Why a row has another number of columns than the header.
    fn wrong_length(&self, found: usize, (line, last_line): (u64, u64)) -> Fault {
        let named = self.header.len();
        if found > named {
            return Fault::of_row(format!(
                "has {found} columns, the header names {named}; quote values that hold the delimiter"
            ));
        }
        let problem = if last_line > line {
            format!(
                "is missing: the row has {found} of {named} columns and runs to line {last_line}; a quote that opens there may be closed too late"
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
        let record = self.records.read().transpose()?;
        Some(record.map(|record| self.item(record)))
    }
}
