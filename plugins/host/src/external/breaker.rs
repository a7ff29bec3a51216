//! When a segmenter is not asked any more.

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::monotonic_ns;

/// So many incidents within [`WITHIN`] are too many. One batch is one incident, however often it is halved.
const MOST: usize = 3;
const WITHIN: Duration = Duration::from_secs(300);

/// Counts incidents.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// When the last ones were, on the machine's monotonic clock.
    incidents: VecDeque<i64>,
    open: bool,
    /// The batch of the last one.
    batch: Option<u64>,
}

impl Breaker {
    /// The segmenter has failed in a batch, perhaps once more.
    pub(crate) fn incident(&mut self, batch: u64) {
        if self.batch.replace(batch) == Some(batch) {
            return;
        }
        let now = monotonic_ns();
        self.incidents.push_back(now);
        let within = i64::try_from(WITHIN.as_nanos()).unwrap_or(i64::MAX);
        let is_old = |at: &i64| now.saturating_sub(*at) > within;
        while self.incidents.front().is_some_and(is_old) {
            self.incidents.pop_front();
        }
        self.open |= self.incidents.len() >= MOST;
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn close(&mut self) {
        self.open = false;
        self.incidents.clear();
    }
}
