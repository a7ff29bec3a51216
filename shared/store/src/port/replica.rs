use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::time::Instant;

use crate::{BoxFuture, Result};

/// A page of a list that is ordered by a text key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Entries with keys after this one (byte order); `None`: from the first.
    pub after: Option<String>,
    /// At most this many.
    pub limit: usize,
}

impl Page {
    /// The first page.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// An account as a following service knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaAccount {
    /// Sextant's id.
    pub uid: AccountUid,
    /// The tenant's id.
    pub id: ExternalId,
    /// Display name; empty if none was given.
    pub name: String,
}

/// A fact other than an event that a following service keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFactRow {
    /// The account.
    pub uid: AccountUid,
    /// Number of the ingestion feed entry that brought it.
    pub sequence: u64,
    /// Its place in that entry.
    pub ordinal: u32,
    /// What kind of fact.
    pub kind: FactKind,
    /// From when it holds.
    pub occurred_at: Instant,
    /// When it became known.
    pub known_at: Instant,
    /// The encoded record.
    pub record: Vec<u8>,
}

/// What a following service keeps of ingestion's feed. Written together with the service's own results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaCommit {
    /// The tenant.
    pub tenant: TenantId,
    /// The slice.
    pub slice: Slice,
    /// The cursor as the writer read it; the commit is refused ([`crate::Error::Fenced`]) if it is another now.
    pub expected_cursor: u64,
    /// The new cursor; greater than the expected one, but for commits of scoring that only close days.
    pub cursor: u64,
    /// New or renamed accounts.
    pub accounts: Vec<ReplicaAccount>,
    /// New facts.
    pub facts: Vec<AccountFactRow>,
}

/// Cursors of all tenants and slices, by (tenant, slice).
pub type SliceCursors = Vec<(TenantId, Slice, u64)>;

/// Reading back what a following service keeps of ingestion's feed.
pub trait Replica: Send + Sync + std::fmt::Debug {
    /// Number of the newest ingestion entry whose results are stored; 0 before the first.
    fn cursor(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<u64>>;

    /// The cursors of all tenants and slices, by (tenant, slice).
    fn cursors(&self) -> BoxFuture<'_, Result<SliceCursors>>;

    /// All accounts of a slice, by uid.
    fn accounts(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<Vec<ReplicaAccount>>>;

    /// All kept facts of a slice, by (uid, sequence, ordinal).
    fn facts(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<AccountFactRow>>>;
}
