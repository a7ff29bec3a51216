//! A store with a guard before it.

use std::fmt::Debug;
use std::sync::Arc;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Day;
use sextant_store::port::{ModelRow, MonthRow, Scoring, ScoringCommit, SliceState};
use sextant_store::{BoxFuture, Result};

/// Decides what is stored.
pub(crate) trait Guard: Debug + Send + Sync {
    /// Lets a commit pass, of a close or of facts, or refuses it.
    fn admit(&self, is_close: bool) -> BoxFuture<'_, Result<()>>;
}

/// Stores what its guard admits; everything can be read.
#[derive(Debug)]
pub(crate) struct Guarded<G> {
    pub(crate) inner: Arc<dyn Scoring>,
    pub(crate) guard: G,
}

impl<G: Guard> Scoring for Guarded<G> {
    fn commit(&self, commit: ScoringCommit) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let is_close = commit.replica.cursor == commit.replica.expected_cursor;
            self.guard.admit(is_close).await?;
            self.inner.commit(commit).await
        })
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
