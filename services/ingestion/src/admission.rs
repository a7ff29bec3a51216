//! The door: a batch of records in, what may be stored and what is refused out. Pure but for the random part of new ids.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message;
use uuid::{Builder, Uuid};

use sextant_domain::fact::FactKind;
use sextant_domain::id::MAX_EXTERNAL_ID_BYTES;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::blocking;
use sextant_store::port::{NewFact, NewRejection, RejectionKey};
use sextant_wire::record::{self, Checked, Door};
use sextant_wire::status::Problem;

use crate::tenants::KnownTenant;

/// Longest text of a refusal that is kept and answered, in bytes: hints repeat what the record holds.
const MAX_HINT_BYTES: usize = 256;
/// Batches of more records are checked on a thread of their own: 500 records take about a millisecond.
const MAX_INLINE_RECORDS: usize = 500;

/// When the facts of a delivery became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// When they came.
    Now,
    /// Imported history: each is taken to have been known at its own time, and that assumption is flagged.
    Assumed,
}

impl Knowledge {
    pub(crate) fn of(options: Option<&pb::IngestOptions>) -> Self {
        if options.is_some_and(|options| options.historical) {
            Self::Assumed
        } else {
            Self::Now
        }
    }
}

/// On what terms records of one delivery are taken in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    door: Door,
    knowledge: Knowledge,
    source_clock: SourceClock,
}

/// Whether `sent_at` tells how wrong a source's clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceClock {
    /// It was read just before the record came.
    Comparable,
    /// It was read long ago (imported history), or in another time than ours (a tenant with a fixed clock).
    NotComparable,
}

impl Terms {
    /// The terms for what a tenant delivers at the real moment `received_at`.
    pub(crate) fn new(tenant: &KnownTenant, knowledge: Knowledge, received_at: Instant) -> Self {
        let source_clock = match (knowledge, tenant.row.fixed_clock) {
            (Knowledge::Now, None) => SourceClock::Comparable,
            (Knowledge::Assumed, _) | (Knowledge::Now, Some(_)) => SourceClock::NotComparable,
        };
        let door = Door {
            now: tenant.now(received_at),
            received_at,
            retention_days: tenant.row.retention_days,
            base_currency: tenant.base_currency,
        };
        Self {
            door,
            knowledge,
            source_clock,
        }
    }

    /// When a fact became known. Imported history is never known before it is due: at the latest now.
    fn known_at(&self, occurred_at: Instant) -> Instant {
        match self.knowledge {
            Knowledge::Now => self.door.now,
            Knowledge::Assumed => occurred_at.min(self.door.now),
        }
    }
}

/// A batch behind the door.
#[derive(Debug, Default)]
pub(crate) struct CheckedBatch {
    /// Records of the batch: facts and refused ones.
    pub(crate) n_records: usize,
    /// What may be stored, in order of arrival.
    pub(crate) facts: Vec<NewFact>,
    /// Source of each fact.
    pub(crate) sources: Vec<Arc<str>>,
    /// What is refused, by ascending index.
    pub(crate) refused: Vec<Refused>,
    /// Size of the encoded records.
    pub(crate) n_bytes: usize,
}

/// A record as it arrives: from a door of another format it may be refused before it is looked at.
#[derive(Debug)]
pub(crate) struct Arrived {
    record: pb::Record,
    refusal: Option<Problem>,
}

impl Arrived {
    pub(crate) fn of(record: pb::Record) -> Self {
        Self {
            record,
            refusal: None,
        }
    }

    /// What is kept of something that could not be made a record of.
    pub(crate) fn refused(record: pb::Record, problem: Problem) -> Self {
        Self {
            record,
            refusal: Some(problem),
        }
    }
}

/// A refused record.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Its place in the batch.
    pub(crate) index: u32,
    /// What is kept of it.
    pub(crate) kept: NewRejection,
}

/// Refuses a batch of more than `limit` records.
///
/// # Errors
/// BATCH_TOO_LARGE.
pub(crate) fn check_size(n_records: usize, limit: usize) -> Result<(), Problem> {
    if n_records <= limit {
        return Ok(());
    }
    let message = format!(
        "has {n_records} records, at most {limit} are allowed; send them in several batches"
    );
    Err(Problem::field(
        ErrorReason::BatchTooLarge,
        "records",
        message,
    ))
}

