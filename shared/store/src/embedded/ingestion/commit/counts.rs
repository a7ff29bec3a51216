//! What became of the records of each source, and when they came.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use sextant_domain::id::TenantId;

use crate::embedded::failure::Work;
use crate::embedded::sql;
use crate::embedded::value::{id, number};
use crate::port::{Arrival, FactBatch, HOURS_KEPT, Outcome};

/// How much the counts of one source change.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    accepted: i64,
    duplicate: i64,
    conflict: i64,
    held: i64,
    rejected: i64,
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
    pub(super) fn decided(&mut self, source: &str, outcome: Outcome) {
        self.of(source).count(outcome);
    }

    /// A record came and was refused.
    pub(super) fn rejected(&mut self, source: &str) {
        self.of(source).rejected += 1;
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
            } = *change;
            let tenant = id(tenant.0);
            add.execute(params![
                tenant, source, accepted, duplicate, conflict, held, rejected
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

/// Notes what came with a batch, of sources that are counted already.
pub(super) fn note_arrivals(connection: &Connection, batch: &FactBatch) -> Work<()> {
    let mut arrived = connection.prepare_cached(sql!("ingestion/source_arrived"))?;
    let mut add = connection.prepare_cached(sql!("ingestion/source_hour_add"))?;
    let mut forget = connection.prepare_cached(sql!("ingestion/source_hour_forget"))?;
    let (tenant, hour) = (id(batch.tenant.0), batch.clock().hour());
    for (source, Arrival { n_news, watermark }) in batch.arrivals() {
        let watermark = watermark.map(|at| at.0);
        arrived.execute(params![tenant, source, batch.recorded_at.0, watermark])?;
        if n_news > 0 {
            add.execute(params![tenant, source, hour, number(n_news)])?;
            forget.execute(params![tenant, source, hour.saturating_sub(HOURS_KEPT)])?;
        }
    }
    Ok(())
}
