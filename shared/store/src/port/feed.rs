use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;

use crate::{BoxFuture, Result};

/// The span of the call that brought an entry: W3C trace id (16 bytes) and span id (8 bytes). Only of calls that are traced.
pub type Trace = [u8; 24];

/// Newest numbers of the slices of one tenant, by slice.
pub type SliceHeads = Vec<(Slice, u64)>;

/// One entry of a feed. Numbers ascend without gaps, in commit order: each is taken from the head of (tenant, slice) under
/// a row lock that is held until the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its number.
    pub sequence: u64,
    /// What the writing service put into it.
    pub payload: Vec<u8>,
}

/// The feed of one service.
pub trait Feed: Send + Sync + std::fmt::Debug {
    /// The heads of all feeds that have entries, of every tenant, by (tenant, slice).
    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>>;

    /// The heads of the feeds of one tenant that have entries, by slice.
    fn heads_of(&self, tenant: TenantId) -> BoxFuture<'_, Result<SliceHeads>>;

    /// Entries with numbers above `after`, in order: at most `limit`.
    fn entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<FeedEntry>>>;
}
