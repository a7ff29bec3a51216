//! The ports: what each service asks of its store.

mod catalogue;
mod facts;
mod feed;
mod ingestion;
mod metrics;
mod places;
mod replica;
mod requests;
mod scoring;
mod segmentation;
mod timeline;
mod writable;

pub use catalogue::{
    CODE_CHUNK_BYTES, Catalogue, EventFilter, EventRow, ReadyRow, ReplicaRow, SegmenterRow,
    SegmenterState, StateChange, UseRow,
};
pub use facts::{
    Arrival, Committed, FactBatch, Facts, MAX_ENTRY_BYTES, MAX_RELEASED, MAX_RELEASED_BYTES,
    NewFact, NewRejection, Outcome, RejectionKey,
};
pub use feed::{Feed, FeedEntry, SliceHeads, Trace};
pub use ingestion::{
    AccountRow, Accounts, FactEntry, FactVersion, HOURS_KEPT, HeldRow, Import, Intake, KeyRow,
    Keys, RejectionFilter, RejectionRow, SourceRow, StoredFact, TenantRow, Tenants,
};
pub use metrics::{AllMovesProgress, Metrics, MetricsCommit, MoveRow, MovesProgress};
pub use places::{EventPlace, EventTypeRow, MAX_EVENT_TYPES, PlaceStep, PlaceWord, Places};
pub use replica::{AccountFactRow, Page, Replica, ReplicaAccount, ReplicaCommit, SliceCursors};
pub use requests::{MAX_REQUESTS_REMOVED, Once, REQUESTS_KEPT_US, Request, same_request};
pub use scoring::{
    EvaluationRow, ModelRow, MonthRow, Scoring, ScoringCommit, SliceState, SliceStates,
};
pub use segmentation::{
    Activation, Behind, Judged, MembershipRow, Memberships, RevisionRow, RevisionState,
    SegmentCount, SegmentationCommit, SegmentationRow, Segmentations, SliceProgress,
    SlicesProgress, TransitionFilter, TransitionOrder, TransitionRow,
};
pub use timeline::{FactAddress, TimelinePlace, TimelineQuery, TimelineRow, week_of};
pub use writable::Writable;
