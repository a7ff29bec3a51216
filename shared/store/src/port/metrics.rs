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

/// How far segmentation's feed of a slice is taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MovesProgress {
    /// Number of its newest entry that is; 0: none.
    pub cursor: u64,
    /// Number of the newest ingestion entry that is in it.
    pub facts_sequence: u64,
    /// Keys of the segmentations that were behind the slice then.
    pub behind: Vec<String>,
}

impl MovesProgress {
    /// Keys as a store keeps them: none holds a space.
    #[must_use]
    pub fn behind_as_text(&self) -> String {
        self.behind.join(" ")
    }

    /// Keys as a store has kept them.
    #[must_use]
    pub fn behind_from_text(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }
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
        /// How far it is then; the cursor is greater than the expected one.
        progress: MovesProgress,
        /// The moves, in order.
        moves: Vec<MoveRow>,
    },
}

/// How far segmentation's feed is taken in, of all slices, by (tenant, slice).
pub type AllMovesProgress = Vec<(TenantId, Slice, MovesProgress)>;

/// What metrics keeps besides its replica of the facts. Metrics are not stored: they are a pure function of the facts and
/// moves.
pub trait Metrics: Send + Sync + std::fmt::Debug {
    /// Stores progress.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] when the cursor is not the expected one.
    fn commit(&self, commit: MetricsCommit) -> BoxFuture<'_, Result<()>>;

    /// How far segmentation's feed of a slice is taken in; nothing before the first commit.
    fn moves_progress(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<MovesProgress>>;

    /// The same of all tenants and slices, by (tenant, slice).
    fn all_moves_progress(&self) -> BoxFuture<'_, Result<AllMovesProgress>>;

    /// All moves of a slice, in the order in which they were stored.
    fn moves(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MoveRow>>>;
}
