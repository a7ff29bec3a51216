use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::time::{Day, Instant};

use crate::port::catalogue::EventRow;
use crate::port::replica::{Page, ReplicaAccount};
use crate::port::requests::{Once, Request};
use crate::{BoxFuture, Result};

/// One configured use of a segmenter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentationRow {
    /// Key within the tenant.
    pub key: String,
    /// Small number of the segmentation within the tenant, from 1.
    pub number: u16,
    /// The segmenter.
    pub segmenter_id: String,
    /// Canonical configuration.
    pub config: String,
    /// Version of the definition.
    pub version: u32,
    /// SHA-256 of the plugin, in hexadecimal.
    pub plugin_digest: String,
    /// What it answers from, encoded; empty: it is not fitted.
    pub fit: Vec<u8>,
    /// Number of the revision that decides.
    pub revision: u32,
    /// When it was made.
    pub created_at: Instant,
    /// The last day that was closed when the revision began to decide: it has found no memberships as of that close and those before.
    pub closed_on: Option<Day>,
}

/// How a revision stands to its segmentation. The discriminants are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionState {
    /// It is evaluated beside the one that decides.
    Proposed = 1,
    /// It decides.
    Active = 2,
    /// It decided before the present one.
    Previous = 3,
    /// It is of the past.
    Retired = 4,
}

impl RevisionState {
    /// The state of a stored number.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Proposed),
            2 => Some(Self::Active),
            3 => Some(Self::Previous),
            4 => Some(Self::Retired),
            _ => None,
        }
    }

    /// The number that is stored.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// What a segmentation is, was or may be decided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// Number of the segmentation.
    pub segmentation: u16,
    /// Its own number within the segmentation, from 1.
    pub revision: u32,
    /// How it stands.
    pub state: RevisionState,
    /// The segmenter.
    pub segmenter_id: String,
    /// Version of the segmenter; empty where that was not kept.
    pub segmenter_version: String,
    /// SHA-256 of the plugin, in hexadecimal.
    pub digest: String,
    /// Canonical configuration.
    pub config: String,
    /// What it answers from, encoded; empty: it is not fitted.
    pub fit: Vec<u8>,
    /// When it was proposed.
    pub created_at: Instant,
    /// Who has proposed it.
    pub created_by: String,
    /// Why.
    pub note: String,
    /// What it would change, encoded; empty: that is not known.
    pub shadow: Vec<u8>,
}

impl RevisionRow {
    /// The first revision of a segmentation.
    #[must_use]
    pub fn first(of: &SegmentationRow, segmenter_version: &str, created_by: &str) -> Self {
        Self {
            segmentation: of.number,
            revision: of.revision,
            state: RevisionState::Active,
            segmenter_id: of.segmenter_id.clone(),
            segmenter_version: segmenter_version.to_owned(),
            digest: of.plugin_digest.clone(),
            config: of.config.clone(),
            fit: of.fit.clone(),
            created_at: of.created_at,
            created_by: created_by.to_owned(),
            note: String::new(),
            shadow: Vec::new(),
        }
    }
}

/// A change of what a segmentation is decided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Number of the segmentation.
    pub segmentation: u16,
    /// The version that the segmentation must have.
    pub from_version: u32,
    /// The revision that decides from now on.
    pub revision: u32,
    /// The state that it must have.
    pub from_state: RevisionState,
    /// What it must be known to change, encoded, as that was judged; `None`: whatever it is.
    pub judged: Option<Vec<u8>>,
    /// The state of the one that has decided until now.
    pub leaves: RevisionState,
    /// The last day that is closed.
    pub closed_on: Option<Day>,
}

impl Activation {
    /// Whether something else is known of what a revision would change than was judged.
    #[must_use]
    pub fn is_overtaken(&self, revision: &RevisionRow) -> bool {
        let judged = self.judged.as_ref();
        judged.is_some_and(|judged| *judged != revision.shadow)
    }
}

