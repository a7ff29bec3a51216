use std::time::Duration;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use crate::port::requests::Once;
use crate::port::segmentation::RevisionState;
use crate::{BoxFuture, Error, Result};

/// Bytes of code that are stored in one row.
pub const CODE_CHUNK_BYTES: usize = 1 << 20;

/// Whether a version of a segmenter can be used. The discriminants are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmenterState {
    /// It waits for an approval.
    Waiting = 1,
    /// It can be used.
    Ready = 2,
    /// It was taken out of use.
    Quarantined = 3,
    /// It is of the past.
    Retired = 4,
}

impl SegmenterState {
    /// The state of a stored number.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Waiting),
            2 => Some(Self::Ready),
            3 => Some(Self::Quarantined),
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

/// A version of a segmenter that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmenterRow {
    /// SHA-256 of its file, or of what a server says of itself, in hexadecimal digits.
    pub digest: String,
    /// Its id.
    pub segmenter_id: String,
    /// Its version.
    pub version: String,
    /// What it runs on; empty: a server.
    pub platform: String,
    /// Whether it can be used.
    pub state: SegmenterState,
    /// When it was published.
    pub published_at: Instant,
    /// The encoded rest of what is told of it.
    pub segmenter: Vec<u8>,
}

impl SegmenterRow {
    /// What is said to whoever was to put it to use.
    #[must_use]
    pub fn not_ready(&self) -> Error {
        Error::NotReady {
            what: format!("segmenter \"{}\" {}", self.segmenter_id, self.version),
        }
    }
}

/// Something that was done to a segmenter or a revision, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its number, from 1; assigned when it is stored.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// Whose segmentation it was about; `None`: the installation's catalogue.
    pub tenant: Option<TenantId>,
    /// The segmenter.
    pub segmenter_id: String,
    /// Key of the segmentation; empty: none.
    pub segmentation: String,
    /// Number of the revision, which is assigned where that is; 0: none.
    pub revision: u32,
    /// The encoded rest.
    pub event: Vec<u8>,
}

/// A change of a version's state.
#[derive(Debug, Clone)]
pub struct StateChange {
    /// The version.
    pub digest: String,
    /// States that it may be in.
    pub from: Vec<SegmenterState>,
    /// The state that it gets.
    pub to: SegmenterState,
    /// What is told of it from now on.
    pub segmenter: Vec<u8>,
    /// True: only while no revision that is not retired is of it.
    pub only_unused: bool,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Those of the catalogue and of this tenant; `None`: those of the catalogue alone.
    pub tenant: Option<TenantId>,
    /// Only of this segmenter; empty: all.
    pub segmenter_id: String,
    /// Only of this segmentation; empty: all.
    pub segmentation: String,
    /// With smaller numbers.
    pub before: u64,
    /// At most so many.
    pub limit: usize,
}

/// A segmentation's revision that is not retired, without what is its tenant's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseRow {
    /// Whose segmentation.
    pub tenant: TenantId,
    /// Number of the segmentation.
    pub segmentation: u16,
    /// Number of the revision.
    pub revision: u32,
    /// How it stands.
    pub state: RevisionState,
    /// The version of the segmenter.
    pub digest: String,
}

/// What a process of the service says of a version that it has to have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadyRow {
    /// The version; empty: it only lives.
    pub digest: String,
    /// Why it cannot be asked there; empty: it can.
    pub problem: String,
}

/// A process of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaRow {
    /// Its own id, of its start.
    pub replica: u128,
    /// How people find it, such as its host's name.
    pub name: String,
    /// The versions that it has to have.
    pub ready: Vec<ReadyRow>,
}

/// The segmenters that were published, for all tenants.
pub trait Catalogue: Send + Sync + std::fmt::Debug {
    /// Stores a version with its code (none of a server) and tells of it; false: this digest was stored before, and nothing has
    /// changed.
    ///
    /// # Errors
    /// [`crate::Error::AlreadyExists`] where another digest has its id, version and platform.
    fn publish(
        &self,
        row: SegmenterRow,
        code: Vec<u8>,
        event: EventRow,
    ) -> BoxFuture<'_, Result<bool>>;

    /// All versions, by (id, version, platform).
    fn published(&self) -> BoxFuture<'_, Result<Vec<SegmenterRow>>>;

    /// The code of a version; `None`: there is none.
    fn code<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>>>;

    /// Changes the state of a version and tells of it, once for each request, see [`Once`]; returns the answer to it. `None`: it is
    /// in another state, or used. Of a change and a use at one time the one that is stored first is known to the other.
    ///
    /// # Errors
    /// [`crate::Error::RequestIdReused`].
    fn change(
        &self,
        change: StateChange,
        event: EventRow,
        once: Once<SegmenterRow>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>>;

    /// Tells of something that changes nothing.
    fn tell(&self, event: EventRow) -> BoxFuture<'_, Result<()>>;

    /// What was done, newest first.
    fn events<'a>(&'a self, filter: &'a EventFilter) -> BoxFuture<'a, Result<Vec<EventRow>>>;

    /// Number of the newest event of all; 0: there is none. Where it stays the same, nothing has changed.
    fn newest_event(&self) -> BoxFuture<'_, Result<u64>>;

    /// Revisions of all tenants that are not retired, by (tenant, segmentation, revision).
    fn uses(&self) -> BoxFuture<'_, Result<Vec<UseRow>>>;

    /// Says how a process stands, and forgets those that have been silent for so long, by the clock of the store: those of processes
    /// may differ.
    fn beat(&self, replica: ReplicaRow, silent_for: Duration) -> BoxFuture<'_, Result<()>>;

    /// The processes that have said within a time how they stand, by id; by the clock of the store.
    fn replicas(&self, within: Duration) -> BoxFuture<'_, Result<Vec<ReplicaRow>>>;
}
