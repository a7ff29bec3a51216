use sextant_domain::id::{AccountUid, Slice, TenantId};
use sextant_domain::time::{Day, Instant};

use crate::port::replica::ReplicaCommit;
use crate::{BoxFuture, Result};

/// One month of an account's daily roll-up, encoded by `sextant_domain::history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthRow {
    /// The account.
    pub uid: AccountUid,
    /// Months since 1970-01 (`Day::month`).
    pub month: i32,
    /// The encoded day cells.
    pub cells: Vec<u8>,
}

/// The population models of a tenant as they were cut and fitted at a close. Those of a close that is made again replace the ones before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    /// The close.
    pub closed_on: Day,
    /// When it became known.
    pub known_at: Instant,
    /// The encoded models of that close.
    pub models: Vec<u8>,
}

/// A new entry of scoring's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationRow {
    /// The encoded entry without its number.
    pub payload: Vec<u8>,
}

/// Where a slice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SliceState {
    /// The last day that was closed.
    pub closed_on: Option<Day>,
    /// When the day after it will have passed in the tenant's zone; `None` before the first close.
    pub closes_at: Option<Instant>,
    /// Where a fixed evaluation clock stands as far as the slice is taken in; `None`: the tenant follows the real clock, or that is
    /// not known yet.
    pub clock: Option<Instant>,
    /// True between the opening and the completion of an import.
    pub importing: bool,
    /// The schedule of an import that is being evaluated and is not done yet (wire value of the history schedule).
    pub pending_history: Option<u8>,
    /// The first day whose close has to be made again: history of an import claims to have been known then. `None`: there is none.
    pub restated_from: Option<Day>,
    /// Own time of the newest fact.
    pub watermark: Option<Instant>,
    /// Commits of the slice until now. In a commit: the one that the results were computed from.
    pub version: u64,
}

/// Results of scoring that are stored in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoringCommit {
    /// Cursor, accounts and facts. `expected_cursor == cursor` for commits that only close a day.
    pub replica: ReplicaCommit,
    /// Roll-up months that changed, whole.
    pub months: Vec<MonthRow>,
    /// Models of closes.
    pub models: Vec<ModelRow>,
    /// Where the slice stands afterwards.
    pub state: SliceState,
    /// New feed entries, in order.
    pub evaluations: Vec<EvaluationRow>,
}

/// Where all slices stand, by (tenant, slice).
pub type SliceStates = Vec<(TenantId, Slice, SliceState)>;

/// What scoring keeps besides its replica of the facts. Scores are not stored: they are a pure function of the facts and of
/// the stored models.
pub trait Scoring: Send + Sync + std::fmt::Debug {
    /// Stores results and counts the slice's version up; returns the number of the newest feed entry of the slice (0 before
    /// the first). So a commit passes once, also one that stays at its cursor because it only closes days.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] when cursor or version are not those that the results were computed from.
    fn commit(&self, commit: ScoringCommit) -> BoxFuture<'_, Result<u64>>;

    /// Where a slice stands.
    fn state(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceState>>;

    /// Where all slices stand, by (tenant, slice).
    fn states(&self) -> BoxFuture<'_, Result<SliceStates>>;

    /// All roll-up months of a slice, by (uid, month).
    fn months(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MonthRow>>>;

    /// The models of a tenant's closes, newest first, of closes before `before` (`None`: from the newest).
    fn models(
        &self,
        tenant: TenantId,
        before: Option<Day>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ModelRow>>>;
}