/// Definitions.
pub trait Segmentations: Send + Sync + std::fmt::Debug {
    /// Stores a new segmentation (its `number` is assigned) with its first revision, once for each request, see [`Once`]; returns the
    /// answer to it.
    ///
    /// # Errors
    /// [`crate::Error::AlreadyExists`] for the key, [`crate::Error::NotReady`] where its segmenter was published and may not be used when
    /// this is stored, [`crate::Error::RequestIdReused`].
    fn create<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a SegmentationRow,
        first: &'a RevisionRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// Stores a proposed revision (its number is assigned), retires the one that was proposed before, and tells of it, once for each
    /// request; returns the answer to it.
    ///
    /// # Errors
    /// [`crate::Error::NotReady`] as for [`create`](Self::create), [`crate::Error::RequestIdReused`].
    fn propose<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a RevisionRow,
        event: EventRow,
        once: Once<RevisionRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>>;

    /// Lets a revision decide: counts the segmentation's version up, retires the revision that a roll-back would have returned to, and
    /// tells of it, once for each request; returns the answer to it. `None`: the segmentation has another version, or the revision
    /// another state.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] where something else is known of what it would change than was judged, [`crate::Error::NotReady`] as for
    /// [`create`](Self::create), [`crate::Error::RequestIdReused`].
    fn activate<'a>(
        &'a self,
        tenant: TenantId,
        activation: &'a Activation,
        event: EventRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>>;

    /// Keeps what a proposed revision would change. Of one that is not proposed any more nothing is kept.
    fn keep_shadow(
        &self,
        tenant: TenantId,
        segmentation: u16,
        revision: u32,
        shadow: Vec<u8>,
    ) -> BoxFuture<'_, Result<()>>;

    /// The revisions of a segmentation with smaller numbers, newest first, at most so many.
    fn revisions(
        &self,
        tenant: TenantId,
        segmentation: u16,
        before: u32,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RevisionRow>>>;

    /// The answer that was given to a request before; `None`: it comes for the first time.
    ///
    /// # Errors
    /// [`crate::Error::RequestIdReused`].
    fn answered<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Option<Vec<u8>>>>;

    /// Keeps what a segmenter has learned from a tenant's accounts, at most 256 MiB, by its digest in hexadecimal digits. What is kept
    /// already stays as it is.
    fn keep_state<'a>(
        &'a self,
        tenant: TenantId,
        digest: &'a str,
        state: Vec<u8>,
    ) -> BoxFuture<'a, Result<()>>;

    /// What a segmenter has learned; `None`: it is not kept.
    fn state<'a>(
        &'a self,
        tenant: TenantId,
        digest: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>>;

    /// All segmentations of a tenant (at most 200), by key.
    fn all(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<SegmentationRow>>>;
}

/// The present membership of an account in a segmentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRow {
    /// Number of the segmentation.
    pub segmentation: u16,
    /// The account.
    pub uid: AccountUid,
    /// Wire value of the membership state.
    pub state: u8,
    /// Key of the segment; empty unless the state is MEMBER.
    pub segment: String,
    /// Since when.
    pub entered_at: Instant,
    /// State at the last day close (wire value; 0: none yet).
    pub close_state: u8,
    /// Segment at the last day close.
    pub close_segment: String,
    /// The encoded transition that led here.
    pub transition: Vec<u8>,
    /// Why the account could not be judged anew; empty: it was.
    pub trouble: String,
}

/// A transition, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionRow {
    /// Its id, a UUID; of two at one moment the one that was stored later has the greater id.
    pub id: u128,
    /// Number of the segmentation.
    pub segmentation: u16,
    /// The account.
    pub uid: AccountUid,
    /// When.
    pub at: Instant,
    /// When it became known.
    pub known_at: Instant,
    /// State and segment that it led to (wire value of the state).
    pub to_state: u8,
    /// Key of the segment entered; empty unless the state is MEMBER.
    pub to_segment: String,
    /// Worth of the account in a year, minor units, to order by; 0 where it is not known.
    pub value_minor: i64,
    /// True: downward.
    pub downward: bool,
    /// False: it says that the account did not move then.
    pub is_move: bool,
    /// True: it replaces what was told of that moment before.
    pub is_correction: bool,
    /// The encoded transition.
    pub transition: Vec<u8>,
}

