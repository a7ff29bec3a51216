//! Rows of a CSV file (RFC 4180, any one-byte delimiter).

use std::sync::Arc;

use csv::{ByteRecord, StringRecord};
use encoding_rs::WINDOWS_1252;

use sextant_domain::time::Zone;

use crate::import::batch::Origin;
use crate::import::columns::Kind;
use crate::import::csv_rows::records::{CsvRecord, Records};
use crate::import::facts::{self, Row};
use crate::import::header::Header;
use crate::import::identity::RowIds;
use crate::import::input::Input;
use crate::import::map::{Encoding, Map};
use crate::import::rejects::NOTE_PREFIX;
use crate::import::writing::Writing;
use crate::import::{Error, Fault, Item, Original, Part};

pub(crate) mod records;

/// Reads rows as records.
#[derive(Debug)]
pub struct CsvRows {
    records: Records,
    /// The names of the columns as they are in the file.
    names: ByteRecord,
    header: Arc<Header>,
    source: String,
    encoding: Encoding,
    writing: Writing,
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
        let (names, read) = header_of(&mut records, Encoding::Utf8)?;
        let header = Header::read(kind, read, delimiter)
            .map_err(|problem| records.input().wrong(problem))?;
        Ok(Self {
            records,
            names,
            header: Arc::new(header),
            source: source.to_owned(),
            encoding: Encoding::Utf8,
            writing: Writing::new(zone),
            ids: RowIds::default(),
            row: 0,
        })
    }

    /// Reads the header of a file that others wrote, as a map says. Its days begin in the zone, unless the map names another one.
    ///
    /// # Errors
    /// No header, one that is not of this map, a map that makes no sense, or a file that cannot be read.
    pub(crate) fn mapped(
        input: Input,
        map: &Map,
        source: &str,
        zone: &Zone,
    ) -> Result<Self, Error> {
        let delimiter = map.delimiter().map_err(|problem| input.wrong(problem))?;
        let mut records = Records::new(input, delimiter)?;
        let (names, read) = header_of(&mut records, map.encoding)?;
        let wrong = |problem| records.input().wrong(problem);
        let header = Header::mapped(map, read).map_err(wrong)?;
        let writing = map.writing(zone).map_err(wrong)?;
        Ok(Self {
            names,
            header: Arc::new(header),
            source: source.to_owned(),
            encoding: map.encoding,
            writing,
            ids: RowIds::default(),
            row: 0,
            records,
        })
    }

    /// The names of the columns, as they are in the file.
    #[must_use]
    pub fn names(&self) -> &ByteRecord {
        &self.names
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
        let texts = match Texts::of(record, self.encoding) {
            Ok(texts) => texts,
            Err(NoText { place, record }) => {
                let fault = Fault::new(
                    self.header.name(place),
                    "is not UTF-8; save the file as UTF-8",
                );
                return Item::Malformed(fault.at(row, line, Original::Cells(record)));
            },
        };
        let cells = Row::new(&self.header, &texts.cells, &self.writing);
        let time = cells.time_column();
        let read = facts::record(&cells, &self.source, &mut self.ids);
        let original = Original::Cells(texts.into_original());
        match read {
            Ok(record) => Item::Record {
                origin: Origin {
                    row,
                    line,
                    part: Part::Row,
                    original,
                    time,
                    header: Some(Arc::clone(&self.header)),
                },
                record: Box::new(record),
            },
            Err(mut fault) => {
                fault.field = self.header.shown(&fault.field).to_owned();
                Item::Malformed(fault.at(row, line, original))
            },
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

/// The first record of a file, without the columns that say why rows were refused: as it is, and its names.
fn header_of(
    records: &mut Records,
    encoding: Encoding,
) -> Result<(ByteRecord, Vec<String>), Error> {
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
    let read = Texts::of(first, encoding).map_err(|_no_text| {
        records
            .input()
            .wrong("has a header that is not UTF-8; save it as UTF-8")
    })?;
    let names = read.cells.iter().map(|name| name.trim().to_owned());
    let mut names: Vec<String> = names.collect();
    let n_notes = names
        .iter()
        .take_while(|name| name.starts_with(NOTE_PREFIX))
        .count();
    names.drain(..n_notes);
    records.pass_over(n_notes);
    let original = read.into_original();
    Ok((original.iter().skip(n_notes).collect(), names))
}

/// Cells as texts.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) cells: StringRecord,
    /// As they are in the file, where that is another encoding.
    original: Option<ByteRecord>,
}

/// Cells of which one is no text.
#[derive(Debug)]
pub(crate) struct NoText {
    /// Place of the first one.
    place: usize,
    record: ByteRecord,
}

impl Texts {
    pub(crate) fn of(record: ByteRecord, encoding: Encoding) -> Result<Self, NoText> {
        match encoding {
            Encoding::Utf8 => match StringRecord::from_byte_record(record) {
                Ok(cells) => Ok(Self {
                    cells,
                    original: None,
                }),
                Err(error) => Err(NoText {
                    place: error.utf8_error().field(),
                    record: error.into_byte_record(),
                }),
            },
            Encoding::Windows1252 => {
                let cells = record.iter();
                let texts = cells.map(|cell| WINDOWS_1252.decode_without_bom_handling(cell).0);
                Ok(Self {
                    cells: texts.collect(),
                    original: Some(record),
                })
            },
        }
    }

    /// The cells as they are in the file.
    fn into_original(self) -> ByteRecord {
        let cells = self.cells;
        self.original.unwrap_or_else(|| cells.into_byte_record())
    }
}

impl Iterator for CsvRows {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.read().transpose()?;
        Some(record.map(|record| self.item(record)))
    }
}
