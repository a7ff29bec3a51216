//! Files into records, and records into ingestion.
//!
//! A row that cannot be read is reported with its number, its line, the field and the fix, and the rows around it are kept. A
//! row of a file without ids of its own is identified by its content ([`identity`]), so the same file may be sent again and
//! under another name: everything in it is then a duplicate. That is also how an interrupted import goes on. Rows that were
//! not taken may be written to a file of their own ([`rejects`]), to be corrected and imported.

use std::fmt;
use std::io;
use std::path::PathBuf;

use csv::ByteRecord;
use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::reason_of;

use crate::cli::words::spoken;
use crate::client::is;
use crate::error::Exit;
use crate::import::batch::Origin;

pub mod batch;
pub mod cdnow;
pub mod columns;
mod contract;
mod csv_rows;
mod facts;
mod header;
pub(crate) mod history;
mod identity;
mod input;
pub(crate) mod map;
pub mod ndjson;
pub mod patience;
pub(crate) mod plan;
pub mod rejects;
mod size;
pub mod tally;
pub mod upload;
pub(crate) mod values;
mod writing;

pub use crate::import::csv_rows::CsvRows;
pub(crate) use crate::import::identity::hex;
pub use crate::import::input::Input;

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Blank-separated purchases of the CDNOW data set.
    Cdnow,
    /// A header line and one row a record.
    Csv,
    /// One JSON record a line.
    Ndjson,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 3] = [Self::Cdnow, Self::Csv, Self::Ndjson];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cdnow => "cdnow",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// The layout of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.as_str() == name)
    }

    /// The layout that a file name tells by its ending, `.gz` apart.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        match plain.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// What a record that was read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A row of the file.
    Row,
    /// An account that a row mentions for the first time, in a layout that has no rows for accounts.
    Companion,
}

/// What comes out of a file.
#[derive(Debug)]
pub enum Item {
    /// A record.
    Record {
        /// Where it came from.
        origin: Origin,
        /// The record.
        record: Box<sextant_proto::ingestion::v1::Record>,
    },
    /// A row that cannot be read.
    Malformed(Complaint),
}

/// A row as its file has it, to be written where it can be corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Original {
    /// Cells of a CSV file.
    Cells(ByteRecord),
    /// A line without its end.
    Line(Vec<u8>),
    /// A line that is longer than what is read, or none at all.
    NotKept,
}

impl Original {
    /// Its size in bytes.
    pub(crate) fn n_bytes(&self) -> usize {
        match self {
            Self::Cells(cells) => cells.as_slice().len(),
            Self::Line(line) => line.len(),
            Self::NotKept => 0,
        }
    }
}

/// Who did not take a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// This program: it cannot be read, and was not sent.
    Malformed,
    /// The service: another content is stored under its id.
    Conflict,
    /// The service, with this reason.
    Rejected(String),
}

impl Refusal {
    /// The reason of what cannot be read.
    pub const MALFORMED: &str = "MALFORMED";
    /// The reason of another content under an id.
    pub const CONFLICT: &str = "CONFLICT";

    /// The reason in one word.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Malformed => Self::MALFORMED,
            Self::Conflict => Self::CONFLICT,
            Self::Rejected(reason) => reason,
        }
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Number of the row, from 1, the header not counted.
    pub row: u64,
    /// Line on which the row begins, from 1.
    pub line: u64,
    /// The field; empty where it is about the whole row.
    pub field: String,
    /// What is wrong and how to mend it.
    pub problem: String,
    /// Who says so.
    pub refusal: Refusal,
    /// The row.
    pub original: Original,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} (line {})", self.row, self.line)?;
        if !self.field.is_empty() {
            write!(f, ", field \"{}\"", self.field)?;
        }
        write!(f, ": {}", self.problem)?;
        match &self.refusal {
            Refusal::Malformed | Refusal::Conflict => Ok(()),
            Refusal::Rejected(reason) => write!(f, " ({reason})"),
        }
    }
}

/// What is wrong with one field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The field; empty where it is about the whole row.
    pub(crate) field: String,
    /// What is wrong and how to mend it.
    pub(crate) problem: String,
}

impl Fault {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn of_row(problem: impl Into<String>) -> Self {
        Self::new("", problem)
    }

