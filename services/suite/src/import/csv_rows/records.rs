//! Records of a CSV file (RFC 4180) out of its bytes.
//!
//! A quote that is not closed where its cell ends would take the rows behind it for text of the cell. So what follows a closing
//! quote is a delimiter, a line end, or an error; and where a record of several lines is not well-formed, its first line, in
//! which the quote was opened, is refused, and reading goes on with the second one. What was read by then is kept for that: at
//! most [`MAX_LINE_BYTES`]. No line is read more than twice, for a line between the first one and the error has an even number
//! of quotes and opens none that it leaves open.
//!
//! A quote within a cell that does not begin with one is text, as long as the record is one line.

use csv::ByteRecord;

use crate::import::input::{Input, MAX_LINE_BYTES, no_line_end, too_long};
use crate::import::{Error, Original};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads records.
#[derive(Debug)]
pub(crate) struct Records {
    input: Input,
    delimiter: u8,
    /// Columns before the record's own, which are read and not given.
    n_notes: usize,
    /// What was read of the file and is not a record yet, behind `start`.
    buffer: Vec<u8>,
    start: usize,
    /// Number of the line at `start`, from 1.
    line: u64,
}

/// A record, or a line that is none.
#[derive(Debug)]
pub(crate) struct CsvRecord {
    /// Line on which it begins, from 1.
    pub(crate) line: u64,
    /// Line on which it ends.
    pub(crate) last_line: u64,
    /// Its own cells.
    pub(crate) cells: Result<ByteRecord, Refused>,
}

/// A line that is no record.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Place of the cell that is wrong among the record's own; `None` where it is none of these.
    pub(crate) place: Option<usize>,
    /// What is wrong and how to mend it.
    pub(crate) problem: String,
    /// The line without what says why it was refused before.
    pub(crate) original: Original,
}

/// What is wrong with quotes.
#[derive(Debug, Clone, Copy)]
enum Stray {
    /// Text follows a closing quote.
    TextBehind,
    /// The quote is not closed in its line, nor properly in a later one.
    Open,
    /// A cell that is not quoted holds a quote, in a record of several lines.
    Bare,
}

impl Stray {
    const fn problem(self) -> &'static str {
        match self {
            Self::TextBehind => {
                "a quote opened here is followed by text behind its closing quote; write quotes inside a quoted cell twice"
            },
            Self::Open => {
                "a quote opened here is never closed, or not where its cell ends; close it, and write quotes inside a quoted cell twice"
            },
            Self::Bare => {
                "holds a quote and is not quoted, in a row whose last quote is not closed in its line; quote the cell, and write quotes inside a quoted cell twice"
            },
        }
    }
}

/// How reading a record ended.
enum End {
    /// With its line end.
    Whole,
    /// With the file.
    OfFile,
    /// At the longest that is read.
    TooLong,
    /// With a stray quote in a cell.
    Stray(Stray, usize),
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// At the beginning of a cell.
    Start,
    /// In a cell without quotes around it.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a closing quote.
    Closed,
}

/// A record that is being read.
#[derive(Debug, Default)]
struct Scan {
    /// Bytes of it that were read.
    at: usize,
    cells: ByteRecord,
    cell: Vec<u8>,
    /// Place of the cell.
    place: usize,
    /// Where the record's own cells begin.
    own_at: usize,
    /// Line ends within cells.
    n_breaks: u64,
    /// Where the first line ends, and the cell that is open there.
    first: Option<(LineEnd, usize)>,
    /// The first cell that is not quoted and holds a quote.
    bare: Option<usize>,
}

/// Where a line ends, in bytes from the beginning of the record.
#[derive(Debug, Clone, Copy)]
struct LineEnd {
    /// Of the line end.
    at: usize,
    /// Behind it.
    next: usize,
}

impl Scan {
    fn end_cell(&mut self, n_notes: usize) {
        if self.place >= n_notes {
            self.cells.push_field(&self.cell);
        }
        self.cell.clear();
        self.place += 1;
        if self.place == n_notes {
            self.own_at = self.at + 1;
        }
    }
}

