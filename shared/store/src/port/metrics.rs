use sextant_domain::id::{AccountUid, Slice, TenantId};
use sextant_domain::time::Instant;

use crate::port::replica::ReplicaCommit;
use crate::{BoxFuture, Result};

/// An account entered a segment (or left all), as segmentation's feed tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRow {
    /// The account.
    pub uid: AccountUid,
    /// Key of the segmentation.
    pub segmentation: String,
    /// Segment that it entered; empty: none, or abstained.
    pub segment: String,
    /// When.
    pub at: Instant,
    /// When it became known.
    pub known_at: Instant,
}

/// What metrics stores in one transaction: progress in either feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsCommit {
    /// Entries of ingestion's feed.
    Facts(ReplicaCommit),
    /// Entries of segmentation's feed.
    Moves {
        /// The tenant.
        tenant: TenantId,
        /// The slice.
        slice: Slice,
        /// The cursor in segmentation's feed as the writer read it.
        expected_cursor: u64,
        /// The new cursor, greater than the expected one.
        cursor: u64,
        /// Number of the newest ingestion entry that is in those entries.
        facts_sequence: u64,
        /// The moves, in order.
        moves: Vec<MoveRow>,
    },
}

/// (cursor in segmentation's feed, newest ingestion entry in it) of all slices, by (tenant, slice).
pub type MovesCursors = Vec<(TenantId, Slice, (u64, u64))>;

/// What metrics keeps besides its replica of the facts. Metrics are not stored: they are a pure function of the facts and
/// moves.
pub trait Metrics: Send + Sync + std::fmt::Debug {
    /// Stores progress.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] when the cursor is not the expected one.
    fn commit(&self, commit: MetricsCommit) -> BoxFuture<'_, Result<()>>;

    /// (cursor in segmentation's feed, newest ingestion entry in it) of a slice; zeros before the first commit.
    fn moves_cursor(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<(u64, u64)>>;

    /// The same of all tenants and slices, by (tenant, slice).
    fn moves_cursors(&self) -> BoxFuture<'_, Result<MovesCursors>>;

    /// All moves of a slice, in the order in which they were stored.
    fn moves(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MoveRow>>>;
}
