//! When a segmenter is not asked any more.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tracing::error;

use crate::call::monotonic_ns;
use crate::external::Trouble;

/// So many incidents within [`WITHIN`] are too many. One batch is one incident, however often it is halved.
const MOST: usize = 3;
const WITHIN: Duration = Duration::from_secs(300);
/// More than one row in so many without an answer are too many, if they are at least [`FEWEST`]; all rows are, if they are several.
const ONE_IN: u64 = 100;
/// Fewer rows than this are some odd accounts of a small tenant.
const FEWEST: u64 = 20;
/// How long a server is not asked that does not answer: it was away, and has done nothing wrong.
const AWAY: Duration = Duration::from_secs(10);

fn is_older(at: i64, now: i64, than: Duration) -> bool {
    now.saturating_sub(at) > i64::try_from(than.as_nanos()).unwrap_or(i64::MAX)
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
    /// Rows that were answered, and those that it has failed for, since it was last closed.
    rows: (u64, u64),
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
        while let Some(at) = self.incidents.front()
            && is_older(*at, now, WITHIN)
        {
            self.incidents.pop_front();
        }
        if self.incidents.len() >= MOST {
            self.open(format_args!("in {MOST} batches within {WITHIN:?}"));
        }
    }

    /// Rows of a batch were answered, and the segmenter has failed for others, each of them told once.
    pub(crate) fn rows(&mut self, n_answered: u64, n_failed: u64) {
        self.rows = (self.rows.0 + n_answered, self.rows.1 + n_failed);
        let (answered, failed) = self.rows;
        let is_of_many = failed >= FEWEST && failed > (answered + failed) / ONE_IN;
        let is_of_all = answered == 0 && n_failed > 1;
        if is_of_all || (n_failed > 0 && is_of_many) {
            self.open(format_args!("for {failed} of {} rows", answered + failed));
        }
    }

    fn open(&mut self, how_often: fmt::Arguments<'_>) {
        if !self.open {
            self.open = true;
            error!(
                "a segmenter has failed {how_often}: it is not asked any more for {:?}",
                self.pause()
            );
        }
    }

    /// Whether it is not asked: until so much time has passed since the last incident, or somebody releases it.
    pub(crate) fn is_open(&mut self) -> bool {
        let (last, pause) = (self.incidents.back().copied(), self.pause());
        if self.open && last.is_none_or(|last| is_older(last, monotonic_ns(), pause)) {
            self.close();
        }
        self.open
    }

    /// Whether its incidents still matter.
    pub(crate) fn counts(&self) -> bool {
        let last = self.incidents.back();
        last.is_some_and(|last| !is_older(*last, monotonic_ns(), WITHIN))
    }

    fn pause(&self) -> Duration {
        match self.last {
            Some(Trouble::Gone(_)) => AWAY,
            _ => WITHIN,
        }
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
        self.rows = (0, 0);
    }
}