impl Records {
    /// Reads a file from its beginning.
    ///
    /// # Errors
    /// A file that cannot be read, or is UTF-16.
    pub(crate) fn new(input: Input, delimiter: u8) -> Result<Self, Error> {
        let mut records = Self {
            input,
            delimiter,
            n_notes: 0,
            buffer: Vec::new(),
            start: 0,
            line: 1,
        };
        records.byte(BYTE_ORDER_MARK.len())?;
        if records.buffer.starts_with(&[0xff, 0xfe]) || records.buffer.starts_with(&[0xfe, 0xff]) {
            return Err(records.input.wrong("is UTF-16; save it as UTF-8"));
        }
        if records.buffer.starts_with(BYTE_ORDER_MARK) {
            records.start = BYTE_ORDER_MARK.len();
        }
        Ok(records)
    }

    /// The file.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// Passes over the first cells of the records that follow.
    pub(crate) fn pass_over(&mut self, n_notes: usize) {
        self.n_notes = n_notes;
    }

    /// The next record, or `None` behind the last one. Empty lines are none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(&mut self) -> Result<Option<CsvRecord>, Error> {
        while let Some(end) = self.line_end(0)? {
            self.pass(end.next, 1);
        }
        if self.byte(0)?.is_none() {
            return Ok(None);
        }
        let mut scan = Scan::default();
        let line = self.line;
        let end = self.scan(&mut scan)?;
        let cells = match (end, scan.first) {
            (End::Whole, _) => {
                let next = self.line_end(scan.at)?.map_or(scan.at, |end| end.next);
                self.pass(next, scan.n_breaks + 1);
                Ok(scan.cells)
            },
            (End::Stray(stray, place), None) => Err(self.refuse(&scan, stray, place)?),
            (End::Stray(stray, place), Some((first, _))) => {
                Err(self.refused(&scan, first, stray, place))
            },
            (End::OfFile | End::TooLong, Some((first, place))) => {
                Err(self.refused(&scan, first, Stray::Open, place))
            },
            (End::OfFile, None) => Err(self.unended(scan.at)),
            (End::TooLong, None) => Err(self.skip_line(scan.at)?),
        };
        let last_line = if cells.is_ok() { self.line - 1 } else { line };
        Ok(Some(CsvRecord {
            line,
            last_line,
            cells,
        }))
    }

    /// Reads until a record ends or is none.
    fn scan(&mut self, scan: &mut Scan) -> Result<End, Error> {
        let mut state = State::Start;
        loop {
            if scan.at >= MAX_LINE_BYTES {
                return Ok(End::TooLong);
            }
            let Some(byte) = self.byte(scan.at)? else {
                // Quotes that are closed at the end of the file are of a last line that is not whole.
                let first = scan.first.take();
                scan.first = first.filter(|_| matches!(state, State::Quoted));
                return Ok(End::OfFile);
            };
            state = match (state, byte) {
                (State::Quoted, b'"') => State::Closed,
                (State::Quoted, b'\n' | b'\r') => {
                    if let Some(stray) = self.line_break(scan)? {
                        return Ok(stray);
                    }
                    // It is behind the line end.
                    continue;
                },
                (State::Start, b'"') => State::Quoted,
                (State::Quoted, _) => {
                    scan.cell.push(byte);
                    State::Quoted
                },
                (State::Closed, b'"') => {
                    scan.cell.push(byte);
                    State::Quoted
                },
                (_, b'\n' | b'\r') => {
                    scan.end_cell(self.n_notes);
                    return Ok(End::Whole);
                },
                (_, delimiter) if delimiter == self.delimiter => {
                    scan.end_cell(self.n_notes);
                    State::Start
                },
                (State::Closed, _) | (State::Plain, b'"') if let Some((_, place)) = scan.first => {
                    return Ok(End::Stray(Stray::Open, place));
                },
                (State::Closed, _) => return Ok(End::Stray(Stray::TextBehind, scan.place)),
                (State::Start | State::Plain, _) => {
                    if byte == b'"' {
                        scan.bare.get_or_insert(scan.place);
                    }
                    scan.cell.push(byte);
                    State::Plain
                },
            };
            scan.at += 1;
        }
    }

    /// Takes a line end between quotes for text, unless the record cannot have several lines.
    fn line_break(&mut self, scan: &mut Scan) -> Result<Option<End>, Error> {
        let Some(end) = self.line_end(scan.at)? else {
            return Ok(None);
        };
        scan.first.get_or_insert((end, scan.place));
        if let Some(place) = scan.bare {
            return Ok(Some(End::Stray(Stray::Bare, place)));
        }
        scan.cell.extend_from_slice(self.bytes(end.at, end.next));
        scan.n_breaks += 1;
        scan.at = end.next;
        Ok(None)
    }

    /// Refuses the only line of a record.
    fn refuse(&mut self, scan: &Scan, stray: Stray, place: usize) -> Result<Refused, Error> {
        let mut at = scan.at;
        while at < MAX_LINE_BYTES {
            if let Some(end) = self.line_end(at)? {
                return Ok(self.refused(scan, end, stray, place));
            }
            if self.byte(at)?.is_none() {
                return Ok(self.unended(at));
            }
            at += 1;
        }
        self.skip_line(at)
    }

    /// Refuses a line, and goes on behind it.
    fn refused(&mut self, scan: &Scan, end: LineEnd, stray: Stray, place: usize) -> Refused {
        let original = Original::Line(self.bytes(scan.own_at, end.at).to_vec());
        self.pass(end.next, 1);
        Refused {
            place: place.checked_sub(self.n_notes),
            problem: stray.problem().to_owned(),
            original,
        }
    }

    /// Refuses what ends with the file. In a file of rejects it would have a line end, and be taken for whole when that is
    /// imported.
    fn unended(&mut self, n_bytes: usize) -> Refused {
        self.pass(n_bytes, 0);
        Refused {
            place: None,
            problem: no_line_end().problem,
            original: Original::NotKept,
        }
    }

    /// Refuses a line of which so many bytes were read, and passes over the rest of it.
    fn skip_line(&mut self, n_bytes: usize) -> Result<Refused, Error> {
        let mut n_bytes_of_line = n_bytes;
        self.pass(n_bytes, 0);
        loop {
            if let Some(end) = self.line_end(0)? {
                self.pass(end.next, 1);
                break;
            }
            if self.byte(0)?.is_none() {
                break;
            }
            self.pass(1, 0);
            n_bytes_of_line += 1;
        }
        Ok(Refused {
            place: None,
            problem: too_long(n_bytes_of_line).problem,
            original: Original::NotKept,
        })
    }

    /// The line end that begins there, if one does: `\n`, `\r\n` or `\r`.
    fn line_end(&mut self, at: usize) -> Result<Option<LineEnd>, Error> {
        let n_bytes = match self.byte(at)? {
            Some(b'\n') => 1,
            Some(b'\r') if self.byte(at + 1)? == Some(b'\n') => 2,
            Some(b'\r') => 1,
            _ => return Ok(None),
        };
        let next = at + n_bytes;
        Ok(Some(LineEnd { at, next }))
    }

    /// A byte behind `start`; `None` behind the end of the file.
    fn byte(&mut self, at: usize) -> Result<Option<u8>, Error> {
        loop {
            if let Some(byte) = self.buffer.get(self.start + at) {
                return Ok(Some(*byte));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            if self.input.more(&mut self.buffer)? == 0 {
                return Ok(None);
            }
        }
    }

    fn bytes(&self, from: usize, to: usize) -> &[u8] {
        let range = self.start + from..self.start + to;
        self.buffer.get(range).unwrap_or_default()
    }

    /// Goes on behind so many bytes and lines.
    fn pass(&mut self, n_bytes: usize, n_lines: u64) {
        self.start += n_bytes;
        self.line += n_lines;
    }
}

#[cfg(test)]
mod tests;
