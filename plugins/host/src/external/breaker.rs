//! When a segmenter is not asked any more.

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::monotonic_ns;
use crate::external::Trouble;

/// So many incidents within [`WITHIN`] are too many. One batch is one incident, however often it is halved.
const MOST: usize = 3;
const WITHIN: Duration = Duration::from_secs(300);
/// More than one row in so many without an answer are too many, if they are at least [`FEWEST`]; all rows are, if they are several.
const ONE_IN: usize = 100;
/// Fewer rows than this are some odd accounts of a small tenant.
const FEWEST: usize = 20;
/// How long a server is not asked that does not answer: it was away, and has done nothing wrong.
const AWAY: Duration = Duration::from_secs(10);

/// Whether a segmenter that fails for so many of so many rows is not to be asked any more.
pub(crate) const fn are_too_many(failed: usize, rows: usize) -> bool {
    failed >= FEWEST && failed > rows / ONE_IN
}

fn is_older(at: i64, now: i64, than: Duration) -> bool {
    now.saturating_sub(at) > i64::try_from(than.as_nanos()).unwrap_or(i64::MAX)
}

/// Counts incidents.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// When the last ones were, on the machine's monotonic clock.
    incidents: VecDeque<i64>,
    /// Since when it is not asked.
    open_since: Option<i64>,
    /// The batch of the last one.
    batch: Option<u64>,
    /// What happened in it.
    last: Option<Trouble>,
    /// Rows that were answered, and those that it has failed for, since it was last closed.
    rows: (usize, usize),
}

impl Breaker {
    /// The segmenter has failed in a batch, perhaps once more. How often it has, where that is too often from now on.
    pub(crate) fn incident(&mut self, batch: u64, trouble: Trouble) -> Option<String> {
        self.last = Some(trouble);
        if self.batch.replace(batch) == Some(batch) {
            return None;
        }
        let now = monotonic_ns();
        self.incidents.push_back(now);
        // Calls that were made before it opened.
        self.open_since = self.open_since.map(|_earlier| now);
        while let Some(at) = self.incidents.front()
            && is_older(*at, now, WITHIN)
        {
            self.incidents.pop_front();
        }
        let how_often = || format!("in {MOST} batches within {WITHIN:?}");
        self.open(self.incidents.len() >= MOST, how_often)
    }

    /// Rows of a batch were answered, and the segmenter has failed for others, each of them told once, at last so. As
    /// [`incident`](Self::incident).
    pub(crate) fn rows(
        &mut self,
        n_answered: usize,
        (n_failed, trouble): (usize, Option<&Trouble>),
    ) -> Option<String> {
        self.rows = (self.rows.0 + n_answered, self.rows.1 + n_failed);
        let (answered, failed) = self.rows;
        let is_of_many = are_too_many(failed, answered + failed);
        let is_of_all = answered == 0 && n_failed > 1;
        let how_often = || format!("for {failed} of {} rows", answered + failed);
        if let Some(trouble) = trouble {
            self.last = Some(trouble.clone());
        }
        self.open(is_of_all || (n_failed > 0 && is_of_many), how_often)
    }

    fn open(&mut self, is_too_often: bool, how_often: impl FnOnce() -> String) -> Option<String> {
        if self.open_since.is_some() || !is_too_often {
            return None;
        }
        self.open_since = Some(monotonic_ns());
        Some(how_often())
    }

    /// Whether it is not asked: until so much time has passed, or somebody releases it.
    pub(crate) fn is_open(&mut self) -> bool {
        let pause = self.pause();
        let is_over = |since| is_older(since, monotonic_ns(), pause);
        if self.open_since.is_some_and(is_over) {
            self.close();
        }
        self.open_since.is_some()
    }

    /// Whether what happened still matters.
    pub(crate) fn counts(&self) -> bool {
        let last = self.incidents.back().copied().max(self.open_since);
        last.is_some_and(|last| !is_older(last, monotonic_ns(), WITHIN))
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
        self.open_since = None;
        self.incidents.clear();
        self.rows = (0, 0);
    }
}
