//! Ingestion's tables.

mod accounts;
mod commit;
mod intake;
mod keys;
mod known;
mod partitions;
mod places;
mod recent;
mod tenants;
mod timeline;
mod writers;

use std::sync::Arc;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_store::port::{Committed, FactBatch, FeedEntry, SliceHeads};
use sextant_store::release::{self, Released, Steps, Written};
use sextant_store::{BoxFuture, Result, port};

use super::pool::{Config, ConnectError, Pool};
use super::{Service, feed};
use recent::Recent;
use writers::Writers;

const FEED_ENTRIES: &str = include_str!("../../queries/postgres/ingestion/feed_entries.sql");
const APPEND_FEED: &str = include_str!("../../queries/postgres/ingestion/append_feed.sql");

/// The store of ingestion: the ports `Facts`, `Feed`, `Tenants`, `Keys`, `Accounts`, `Places` and `Intake`.
#[derive(Debug, Clone)]
pub struct Ingestion {
    pool: Pool,
    recent: Arc<Recent>,
    writers: Arc<Writers>,
}

impl Ingestion {
    /// Connects and checks the version of the schema.
    ///
    /// # Errors
    /// The database does not answer, or its schema has another version.
    pub async fn connect(config: &Config) -> std::result::Result<Self, ConnectError> {
        let pool = Pool::connect(config, Service::Ingestion).await?;
        let recent = Arc::<Recent>::default();
        let writers = Writers::new(pool.clone(), Arc::clone(&recent), config.wait_timeout);
        Ok(Self {
            pool,
            recent,
            writers: Arc::new(writers),
        })
    }
}

impl port::Facts for Ingestion {
    fn commit(&self, batch: FactBatch) -> BoxFuture<'_, Result<Committed>> {
        Box::pin(release::commit(self, self.writers.turn(), batch))
    }

    fn release(&self, call: FactBatch) -> BoxFuture<'_, Result<SliceHeads>> {
        Box::pin(async move { release::release(self, self.writers.turn(), &call).await })
    }
}

impl Steps for Ingestion {
    fn write(&self, batch: FactBatch) -> BoxFuture<'_, Result<Written>> {
        Box::pin(self.writers.write(batch))
    }

    fn release_part(&self, call: FactBatch) -> BoxFuture<'_, Result<Released>> {
        Box::pin(self.writers.release(call))
    }
}

impl port::Feed for Ingestion {
    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>> {
        Box::pin(feed::heads(&self.pool))
    }

    fn heads_of(&self, tenant: TenantId) -> BoxFuture<'_, Result<SliceHeads>> {
        Box::pin(feed::heads_of(&self.pool, tenant))
    }

    /// The payload is the id of the batch, or empty where an import begins or ends.
    fn entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<FeedEntry>>> {
        Box::pin(feed::entries_by(
            &self.pool,
            FEED_ENTRIES,
            (tenant, slice),
            after,
            limit,
        ))
    }
}
