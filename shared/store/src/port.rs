//! The ports: what each service asks of its store.

mod facts;
mod feed;
mod ingestion;
mod metrics;
mod replica;
mod scoring;
mod segmentation;

pub use facts::{Committed, FactBatch, Facts, NewFact, NewRejection, Outcome};
pub use feed::{Feed, FeedEntry, Head};
pub use ingestion::{
    AccountRow, Accounts, FactEntry, FactVersion, HeldRow, Import, Intake, KeyRow, Keys, RejectionRow, SourceCount, StoredFact, TenantRow, Tenants,
};
pub use metrics::{Metrics, MetricsCommit, MoveRow};
pub use replica::{AccountFactRow, Page, Replica, ReplicaAccount, ReplicaCommit};
pub use scoring::{EvaluationRow, ModelRow, MonthRow, Scoring, ScoringCommit, SliceState};
pub use segmentation::{
    MembershipRow, Memberships, SegmentCount, SegmentationRow, SegmentationCommit, Segmentations, TransitionFilter, TransitionOrder, TransitionRow,
};
