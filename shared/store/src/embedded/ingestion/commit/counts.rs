//! What became of the records of each source.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use crate::embedded::failure::Work;
use crate::embedded::sql;
use crate::embedded::value::id;
use crate::port::Outcome;

/// How much the counts of one source change.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    accepted: i64,
    duplicate: i64,
    conflict: i64,
    held: i64,
    rejected: i64,
    /// When its last record came; the earliest moment there is if none came with this batch.
    received_at: Option<Instant>,
}

impl Change {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Conflict => self.conflict += 1,
            Outcome::Held => self.held += 1,
        }
    }
}

/// Changes of the counts of all sources of a batch.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<Box<str>, Change>);

impl Counts {
    /// A record came and got its outcome.
    pub(super) fn decided(&mut self, source: &str, outcome: Outcome, at: Instant) {
        let change = self.of(source);
        change.count(outcome);
        change.received_at = Some(at);
    }

    /// A record came that waits already.
    pub(super) fn held_again(&mut self, source: &str, at: Instant) {
        self.of(source).received_at = Some(at);
    }

    /// A record came and was refused.
    pub(super) fn rejected(&mut self, source: &str, at: Instant) {
        let change = self.of(source);
        change.rejected += 1;
        change.received_at = Some(at);
    }

    /// A held record got its outcome.
    pub(super) fn replayed(&mut self, source: &str, outcome: Outcome) {
        let change = self.of(source);
        change.held -= 1;
        change.count(outcome);
    }

    pub(super) fn store(&self, connection: &Connection, tenant: TenantId) -> Work<()> {
        let mut add = connection.prepare_cached(sql!("ingestion/source_count_add"))?;
        for (source, change) in &self.0 {
            let Change {
                accepted,
                duplicate,
                conflict,
                held,
                rejected,
                received_at,
            } = *change;
            let received_at = received_at.map_or(i64::MIN, |at| at.0);
            add.execute(params![
                id(tenant.0),
                source,
                accepted,
                duplicate,
                conflict,
                held,
                rejected,
                received_at
            ])?;
        }
        Ok(())
    }

    fn of(&mut self, source: &str) -> &mut Change {
        if !self.0.contains_key(source) {
            self.0.insert(source.into(), Change::default());
        }
        self.0.entry(source.into()).or_default()
    }
}