/// Checks every record of a batch.
pub(crate) fn check(
    records: impl ExactSizeIterator<Item = Arrived>,
    terms: &Terms,
) -> CheckedBatch {
    let mut batch = CheckedBatch {
        n_records: records.len(),
        facts: Vec::with_capacity(records.len()),
        sources: Vec::with_capacity(records.len()),
        ..CheckedBatch::default()
    };
    let mut sources = Sources::default();
    for (index, arrived) in (0_u32..).zip(records) {
        let Arrived {
            mut record,
            refusal,
        } = arrived;
        // The check takes `sent_at` off, for it differs between two deliveries; a refused record is kept as it came.
        let sent_at = record.sent_at;
        if terms.source_clock == SourceClock::NotComparable {
            record.sent_at = None;
        }
        let checked = match refusal {
            Some(problem) => Err(problem),
            None => {
                record.original.clear();
                record::check(&mut record, &terms.door)
            },
        };
        match checked {
            Ok(checked) => {
                batch.n_bytes += checked.encoded.len();
                batch.sources.push(sources.shared(&record.source));
                batch.facts.push(fact(checked, terms));
            },
            Err(problem) => {
                record.sent_at = sent_at;
                let kept = rejection(&record, &problem);
                batch.n_bytes += kept.record.len();
                batch.refused.push(Refused { index, kept });
            },
        }
    }
    batch
}

/// As [`check`]; a large batch is checked on a thread where that holds nobody up.
///
/// # Errors
/// The check broke.
pub(crate) async fn check_apart(
    records: impl ExactSizeIterator<Item = Arrived> + Send + 'static,
    terms: Terms,
) -> Result<CheckedBatch, Problem> {
    if records.len() <= MAX_INLINE_RECORDS {
        return Ok(check(records, &terms));
    }
    blocking(move || Ok(check(records, &terms))).await
}

fn fact(checked: Checked, terms: &Terms) -> NewFact {
    let Checked {
        identity,
        payload,
        kind,
        account,
        occurred_at,
        encoded,
    } = checked;
    NewFact {
        identity,
        payload,
        kind,
        account,
        new_account_uid: if kind == FactKind::Account {
            new_uid(terms.door.received_at)
        } else {
            0
        },
        occurred_at,
        known_at: terms.known_at(occurred_at),
        historical: terms.knowledge == Knowledge::Assumed,
        record: encoded,
    }
}

fn rejection(record: &pb::Record, problem: &Problem) -> NewRejection {
    let (reason, encoded) = (problem.reason_name(), record.encode_to_vec());
    NewRejection {
        key: RejectionKey::of(&record.source, &record.id, &encoded, reason),
        field: printable(&problem.field, MAX_HINT_BYTES),
        reason: reason.to_owned(),
        hint: printable(&problem.message, MAX_HINT_BYTES),
        record: encoded,
        source: printable(&record.source, MAX_EXTERNAL_ID_BYTES),
    }
}

/// At most `max_bytes` of a text, control characters replaced: what a bad record holds may be anything.
fn printable(text: &str, max_bytes: usize) -> String {
    let (kept, _cut) = text.split_at(text.floor_char_boundary(max_bytes));
    if kept.chars().any(char::is_control) {
        // A space is no longer than what it replaces.
        return kept.replace(char::is_control, " ");
    }
    kept.to_owned()
}

/// A new UUIDv7 (RFC 9562) of the millisecond of `at`.
pub(crate) fn new_uid(at: Instant) -> u128 {
    // All but the version and variant bits of a v4 UUID are random.
    let random = *Uuid::new_v4().as_bytes();
    let mut tail = [0; 10];
    tail[..5].copy_from_slice(&random[..5]);
    tail[5..].copy_from_slice(&random[11..]);
    let millis = u64::try_from(at.0.div_euclid(1_000)).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &tail)
        .into_uuid()
        .as_u128()
}

/// The sources of one batch, each text once.
#[derive(Default)]
struct Sources {
    newest: Option<Arc<str>>,
    all: BTreeSet<Arc<str>>,
}

impl Sources {
    fn shared(&mut self, source: &str) -> Arc<str> {
        if let Some(newest) = &self.newest
            && **newest == *source
        {
            return Arc::clone(newest);
        }
        let shared = match self.all.get(source) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = source.into();
                self.all.insert(Arc::clone(&new));
                new
            },
        };
        self.newest = Some(Arc::clone(&shared));
        shared
    }
}

#[cfg(test)]
mod tests;
