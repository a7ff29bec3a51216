use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::rfm::TiePolicy;
use sextant_domain::source::HourCount;
use sextant_domain::time::Instant;

use crate::port::feed::{SliceHeads, Trace};
use crate::port::replica::Page;
use crate::port::requests::Once;
use crate::port::timeline::{FactAddress, TimelineQuery, TimelineRow};
use crate::{BoxFuture, Result};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its id.
    pub tenant: TenantId,
    /// Its name, unique.
    pub name: String,
    /// IANA zone.
    pub time_zone: String,
    /// ISO 4217 code.
    pub base_currency: String,
    /// Where the evaluation clock stands still; `None`: it follows the real clock.
    pub fixed_clock: Option<Instant>,
    /// Records older than this many days are refused.
    pub retention_days: u32,
    /// Number of slices.
    pub n_slices: u16,
    /// When the open import was opened; `None`: none is open.
    pub import_opened_at: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
    /// How RFM scores equal values.
    pub rfm_tie_policy: TiePolicy,
}

/// Where an import of history begins or ends, as the feed tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
    /// It was opened.
    Started,
    /// It was completed; the number is the wire value of the history schedule.
    Completed(u8),
}

/// Tenants. Changes are made once for each request, see [`Once`].
pub trait Tenants: Send + Sync + std::fmt::Debug {
    /// Stores a new tenant; returns the answer to its request.
    ///
    /// # Errors
    /// [`crate::Error::AlreadyExists`] for the name, [`crate::Error::RequestIdReused`].
    fn create<'a>(
        &'a self,
        tenant: &'a TenantRow,
        once: Once<TenantRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// A tenant by id.
    fn by_id(&self, tenant: TenantId) -> BoxFuture<'_, Result<Option<TenantRow>>>;

    /// A tenant by name.
    fn by_name<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TenantRow>>>;

    /// Tenants with names after `page.after`, by name.
    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<TenantRow>>>;

    /// Opens or completes an import: writes an entry to the feed of every slice; the result are the new heads by slice.
    /// Returns the answer to the request; `None` when the import is in that state already (nothing is written). History that a
    /// commit has stored while the import was open is before its completion in every feed.
    ///
    /// # Errors
    /// [`crate::Error::RequestIdReused`].
    fn mark_import(
        &self,
        tenant: TenantId,
        mark: Import,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>>;

    /// Moves a fixed evaluation clock to `to`: updates the tenant and writes a clock entry to the feed of every slice; the
    /// result are the new heads by slice. Returns the answer to the request; `None` when the tenant has no fixed clock or it
    /// stands later than `to` (nothing is written).
    ///
    /// # Errors
    /// [`crate::Error::RequestIdReused`].
    fn advance_clock(
        &self,
        tenant: TenantId,
        to: Instant,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>>;
}

/// A stored API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Public part.
    pub key_id: String,
    /// SHA-256 of the secret part.
    pub secret_sha256: [u8; 32],
    /// Tenant that it opens; `None`: the installation.
    pub tenant: Option<TenantId>,
    /// Bits of the scopes (runtime's `Scopes`).
    pub scopes: u32,
    /// What it is for.
    pub title: String,
    /// When it was made.
    pub created_at: Instant,
    /// When it stops working.
    pub expires_at: Option<Instant>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
}

/// API keys. Changes are made once for each request, see [`Once`].
pub trait Keys: Send + Sync + std::fmt::Debug {
    /// Stores a new key; returns the answer to its request.
    ///
    /// # Errors
    /// [`crate::Error::AlreadyExists`] for the key id, [`crate::Error::RequestIdReused`].
    fn create<'a>(&'a self, key: &'a KeyRow, once: Once<KeyRow>) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// A key by its public part.
    fn by_id<'a>(&'a self, key_id: &'a str) -> BoxFuture<'a, Result<Option<KeyRow>>>;

    /// Keys of a tenant (`None`: of every tenant and the installation), by id, after `page.after`.
    fn list<'a>(
        &'a self,
        tenant: Option<TenantId>,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<KeyRow>>>;

    /// Revokes a key as of the moment of the request, unless it is revoked already; returns the answer to the request.
    /// `None`: no such key in that tenant (`None`: in any).
    ///
    /// # Errors
    /// [`crate::Error::RequestIdReused`].
    fn revoke<'a>(
        &'a self,
        tenant: Option<TenantId>,
        key_id: &'a str,
        once: Once<KeyRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>>;
}

/// An account as ingestion knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Sextant's id.
    pub uid: AccountUid,
    /// The tenant's id.
    pub id: ExternalId,
    /// Its slice.
    pub slice: Slice,
}

/// A stored fact of an account other than an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactVersion {
    /// The account.
    pub uid: AccountUid,
    /// What kind of fact.
    pub kind: FactKind,
    /// From when it holds.
    pub occurred_at: Instant,
    /// When it became known.
    pub known_at: Instant,
    /// The encoded record.
    pub record: Vec<u8>,
}

