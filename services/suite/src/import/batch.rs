//! Records in batches of a size that ingestion likes, made on a thread of their own.

use prost::Message as _;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use sextant_proto::ingestion::v1::Record;

use crate::import::{Complaint, Error, Item, Items, Part};

/// Records of a full batch.
const MAX_RECORDS: usize = 2_000;
/// Encoded size at which a batch is full: well below what a message may hold.
const MAX_BYTES: usize = 1_024 * 1_024;
/// Batches that may wait to be sent.
const MAX_WAITING: usize = 4;

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Number of its row.
    pub row: u64,
    /// Line on which the row begins.
    pub line: u64,
    /// Whether it is the row itself.
    pub part: Part,
}

/// Records that are sent together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records.
    pub records: Vec<Record>,
    /// Where each came from.
    pub origins: Vec<Origin>,
    /// Rows between them that could not be read.
    pub malformed: Vec<Complaint>,
}

/// Cuts items into batches.
pub struct Batches {
    items: Items,
    failure: Option<Error>,
}

impl Batches {
    /// Batches of these items. An error of theirs comes behind what was read before it.
    #[must_use]
    pub fn new(items: Items) -> Self {
        Self {
            items,
            failure: None,
        }
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
        let mut n_bytes = 0;
        while batch.records.len() < MAX_RECORDS
            && batch.malformed.len() < MAX_RECORDS
            && n_bytes < MAX_BYTES
        {
            match self.items.next() {
                None => break,
                Some(Ok(Item::Record {
                    row,
                    line,
                    part,
                    record,
                })) => {
                    n_bytes += record.encoded_len();
                    batch.records.push(*record);
                    batch.origins.push(Origin { row, line, part });
                },
                Some(Ok(Item::Malformed(complaint))) => batch.malformed.push(complaint),
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
