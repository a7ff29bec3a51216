//! Segmentation's tables.

mod catalogue;
mod definitions;
mod memberships;
mod transitions;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_store::port::{FeedEntry, SliceHeads};
use sextant_store::{BoxFuture, Result, port};

use super::pool::{Config, ConnectError, Pool};
use super::{Service, feed};

/// The store of segmentation: the ports `Segmentations`, `Catalogue`, `Memberships` and `Feed`.
#[derive(Debug, Clone)]
pub struct Segmentation {
    pool: Pool,
}

impl Segmentation {
    /// Connects and checks the version of the schema.
    ///
    /// # Errors
    /// The database does not answer, or its schema has another version.
    pub async fn connect(config: &Config) -> std::result::Result<Self, ConnectError> {
        Ok(Self {
            pool: Pool::connect(config, Service::Segmentation).await?,
        })
    }
}

impl port::Feed for Segmentation {
    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>> {
        Box::pin(feed::heads(&self.pool))
    }

    fn heads_of(&self, tenant: TenantId) -> BoxFuture<'_, Result<SliceHeads>> {
        Box::pin(feed::heads_of(&self.pool, tenant))
    }

    fn entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<FeedEntry>>> {
        Box::pin(feed::entries(&self.pool, tenant, slice, after, limit))
    }
}
