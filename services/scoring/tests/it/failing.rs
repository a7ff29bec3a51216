//! A store that stops taking closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use sextant_store::port::Scoring;
use sextant_store::{BoxFuture, Error, Result};

use crate::guarded::{Guard, Guarded};

/// Admits everything but the closes of certain turns.
#[derive(Debug)]
pub(crate) struct Failing {
    /// Commits of closes that are taken before the first that is not.
    taken: usize,
    /// How many are refused then.
    refused: usize,
    n_closes: AtomicUsize,
    has_failed: watch::Sender<bool>,
}

impl Failing {
    pub(crate) fn over(
        inner: Arc<dyn Scoring>,
        taken: usize,
        refused: usize,
    ) -> Arc<Guarded<Self>> {
        let guard = Self {
            taken,
            refused,
            n_closes: AtomicUsize::new(0),
            has_failed: watch::Sender::new(false),
        };
        Arc::new(Guarded { inner, guard })
    }

    /// Waits for the first refusal.
    pub(crate) async fn failed(&self) {
        let mut failed = self.has_failed.subscribe();
        failed.wait_for(|failed| *failed).await.unwrap();
    }
}

impl Guard for Failing {
    fn admit(&self, is_close: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if !is_close {
                return Ok(());
            }
            let number = self.n_closes.fetch_add(1, Ordering::Relaxed);
            if !(self.taken..self.taken.saturating_add(self.refused)).contains(&number) {
                return Ok(());
            }
            self.has_failed.send_replace(true);
            Err(Error::unavailable("committing scores", "out of order"))
        })
    }
}