/// Accounts and the facts about them.
pub trait Accounts: Send + Sync + std::fmt::Debug {
    /// The accounts of the given external ids; unknown ones are absent. At most 10,000 ids.
    fn resolve<'a>(
        &'a self,
        tenant: TenantId,
        ids: &'a [ExternalId],
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>>;

    /// Accounts with external ids after `page.after`, by external id (byte order).
    fn list<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>>;

    /// All facts other than events of the given accounts, by (uid, occurred_at, known_at, feed entry, place in it). At most
    /// 1,000 uids.
    fn versions<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<FactVersion>>>;

    /// What is known of an account, newest first. Of events those that [`crate::port::Places`] has followed.
    fn timeline<'a>(
        &'a self,
        tenant: TenantId,
        query: &'a TimelineQuery,
    ) -> BoxFuture<'a, Result<Vec<TimelineRow>>>;
}

/// A stored fact as the feed tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFact {
    /// The account; `None` for facts about a user alone.
    pub uid: Option<AccountUid>,
    /// What kind of fact.
    pub kind: FactKind,
    /// When it happened or from when it holds.
    pub occurred_at: Instant,
    /// When it became known.
    pub known_at: Instant,
    /// True: `known_at` is assumed.
    pub historical: bool,
    /// The encoded record.
    pub record: Vec<u8>,
}

/// One entry of ingestion's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactEntry {
    /// Its number.
    pub sequence: u64,
    /// When it was stored.
    pub recorded_at: Instant,
    /// The facts of this slice, in the order in which they were stored.
    pub facts: Vec<StoredFact>,
    /// Where the first of them is stored; the others follow. `None`: there are none.
    pub first: Option<FactAddress>,
    /// An import began or ended here.
    pub import: Option<Import>,
    /// The fixed evaluation clock was moved to this moment here.
    pub clock: Option<Instant>,
    /// The call that brought the facts.
    pub trace: Option<Trace>,
}

/// Which refused records are asked for.
#[derive(Debug, Clone, Default)]
pub struct RejectionFilter {
    /// Of this source.
    pub source: Option<String>,
    /// For this reason.
    pub reason: Option<String>,
}

impl RejectionFilter {
    /// All of them.
    pub const ALL: Self = Self {
        source: None,
        reason: None,
    };
}

/// A refused record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionRow {
    /// Place in the list: greater is newer.
    pub ordinal: u64,
    /// Path of the field.
    pub field: String,
    /// Machine-readable reason.
    pub reason: String,
    /// What is wrong and how to mend it.
    pub hint: String,
    /// The encoded record.
    pub record: Vec<u8>,
    /// When it first came.
    pub received_at: Instant,
}

/// A record that waits for its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// Place in the list: greater is newer.
    pub ordinal: u64,
    /// The account that it waits for.
    pub account: AccountKey,
    /// The encoded record.
    pub record: Vec<u8>,
    /// When it came.
    pub received_at: Instant,
}

/// One source: what became of its records, and when they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// The source.
    pub source: String,
    /// Stored.
    pub accepted: u64,
    /// Came again.
    pub duplicate: u64,
    /// Came again with another payload.
    pub conflict: u64,
    /// Wait now.
    pub held: u64,
    /// Refused; of a record that came again as often as it came.
    pub rejected: u64,
    /// When its last record came; a replay of held ones is none.
    pub last_received_at: Instant,
    /// See [`Arrival::watermark`](crate::port::Arrival::watermark); `None`: all of its records were refused.
    pub watermark: Option<Instant>,
    /// How many records came in each hour of the tenant's clock, imported history left out, by hour: at least of the
    /// [`HOURS_KEPT`] hours up to the last one. Hours in which none came are left out.
    pub hours: Vec<HourCount>,
}

/// For so many hours it is known how many records came in each: five weeks.
pub const HOURS_KEPT: i32 = 5 * 7 * 24;

/// What has come in: the feed of facts, refusals, what is held, counts.
pub trait Intake: Send + Sync + std::fmt::Debug {
    /// Feed entries with their facts, numbers above `after`, in order. Stops after the entry that passes `max_bytes` of
    /// records, or earlier; at least one entry is returned if there is one.
    fn fact_entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<FactEntry>>>;

    /// Refused records, each key once, newest first, with ordinals below `before` (`None`: from the newest).
    fn rejections<'a>(
        &'a self,
        tenant: TenantId,
        filter: &'a RejectionFilter,
        before: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RejectionRow>>>;

    /// The refused records of these ordinals that are still listed, in any order. At most 1,000.
    fn rejections_by<'a>(
        &'a self,
        tenant: TenantId,
        ordinals: &'a [u64],
    ) -> BoxFuture<'a, Result<Vec<RejectionRow>>>;

    /// Lists refused records no more: they were corrected. Those that are not listed change nothing.
    fn remove_rejections<'a>(
        &'a self,
        tenant: TenantId,
        ordinals: &'a [u64],
    ) -> BoxFuture<'a, Result<()>>;

    /// Held records, oldest first, with ordinals above `after`.
    fn held(
        &self,
        tenant: TenantId,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<HeldRow>>>;

    /// Sources with names after `page.after`, by name (byte order).
    fn sources<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<SourceRow>>>;
}
