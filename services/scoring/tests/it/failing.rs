//! A store that stops taking closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Day;
use sextant_store::port::{ModelRow, MonthRow, Scoring, ScoringCommit, SliceState};
use sextant_store::{BoxFuture, Error, Result};

/// Takes everything but the closes of certain turns.
#[derive(Debug)]
pub(crate) struct Failing {
    inner: Arc<dyn Scoring>,
    /// Commits of closes that are taken before the first that is not.
    taken: usize,
    /// How many are refused then.
    refused: usize,
    n_closes: AtomicUsize,
    has_failed: watch::Sender<bool>,
}

impl Failing {
    pub(crate) fn new(inner: Arc<dyn Scoring>, taken: usize, refused: usize) -> Arc<Self> {
        Arc::new(Self {
            inner,
            taken,
            refused,
            n_closes: AtomicUsize::new(0),
            has_failed: watch::Sender::new(false),
        })
    }

    /// Waits for the first refusal.
    pub(crate) async fn failed(&self) {
        let mut failed = self.has_failed.subscribe();
        failed.wait_for(|failed| *failed).await.unwrap();
    }
}

impl Scoring for Failing {
    fn commit(&self, commit: ScoringCommit) -> BoxFuture<'_, Result<u64>> {
        let is_close = commit.replica.cursor == commit.replica.expected_cursor;
        let number = match is_close {
            true => self.n_closes.fetch_add(1, Ordering::Relaxed),
            false => 0,
        };
        if is_close && (self.taken..self.taken.saturating_add(self.refused)).contains(&number) {
            self.has_failed.send_replace(true);
            return Box::pin(async {
                Err(Error::unavailable("committing scores", "out of order"))
            });
        }
        self.inner.commit(commit)
    }

    fn state(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceState>> {
        self.inner.state(tenant, slice)
    }

    fn states(&self) -> BoxFuture<'_, Result<Vec<(TenantId, Slice, SliceState)>>> {
        self.inner.states()
    }

    fn months(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MonthRow>>> {
        self.inner.months(tenant, slice)
    }

    fn models(
        &self,
        tenant: TenantId,
        before: Option<Day>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ModelRow>>> {
        self.inner.models(tenant, before, limit)
    }
}
