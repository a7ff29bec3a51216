//! When a segmenter is not asked any more.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::error;

use crate::call::monotonic_ns;
use crate::external::Trouble;

/// So many incidents within [`WITHIN`] are too many. One batch is one incident, however often it is halved.
const MOST: usize = 3;
const WITHIN: Duration = Duration::from_secs(300);

fn is_old(at: i64, now: i64) -> bool {
    now.saturating_sub(at) > i64::try_from(WITHIN.as_nanos()).unwrap_or(i64::MAX)
}

/// Counts incidents.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// When the last ones were, on the machine's monotonic clock.
    incidents: VecDeque<i64>,
    open: bool,
    /// The batch of the last one.
    batch: Option<u64>,
    /// What happened in it.
    last: Option<Trouble>,
}

impl Breaker {
    /// The segmenter has failed in a batch, perhaps once more.
    pub(crate) fn incident(&mut self, batch: u64, trouble: Trouble) {
        self.last = Some(trouble);
        if self.batch.replace(batch) == Some(batch) {
            return;
        }
        let now = monotonic_ns();
        self.incidents.push_back(now);
        while self.incidents.front().is_some_and(|at| is_old(*at, now)) {
            self.incidents.pop_front();
        }
        if self.incidents.len() >= MOST && !self.open {
            self.open = true;
            error!(
                "a segmenter has failed in {MOST} batches within {WITHIN:?}: it is not asked any more for that long"
            );
        }
    }

    /// Whether it is not asked: until so much time has passed since the last incident, or somebody releases it.
    pub(crate) fn is_open(&mut self) -> bool {
        let last = self.incidents.back().copied();
        if last.is_none_or(|last| is_old(last, monotonic_ns())) {
            self.open = false;
        }
        self.open
    }

    /// What happened last, while it is not asked.
    pub(crate) fn last(&mut self) -> Option<&Trouble> {
        if self.is_open() {
            self.last.as_ref()
        } else {
            None
        }
    }

    pub(crate) fn close(&mut self) {
        self.open = false;
        self.incidents.clear();
    }
}
