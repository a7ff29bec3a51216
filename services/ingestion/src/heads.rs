//! The newest number of every feed, as this process knows it.
//!
//! Commits of this process are noted at once. Those of other replicas are found by one query for all tenants, every two
//! seconds, so an idle tenant costs a row of it; and at once, by one for its tenant, where a caller has to hear of them.

use std::sync::Arc;

use futures_util::stream::BoxStream;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::{Head, Position};
use sextant_runtime::heads;
use sextant_runtime::progress::Progress;
use sextant_store::port::Feed;
use sextant_wire::status::Problem;

use crate::failure;

/// What is known to be stored, for those who watch the feeds and for those who wait for a position.
#[derive(Debug)]
pub(crate) struct Heads {
    feed: Arc<dyn Feed>,
    watched: Arc<heads::Heads>,
    stored: Progress,
}

impl Heads {
    pub(crate) fn new(feed: Arc<dyn Feed>) -> Self {
        Self {
            feed,
            watched: Arc::default(),
            stored: Progress::default(),
        }
    }

    /// Notes heads of one tenant that a commit of this process has returned.
    pub(crate) fn note(&self, tenant: TenantId, heads: &[(Slice, u64)]) {
        let head = |(slice, sequence): &(Slice, u64)| Head {
            tenant,
            slice: *slice,
            sequence: *sequence,
        };
        self.publish(heads.iter().map(head).collect());
    }

    /// Notes what all replicas have committed until now.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn refresh(&self) -> sextant_store::Result<()> {
        self.publish(self.feed.heads().await?);
        Ok(())
    }

    /// Notes what all replicas have committed of one tenant until now.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn refresh_of(&self, tenant: TenantId) -> sextant_store::Result<()> {
        self.note(tenant, &self.feed.heads_of(tenant).await?);
        Ok(())
    }

    /// What is known to be stored of one tenant.
    pub(crate) fn position(&self, tenant: TenantId) -> Position {
        self.stored.position(tenant)
    }

    /// Waits until what is known covers `floor`, and returns it.
    ///
    /// # Errors
    /// POSITION_NOT_REACHED at the call's deadline or after 30 seconds, or the store's failure.
    pub(crate) async fn cover(
        &self,
        tenant: TenantId,
        floor: &Position,
    ) -> Result<Position, Problem> {
        if !self.position(tenant).covers(floor) {
            // Another replica has stored it, and its number has not come round yet.
            self.refresh_of(tenant).await.map_err(failure::of_store)?;
        }
        self.stored.wait_for(tenant, floor).await
    }

    /// All heads at once, then those that grow. The first item comes even when there is no feed yet.
    pub(crate) fn watch(&self) -> BoxStream<'static, Vec<Head>> {
        self.watched.watch()
    }

    /// Whoever waits for a position is woken before the watchers, so that what a watcher hears of can be read.
    fn publish(&self, heads: Vec<Head>) {
        for head in &heads {
            self.stored.reach(head.tenant, head.slice, head.sequence);
        }
        self.watched.publish(heads);
    }
}

#[cfg(test)]
mod tests;