/// Results of segmentation that are stored in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentationCommit {
    /// The tenant.
    pub tenant: TenantId,
    /// The slice.
    pub slice: Slice,
    /// The version of the slice that the results were computed from.
    pub version: u64,
    /// The new cursor.
    pub cursor: u64,
    /// Number of the newest ingestion entry that is in the results.
    pub facts_sequence: u64,
    /// The last closed day that is in the results.
    pub closed_on: Option<Day>,
    /// New or renamed accounts.
    pub accounts: Vec<ReplicaAccount>,
    /// Memberships that changed (upserted whole).
    pub memberships: Vec<MembershipRow>,
    /// What changed, in order.
    pub transitions: Vec<TransitionRow>,
    /// Segmentations that are behind the slice.
    pub behind: Vec<Behind>,
    /// By which versions all accounts of the slice are judged.
    pub judged: Vec<Judged>,
    /// Payloads of its feed entries, in order.
    pub entries: Vec<Vec<u8>>,
}

/// Accounts by state in a segmentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentCount {
    /// Wire value of the state.
    pub state: u8,
    /// The segment; empty unless the state is MEMBER.
    pub segment: String,
    /// Accounts.
    pub accounts: u64,
}

/// Order of transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitionOrder {
    /// Newest first; of one moment by external id, then by segmentation, and within those the greater id first.
    NewestFirst,
    /// The newest move of each account in a segmentation before those that it has moved on from, up to `until` and as is known; of
    /// both, downward ones first; each kind by value, greatest first; of one value the newest first, then as [`Self::NewestFirst`].
    ValueAtRisk,
}

/// Which transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionFilter {
    /// Number of the segmentation; `None`: all.
    pub segmentation: Option<u16>,
    /// Only this account.
    pub uid: Option<AccountUid>,
    /// At or after.
    pub since: Option<Instant>,
    /// At or before.
    pub until: Option<Instant>,
    /// Known at or before.
    pub known_at: Option<Instant>,
    /// Order.
    pub order: TransitionOrder,
    /// Skip this many.
    pub offset: u64,
    /// At most this many.
    pub limit: usize,
}

/// Where a slice stands; all 0 before its first commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SliceProgress {
    /// Cursor in scoring's feed.
    pub cursor: u64,
    /// Number of the newest ingestion entry that is in the results.
    pub facts_sequence: u64,
    /// The last closed day that is in the results.
    pub closed_on: Option<Day>,
    /// Commits of the slice until now.
    pub version: u64,
    /// Segmentations that are behind the slice.
    pub behind: Vec<Behind>,
    /// By which versions all accounts of the slice are judged; of a segmentation that has memberships and is not among them, by its
    /// first.
    pub judged: Vec<Judged>,
}

/// By which version of a segmentation all accounts of a slice are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Number of the segmentation.
    pub segmentation: u16,
    /// Its version.
    pub version: u32,
}

impl Judged {
    /// Bytes of one.
    const SIZE: usize = 6;

    /// Some of them as they are stored.
    #[must_use]
    pub fn to_bytes(list: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(list.len() * Self::SIZE);
        for one in list {
            bytes.extend(one.segmentation.to_be_bytes());
            bytes.extend(one.version.to_be_bytes());
        }
        bytes
    }

    /// Some of them as they were stored.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Vec<Self> {
        let (list, _) = bytes.as_chunks::<{ Self::SIZE }>();
        let one = |[a, b, version @ ..]: &[u8; Self::SIZE]| Self {
            segmentation: u16::from_be_bytes([*a, *b]),
            version: u32::from_be_bytes(*version),
        };
        list.iter().map(one).collect()
    }
}

/// A segmentation that is behind its slice, for its segmenter has failed or is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Number of the segmentation.
    pub segmentation: u16,
    /// Its own cursor in scoring's feed.
    pub cursor: u64,
}

