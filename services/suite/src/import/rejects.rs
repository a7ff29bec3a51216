//! Rows that were not taken, in a file of the same layout: each with why, as it came, to be corrected and imported.
//!
//! A CSV file gets the columns [`NOTES`] before its own, an NDJSON file a line `{"rejected":…}` before each row, a CDNOW file a
//! line that begins with `#`. The readers pass over all of these.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Writer, WriterBuilder};
use serde_json::json;

use crate::import::{Complaint, Error, Original};

/// What the columns that say why begin with.
pub(crate) const NOTE_PREFIX: &str = "rejected.";
/// The columns that say why.
pub(crate) const NOTES: [&str; 5] = [
    "rejected.row",
    "rejected.line",
    "rejected.field",
    "rejected.reason",
    "rejected.hint",
];
/// How a line of an NDJSON file that says why begins: no record has such a field.
pub(crate) const NDJSON_NOTE: &[u8] = b"{\"rejected\":";
/// How a line of a CDNOW file that says why begins.
pub(crate) const CDNOW_NOTE: u8 = b'#';

/// How the file is laid out: as the one that is imported.
#[derive(Debug, Clone)]
pub enum Form {
    /// CSV with these columns.
    Csv {
        /// Between the columns.
        delimiter: u8,
        /// Their names, as they are in the imported file.
        names: ByteRecord,
    },
    /// One JSON record a line.
    Ndjson,
    /// Blank-separated purchases.
    Cdnow,
}

/// A file of rows that were not taken.
#[derive(Debug)]
pub struct Rejects {
    path: PathBuf,
    sink: Sink,
    n_rows: u64,
    /// The row that was written last: a row that brings its account is written once.
    newest: u64,
    failure: Option<io::Error>,
}

#[derive(Debug)]
enum Sink {
    Csv(Box<Writer<File>>),
    Ndjson(BufWriter<File>),
    Cdnow(BufWriter<File>),
}

impl Rejects {
    /// Makes the file, readable for its owner alone; one that exists is replaced.
    ///
    /// # Errors
    /// It is the file that is imported, or cannot be written.
    pub fn create(path: &Path, form: Form, imported: &Path) -> Result<Self, Error> {
        let real = |path: &Path| fs::canonicalize(path).ok();
        if real(path).is_some() && real(path) == real(imported) {
            return Err(Error::RejectsAreInput {
                path: path.to_owned(),
            });
        }
        let failed = |source| Error::Rejects {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            sink: Sink::new(file, form).map_err(failed)?,
            n_rows: 0,
            newest: 0,
            failure: None,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a row. An error is told at the end, for it is no reason to end the import.
    pub(crate) fn add(&mut self, complaint: &Complaint) {
        if self.newest == complaint.row || self.failure.is_some() {
            return;
        }
        self.newest = complaint.row;
        match self.sink.write(complaint) {
            Ok(()) => self.n_rows += 1,
            Err(error) => self.failure = Some(error),
        }
    }

    /// Completes the file and says how many rows are in it.
    ///
    /// # Errors
    /// Not every row could be written.
    pub fn finish(mut self) -> Result<u64, Error> {
        let flushed = match self.failure.take() {
            Some(error) => Err(error),
            None => self.sink.flush(),
        };
        flushed.map_err(|source| Error::Rejects {
            path: self.path,
            source,
        })?;
        Ok(self.n_rows)
    }
}

impl Sink {
    fn new(file: File, form: Form) -> io::Result<Self> {
        match form {
            Form::Csv { delimiter, names } => {
                let mut writer = WriterBuilder::new()
                    .flexible(true)
                    .has_headers(false)
                    .delimiter(delimiter)
                    .from_writer(file);
                let notes = NOTES.into_iter().map(str::as_bytes);
                writer.write_record(notes.chain(&names))?;
                Ok(Self::Csv(Box::new(writer)))
            },
            Form::Ndjson => Ok(Self::Ndjson(BufWriter::new(file))),
            Form::Cdnow => Ok(Self::Cdnow(BufWriter::new(file))),
        }
    }

    fn write(&mut self, complaint: &Complaint) -> io::Result<()> {
        match self {
            Self::Csv(writer) => {
                let (row, line) = (complaint.row.to_string(), complaint.line.to_string());
                // On one line: what follows may have a quote that is never closed, and is then refused by the line.
                let (field, hint) = (one_line(&complaint.field), one_line(&complaint.problem));
                let notes = [
                    row.as_bytes(),
                    line.as_bytes(),
                    field.as_bytes(),
                    complaint.refusal.reason().as_bytes(),
                    hint.as_bytes(),
                ];
                for note in notes {
                    writer.write_field(note)?;
                }
                match &complaint.original {
                    Original::Cells(cells) => {
                        for cell in cells {
                            writer.write_field(cell)?;
                        }
                    },
                    Original::Line(text) => {
                        // The delimiter before it; it is as it came, which no cells are.
                        writer.write_field("")?;
                        writer.flush()?;
                        writer.get_ref().write_all(text)?;
                    },
                    Original::NotKept => {},
                }
                // Ends the row.
                writer.write_record(None::<&[u8]>)?;
                Ok(())
            },
            Self::Ndjson(writer) => {
                // Not one object of serde_json, which would put its keys in another order.
                writer.write_all(NDJSON_NOTE)?;
                let note = json!({
                    "row": complaint.row,
                    "line": complaint.line,
                    "field": complaint.field,
                    "reason": complaint.refusal.reason(),
                    "hint": complaint.problem,
                });
                writeln!(writer, "{note}}}")?;
                write_line(writer, &complaint.original)
            },
            Self::Cdnow(writer) => {
                writeln!(writer, "{} {complaint}", char::from(CDNOW_NOTE))?;
                write_line(writer, &complaint.original)
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.flush(),
            Self::Ndjson(writer) | Self::Cdnow(writer) => writer.flush(),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn write_line(writer: &mut impl Write, original: &Original) -> io::Result<()> {
    if let Original::Line(line) = original {
        writer.write_all(line)?;
        writer.write_all(b"\n")?;
    }
    Ok(())
}
