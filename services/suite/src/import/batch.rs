//! Records in batches of a size that ingestion likes, made on a thread of their own.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use sextant_proto::ingestion::v1::Record;

use crate::import::columns::{column_of, in_columns};
use crate::import::header::Header;
use crate::import::{Complaint, Error, Item, Items, Original, Part, size};

/// Records of a full batch.
const MAX_RECORDS: usize = 2_000;
/// Size at which a batch is full: well below what a message may hold. A record that is larger goes alone.
const MAX_BYTES: usize = 1_024 * 1_024;
/// Size of a message that a server takes unless it is configured otherwise.
const MAX_MESSAGE_BYTES: usize = 4 * 1_024 * 1_024;
/// Bytes of a message beside its records, and more.
const ENVELOPE_BYTES: usize = 64;
/// Batches that may wait to be sent.
const MAX_WAITING: usize = 4;

/// How the contract, and most files, name the time of a record.
pub const TIME: &str = "time";

/// Where a record came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Number of its row.
    pub row: u64,
    /// Line on which the row begins.
    pub line: u64,
    /// Whether it is the row itself.
    pub part: Part,
    /// The row.
    pub original: Original,
    /// The column of ours that the time of the record is read from.
    pub time: &'static str,
    /// The columns of a CSV file.
    pub(crate) header: Option<Arc<Header>>,
}

impl Origin {
    /// How the file names a field of the record: a CSV file by its column, where it has one for the field.
    #[must_use]
    pub(crate) fn field(&self, path: &str) -> String {
        let column = match self.original {
            _ if path == TIME => Some(self.time.to_owned()),
            Original::Cells(_) => column_of(path),
            Original::Line(_) | Original::NotKept => None,
        };
        let column = column.unwrap_or_else(|| path.to_owned());
        match &self.header {
            Some(header) => header.shown(&column).to_owned(),
            None => column,
        }
    }

    /// A sentence about the record, in the names that the file has.
    #[must_use]
    pub(crate) fn sentence(&self, sentence: &str) -> String {
        match self.original {
            Original::Cells(_) => in_columns(sentence),
            Original::Line(_) | Original::NotKept => sentence.to_owned(),
        }
    }
}

/// How often records were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Once.
    #[default]
    First,
    /// Again, for the first time was not acknowledged: it may be stored since then.
    Repeated,
}

/// Records that are sent together.
#[derive(Debug, Default)]
pub struct Batch {
    /// How often they were sent.
    pub delivery: Delivery,
    /// The records.
    pub records: Vec<Record>,
    /// Where each came from.
    pub origins: Vec<Origin>,
    /// Rows between them that could not be read.
    pub malformed: Vec<Complaint>,
}

impl Batch {
    fn add(&mut self, origin: Origin, record: Record) {
        self.origins.push(origin);
        self.records.push(record);
    }
}

/// Cuts items into batches.
pub struct Batches {
    items: Items,
    /// A record that did not fit into the batch before.
    next: Option<(Origin, Box<Record>)>,
    /// Largest record that is sent, in encoded bytes.
    max_record_bytes: usize,
    failure: Option<Error>,
}

impl Batches {
    /// Batches of these items. An error of theirs comes behind what was read before it.
    #[must_use]
    pub fn new(items: Items) -> Self {
        Self {
            items,
            next: None,
            max_record_bytes: MAX_MESSAGE_BYTES - ENVELOPE_BYTES,
            failure: None,
        }
    }

    /// The same batches for a server that takes messages of this many bytes.
    #[must_use]
    pub fn in_messages_of(mut self, max_bytes: u64) -> Self {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        self.max_record_bytes = max_bytes.saturating_sub(ENVELOPE_BYTES);
        self
    }

    /// Makes the batches on a thread of their own, a few ahead of whoever receives them. The thread ends when the receiver
    /// is dropped.
    #[must_use]
    pub fn ahead(self) -> (mpsc::Receiver<Result<Batch, Error>>, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let thread = spawn_blocking(move || {
            for batch in self {
                if sender.blocking_send(batch).is_err() {
                    return;
                }
            }
        });
        (receiver, thread)
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches")
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(failure) = self.failure.take() {
            self.items = Box::new(std::iter::empty());
            return Some(Err(failure));
        }
        let mut batch = Batch::default();
        let full = MAX_BYTES.min(self.max_record_bytes);
        let (mut n_bytes, mut n_malformed_bytes) = (0, 0);
        if let Some((origin, record)) = self.next.take() {
            n_bytes = size::in_message(&record);
            batch.add(origin, *record);
        }
        while batch.records.len() < MAX_RECORDS
            && batch.malformed.len() < MAX_RECORDS
            && n_bytes.max(n_malformed_bytes) < full
        {
            match self.items.next() {
                None => break,
                Some(Ok(Item::Record { origin, record })) => {
                    let bytes = size::in_message(&record);
                    if bytes > self.max_record_bytes {
                        let mut fault = size::too_large(&record, bytes);
                        fault.field = origin.field(&fault.field);
                        n_malformed_bytes += origin.original.n_bytes();
                        let complaint = fault.at(origin.row, origin.line, origin.original);
                        batch.malformed.push(complaint);
                    } else if n_bytes > 0 && n_bytes + bytes > full {
                        self.next = Some((origin, record));
                        break;
                    } else {
                        n_bytes += bytes;
                        batch.add(origin, *record);
                    }
                },
                Some(Ok(Item::Malformed(complaint))) => {
                    n_malformed_bytes += complaint.original.n_bytes();
                    batch.malformed.push(complaint);
                },
                Some(Err(error)) => {
                    self.failure = Some(error);
                    break;
                },
            }
        }
        if batch.records.is_empty() && batch.malformed.is_empty() {
            return self.failure.take().map(Err);
        }
        Some(Ok(batch))
    }
}
