//! Counts per source, and when its records came.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::time::Instant;
use sextant_store::port::{Arrival, FactBatch, HOURS_KEPT, Outcome};

use super::decide::{Candidate, Decisions, Origin};
use super::hold::Waiting;
use crate::postgres::rows;

/// What a batch adds to the counts of a source.
#[derive(Debug, Clone, Copy, Default)]
struct Added {
    accepted: i64,
    duplicate: i64,
    conflict: i64,
    held: i64,
    rejected: i64,
    /// None: no record came, what was held was replayed.
    arrival: Option<Arrival>,
}

/// No record came.
const NEVER: i64 = i64::MIN;

/// What a batch adds to the counts, by source.
pub(super) struct Counts<'b> {
    by_source: BTreeMap<Cow<'b, str>, Added>,
    received_at: Instant,
    /// Hour of the tenant's clock.
    hour: i32,
}

impl<'b> Counts<'b> {
    pub(super) fn of(
        batch: &'b FactBatch,
        candidates: &[Candidate<'b>],
        decisions: &Decisions,
        waiting: &'b Waiting,
        outcomes: &[Outcome],
    ) -> Self {
        let mut counts = Self {
            by_source: BTreeMap::new(),
            received_at: batch.recorded_at,
            hour: batch.clock().hour(),
        };
        for (source, outcome) in batch.sources.iter().zip(outcomes) {
            counts.decided(source, *outcome);
        }
        for (source, came) in batch.arrivals() {
            let arrival = &mut counts.of_source(source).arrival;
            *arrival = Some(arrival.unwrap_or_default().and(came));
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
            counts.of_source(&rejection.source).rejected += 1;
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
        self.by_source.entry(rows::text(source)).or_default()
    }

    pub(super) fn columns(&self) -> CountColumns<'_> {
        let added = || self.by_source.values();
        let arrivals = || added().map(|added| added.arrival);
        let received = |came: Option<Arrival>| came.map_or(NEVER, |_came| self.received_at.0);
        let watermark = |came: Option<Arrival>| Some(came?.watermark?.0);
        CountColumns {
            sources: self.by_source.keys().map(AsRef::as_ref).collect(),
            accepted: added().map(|added| added.accepted).collect(),
            duplicate: added().map(|added| added.duplicate).collect(),
            conflict: added().map(|added| added.conflict).collect(),
            held: added().map(|added| added.held).collect(),
            rejected: added().map(|added| added.rejected).collect(),
            received: arrivals().map(received).collect(),
            news: arrivals()
                .map(|came| rows::number(came.unwrap_or_default().n_news))
                .collect(),
            hour: self.hour,
            forgotten: self.hour.saturating_sub(HOURS_KEPT),
            watermarks: arrivals().map(watermark).collect(),
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
    news: Vec<i64>,
    hour: i32,
    /// Hours before this one.
    forgotten: i32,
    watermarks: Vec<Option<i64>>,
}

impl CountColumns<'_> {
    pub(super) fn params<'p>(&'p self, tenant: &'p Uuid) -> [&'p (dyn ToSql + Sync); 12] {
        [
            tenant,
            &self.sources,
            &self.accepted,
            &self.duplicate,
            &self.conflict,
            &self.held,
            &self.rejected,
            &self.received,
            &self.news,
            &self.hour,
            &self.forgotten,
            &self.watermarks,
        ]
    }
}