impl Behind {
    /// Bytes of one.
    const SIZE: usize = 10;

    /// Some of them as they are stored.
    #[must_use]
    pub fn to_bytes(list: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(list.len() * Self::SIZE);
        for one in list {
            bytes.extend(one.segmentation.to_be_bytes());
            bytes.extend(one.cursor.to_be_bytes());
        }
        bytes
    }

    /// Some of them as they were stored.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Vec<Self> {
        let (list, _) = bytes.as_chunks::<{ Self::SIZE }>();
        let one = |[a, b, cursor @ ..]: &[u8; Self::SIZE]| Self {
            segmentation: u16::from_be_bytes([*a, *b]),
            cursor: u64::from_be_bytes(*cursor),
        };
        list.iter().map(one).collect()
    }
}

/// How far all slices are, by (tenant, slice).
pub type SlicesProgress = Vec<(TenantId, Slice, SliceProgress)>;

/// Memberships and transitions.
pub trait Memberships: Send + Sync + std::fmt::Debug {
    /// Stores results and counts the slice's version up; returns the number of the newest feed entry of the slice (0 before
    /// the first). Also a commit that stays at its cursor, such as that of a new segmentation, passes once.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] when the version is not the one that the results were computed from.
    fn commit(&self, commit: SegmentationCommit) -> BoxFuture<'_, Result<u64>>;

    /// Where a slice stands.
    fn progress(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceProgress>>;

    /// The same of all slices of a tenant that something was committed of, by slice.
    fn slices(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<(Slice, SliceProgress)>>>;

    /// The same of all tenants and slices, by (tenant, slice).
    fn cursors(&self) -> BoxFuture<'_, Result<SlicesProgress>>;

    /// All present memberships of a slice, by (segmentation, uid).
    fn of_slice(&self, tenant: TenantId, slice: Slice)
    -> BoxFuture<'_, Result<Vec<MembershipRow>>>;

    /// The account of an external id.
    fn account<'a>(
        &'a self,
        tenant: TenantId,
        id: &'a ExternalId,
    ) -> BoxFuture<'a, Result<Option<ReplicaAccount>>>;

    /// Present memberships of one account, by segmentation.
    fn of_account(
        &self,
        tenant: TenantId,
        uid: AccountUid,
    ) -> BoxFuture<'_, Result<Vec<MembershipRow>>>;

    /// The newest transition, by (at, id), of one account in one segmentation with `at <= as_of` and `known_at <= known_at`.
    fn at(
        &self,
        tenant: TenantId,
        uid: AccountUid,
        segmentation: u16,
        as_of: Instant,
        known_at: Instant,
    ) -> BoxFuture<'_, Result<Option<TransitionRow>>>;

    /// Accounts of a segmentation by their newest transition with `at <= as_of` and `known_at <= known_at`, with external
    /// ids after `page.after`, by external id; only the given segments (empty: all).
    fn members_at<'a>(
        &'a self,
        tenant: TenantId,
        segmentation: u16,
        segments: &'a [String],
        moment: (Instant, Instant),
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<(ReplicaAccount, TransitionRow)>>>;

    /// Counts of a segmentation by newest transition with `at <= as_of` and `known_at <= known_at`, by (state, segment).
    fn counts_at(
        &self,
        tenant: TenantId,
        segmentation: u16,
        as_of: Instant,
        known_at: Instant,
    ) -> BoxFuture<'_, Result<Vec<SegmentCount>>>;

    /// All transitions of these accounts; those of one account in one segmentation by (at, id).
    fn histories<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>>;

    /// Who moved, by what was known: all moves, but for those of an account, a segmentation and a moment of which a correction with
    /// a greater id was known.
    fn transitions<'a>(
        &'a self,
        tenant: TenantId,
        filter: &'a TransitionFilter,
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>>;

    /// What became known at one moment of what happened at another, whatever became known later: at most so many with a greater
    /// id, by id.
    fn told(
        &self,
        tenant: TenantId,
        at: Instant,
        known_at: Instant,
        after: u128,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<TransitionRow>>>;
}