    pub(crate) fn at(self, row: u64, line: u64, original: Original) -> Complaint {
        Complaint {
            row,
            line,
            field: self.field,
            problem: self.problem,
            refusal: Refusal::Malformed,
            original,
        }
    }
}

/// Records as they come out of a file; an error ends them.
pub type Items = Box<dyn Iterator<Item = Result<Item, Error>> + Send>;

/// Why an import stops.
#[derive(Debug)]
pub enum Error {
    /// The file cannot be read to its end.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not of the layout that it is taken for.
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong and how to mend it.
        problem: String,
    },
    /// The file for rows that were not taken cannot be written.
    Rejects {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file for rows that were not taken is the one that is read.
    RejectsAreInput {
        /// The file.
        path: PathBuf,
    },
    /// The server ended the stream.
    Refused {
        /// What it said.
        status: Box<Status>,
        /// Records that were acknowledged before.
        acknowledged: u64,
    },
    /// The server ended the stream without a reason before it acknowledged everything.
    CutOff {
        /// Records that were acknowledged before.
        acknowledged: u64,
    },
    /// The thread that reads the file broke: a defect of this program.
    Reader(tokio::task::JoinError),
}

impl Error {
    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Exit::NotFound
            },
            Self::Unreadable { .. }
            | Self::Header { .. }
            | Self::Rejects { .. }
            | Self::Reader(_) => Exit::Failure,
            Self::RejectsAreInput { .. } => Exit::Usage,
            Self::Refused { status, .. } => Exit::of_status(status),
            Self::CutOff { .. } => Exit::Unavailable,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Refused { status, .. } => reason_of(status)
                .map_or_else(String::new, |reason| format!("sextant explain {reason}")),
            Self::CutOff { .. } => "sextant explain UNAVAILABLE".to_owned(),
            Self::Unreadable { .. }
            | Self::Header { .. }
            | Self::Rejects { .. }
            | Self::RejectsAreInput { .. }
            | Self::Reader(_) => String::new(),
        }
    }
}

/// How an import of news goes on that has stopped.
pub(crate) const RESUME: &str = "repeat it to go on: what is stored is then counted as duplicate";
/// Others complete the imports of a tenant, too.
pub(crate) const COMPLETED: &str = "somebody else has completed the import: repeat it, and what is stored is then counted as duplicate, the rest is stored, and all \
     of it is evaluated";
/// A server that takes less than this configuration says would end every repetition at the same place.
const SMALLER: &str =
    "give the server's ingest.max_batch_bytes to this command, too: --set ingest.max_batch_bytes=N";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => {
                write!(f, "file \"{}\" cannot be read to its end", path.display())
            },
            Self::Header { path, problem } => write!(f, "file \"{}\": {problem}", path.display()),
            Self::Refused {
                status,
                acknowledged,
            } => {
                let message = spoken(status.message());
                write!(f, "{message} (after {acknowledged} records)")?;
                if is(status, ErrorReason::MessageTooLarge) {
                    return write!(f, "; {SMALLER}");
                }
                if is(status, ErrorReason::ImportState) {
                    return write!(f, "; {COMPLETED}");
                }
                match Exit::of_status(status) {
                    Exit::Unavailable | Exit::Failure => write!(f, "; {RESUME}"),
                    // The same command would be refused in the same way.
                    Exit::Ok
                    | Exit::Usage
                    | Exit::NotFound
                    | Exit::Auth
                    | Exit::Conflict
                    | Exit::Interrupted => Ok(()),
                }
            },
            Self::Rejects { path, .. } => {
                write!(f, "file \"{}\" cannot be written", path.display())
            },
            Self::RejectsAreInput { path } => write!(
                f,
                "--rejects names \"{}\", which is the file that is imported; name another",
                path.display()
            ),
            Self::CutOff { acknowledged } => {
                write!(
                    f,
                    "the server ended the stream after {acknowledged} records; {RESUME}"
                )
            },
            Self::Reader(_) => f.write_str("reading the file broke"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } | Self::Rejects { source, .. } => Some(source),
            Self::Reader(source) => Some(source),
            Self::Header { .. }
            | Self::RejectsAreInput { .. }
            | Self::Refused { .. }
            | Self::CutOff { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
