//! The one reader of the wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sextant_domain::time::Instant;

/// Where "now" comes from. Read once per request, in the handler; below it only values travel.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Real,
    Manual(Arc<AtomicI64>),
}

/// Moves a manual [`Clock`].
#[derive(Debug, Clone)]
pub struct ManualClock {
    us: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn real() -> Self {
        Self {
            source: Source::Real,
        }
    }

    /// A clock that stands still at `start` until its hand moves it.
    #[must_use]
    pub fn manual(start: Instant) -> (Self, ManualClock) {
        let us = Arc::new(AtomicI64::new(start.0));
        (
            Self {
                source: Source::Manual(Arc::clone(&us)),
            },
            ManualClock { us },
        )
    }

    /// The current moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.source {
            Source::Real => wall(),
            Source::Manual(us) => Instant(us.load(Ordering::Acquire)),
        }
    }
}

impl ManualClock {
    /// Sets the clock to a moment, earlier or later.
    pub fn set(&self, at: Instant) {
        self.us.store(at.0, Ordering::Release);
    }

    /// Moves the clock forward by `us` microseconds.
    pub fn advance_us(&self, us: i64) {
        self.us.fetch_add(us, Ordering::AcqRel);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader that everybody else is told to use"
)]
fn wall() -> Instant {
    // A machine set before 1970 is misconfigured; the epoch keeps it running and visibly wrong.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
