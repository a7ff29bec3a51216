//! Partitions by month, made when the first record of a month comes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use sextant_domain::time::{Day, Instant};
use sextant_store::Result;
use sextant_store::port::FactBatch;

use crate::postgres::pool::Pool;

const CREATE: &str = include_str!("../../../queries/postgres/ingestion/create_partition.sql");
const HOURS_PER_DAY: i32 = 24;

/// The months whose partitions are known to exist.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    known: Mutex<BTreeSet<(Parent, i32)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Parent {
    Dedupe,
    Fact,
}

impl Parent {
    fn name(self) -> &'static str {
        match self {
            Self::Dedupe => "dedupe",
            Self::Fact => "fact",
        }
    }
}

impl Partitions {
    /// Makes the partitions that the facts of a batch need; usually they exist and nothing is asked of the database.
    pub(super) async fn ensure(&self, pool: &Pool, batch: &FactBatch) -> Result<()> {
        for missing in self.missing(batch) {
            let (parent, month) = missing;
            pool.system("making a partition", CREATE, &[&parent.name(), &month])
                .await?;
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(missing);
        }
        Ok(())
    }

    /// Forgets all: a partition that existed may have been dropped.
    pub(super) fn forget(&self) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn missing(&self, batch: &FactBatch) -> BTreeSet<(Parent, i32)> {
        let mut months = BTreeSet::new();
        let (mut last_hour, mut last_day) = (None, None);
        for fact in &batch.facts {
            let hour = fact.identity.hour;
            if last_hour.replace(hour) != Some(hour) {
                months.insert((Parent::Dedupe, Day(hour.div_euclid(HOURS_PER_DAY)).month()));
            }
            let day = day_of(fact.occurred_at);
            if last_day.replace(day) != Some(day) {
                months.insert((Parent::Fact, day.month()));
            }
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        months.retain(|month| !known.contains(month));
        months
    }
}

fn day_of(at: Instant) -> Day {
    Day(at.hour().div_euclid(HOURS_PER_DAY))
}
