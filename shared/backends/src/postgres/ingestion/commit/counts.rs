//! Counts per source.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_store::port::{FactBatch, Outcome};

use super::decide::{Candidate, Decisions, Origin};
use super::hold::Waiting;
use crate::postgres::rows;

/// What a batch adds to the counts of a source.
#[derive(Debug, Clone, Copy)]
struct Added {
    accepted: i64,
    duplicate: i64,
    conflict: i64,
    held: i64,
    rejected: i64,
    last_received_at: i64,
}

/// No record came: what was held was replayed.
const NEVER: i64 = i64::MIN;

/// What a batch adds to the counts, by source.
pub(super) struct Counts<'b>(BTreeMap<Cow<'b, str>, Added>);

impl<'b> Counts<'b> {
    pub(super) fn of(
        batch: &'b FactBatch,
        candidates: &[Candidate<'b>],
        decisions: &Decisions,
        waiting: &'b Waiting,
        outcomes: &[Outcome],
    ) -> Self {
        let mut counts = Self(BTreeMap::new());
        for (source, outcome) in batch.sources.iter().zip(outcomes) {
            counts.decided(source, *outcome);
            counts.of_source(source).last_received_at = batch.recorded_at.0;
        }
        for source in waiting
            .again
            .iter()
            .filter_map(|place| batch.sources.get(*place))
        {
            // It waits since before: one record waits.
            counts.of_source(source).held -= 1;
        }
        for held in &waiting.released {
            counts.of_source(&held.source).held -= 1;
        }
        for (place, candidate) in candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.origin == Origin::Held)
        {
            counts.decided(
                candidate.source,
                decisions.outcome(place, candidate, candidates),
            );
        }
        for rejection in &batch.rejections {
            let added = counts.of_source(&rejection.source);
            added.rejected += 1;
            added.last_received_at = batch.recorded_at.0;
        }
        counts
    }

    fn decided(&mut self, source: &'b str, outcome: Outcome) {
        let added = self.of_source(source);
        match outcome {
            Outcome::Accepted => added.accepted += 1,
            Outcome::Duplicate => added.duplicate += 1,
            Outcome::Conflict => added.conflict += 1,
            Outcome::Held => added.held += 1,
        }
    }

    fn of_source(&mut self, source: &'b str) -> &mut Added {
        let none = Added {
            accepted: 0,
            duplicate: 0,
            conflict: 0,
            held: 0,
            rejected: 0,
            last_received_at: NEVER,
        };
        self.0.entry(rows::text(source)).or_insert(none)
    }

    pub(super) fn columns(&self) -> CountColumns<'_> {
        CountColumns {
            sources: self.0.keys().map(AsRef::as_ref).collect(),
            accepted: self.0.values().map(|added| added.accepted).collect(),
            duplicate: self.0.values().map(|added| added.duplicate).collect(),
            conflict: self.0.values().map(|added| added.conflict).collect(),
            held: self.0.values().map(|added| added.held).collect(),
            rejected: self.0.values().map(|added| added.rejected).collect(),
            received: self
                .0
                .values()
                .map(|added| added.last_received_at)
                .collect(),
        }
    }
}

/// The counts as the database takes them, in key order.
pub(super) struct CountColumns<'c> {
    sources: Vec<&'c str>,
    accepted: Vec<i64>,
    duplicate: Vec<i64>,
    conflict: Vec<i64>,
    held: Vec<i64>,
    rejected: Vec<i64>,
    received: Vec<i64>,
}

impl CountColumns<'_> {
    pub(super) fn params<'p>(&'p self, tenant: &'p Uuid) -> [&'p (dyn ToSql + Sync); 8] {
        [
            tenant,
            &self.sources,
            &self.accepted,
            &self.duplicate,
            &self.conflict,
            &self.held,
            &self.rejected,
            &self.received,
        ]
    }
}
