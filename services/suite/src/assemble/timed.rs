//! A store whose operations are timed: the same ports over any engine.

use std::sync::Arc;
use std::time::Duration;

use sextant_domain::id::{AccountKey, AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::position::Head;
use sextant_domain::time::{Day, Instant};
use sextant_runtime::telemetry::{Label, Meters, Metric};
use sextant_store::port::{
    AccountFactRow, AccountRow, Accounts, Activation, AllMovesProgress, Catalogue, Committed,
    EventFilter, EventRow, EventTypeRow, FactBatch, FactEntry, FactVersion, Facts, Feed, FeedEntry,
    HeldRow, Import, Intake, KeyRow, Keys, MembershipRow, Memberships, Metrics, MetricsCommit,
    ModelRow, MonthRow, MoveRow, MovesProgress, Once, Page, PlaceStep, PlaceWord, Places,
    RejectionFilter, RejectionRow, Replica, ReplicaAccount, ReplicaRow, Request, RevisionRow,
    Scoring, ScoringCommit, SegmentCount, SegmentationCommit, SegmentationRow, Segmentations,
    SegmenterRow, SliceCursors, SliceHeads, SliceProgress, SliceState, SliceStates, SlicesProgress,
    SourceRow, StateChange, TenantRow, Tenants, TimelineQuery, TimelineRow, TransitionFilter,
    TransitionRow, UseRow,
};
use sextant_store::{BoxFuture, Result};

/// An engine whose operations are timed.
#[derive(Debug)]
pub(super) struct Timed<E> {
    engine: Arc<E>,
    service: &'static str,
    meters: Meters,
}

impl<E: Send + Sync> Timed<E> {
    /// Times the operations of a service's store.
    pub(super) fn new(engine: Arc<E>, service: &'static str, meters: &Meters) -> Self {
        Self {
            engine,
            service,
            meters: meters.clone(),
        }
    }

    fn time<'a, T: 'a>(
        &'a self,
        operation: &'static str,
        work: BoxFuture<'a, T>,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            let labels = [Label::Service(self.service), Label::Operation(operation)];
            self.meters.time(Metric::StoreDuration, &labels, work).await
        })
    }
}

/// Passes each operation of a port on and times it.
macro_rules! timed {
    ($($port:ident { $($operation:ident<$life:lifetime>($($given:ident: $type:ty),*) -> $answer:ty;)* })*) => { $(
        impl<E: $port> $port for Timed<E> { $(
            fn $operation<$life>(&$life self, $($given: $type),*) -> BoxFuture<$life, Result<$answer>> {
                let work = self.engine.$operation($($given),*);
                self.time(concat!(stringify!($port), ".", stringify!($operation)), work)
            }
        )* }
    )* };
}

timed! {
    Facts {
        commit<'a>(batch: FactBatch) -> Committed;
        release<'a>(call: FactBatch) -> SliceHeads;
    }
    Places {
        cursors<'a>() -> SliceCursors;
        follow<'a>(step: PlaceStep) -> bool;
        words<'a>(tenant: TenantId, keys: &'a [AccountKey]) -> Vec<PlaceWord>;
        event_types<'a>(tenant: TenantId, page: &'a Page) -> Vec<EventTypeRow>;
    }
    Feed {
        heads<'a>() -> Vec<Head>;
        heads_of<'a>(tenant: TenantId) -> SliceHeads;
        entries<'a>(tenant: TenantId, slice: Slice, after: u64, limit: usize) -> Vec<FeedEntry>;
    }
    Tenants {
        create<'a>(tenant: &'a TenantRow, once: Once<TenantRow>) -> Vec<u8>;
        by_id<'a>(tenant: TenantId) -> Option<TenantRow>;
        by_name<'a>(name: &'a str) -> Option<TenantRow>;
        list<'a>(page: &'a Page) -> Vec<TenantRow>;
        mark_import<'a>(tenant: TenantId, mark: Import, once: Once<SliceHeads>) -> Option<Vec<u8>>;
        advance_clock<'a>(tenant: TenantId, to: Instant, once: Once<SliceHeads>) -> Option<Vec<u8>>;
    }
    Keys {
        create<'a>(key: &'a KeyRow, once: Once<KeyRow>) -> Vec<u8>;
        by_id<'a>(key_id: &'a str) -> Option<KeyRow>;
        list<'a>(tenant: Option<TenantId>, page: &'a Page) -> Vec<KeyRow>;
        revoke<'a>(tenant: Option<TenantId>, key_id: &'a str, once: Once<KeyRow>) -> Option<Vec<u8>>;
    }
    Accounts {
        resolve<'a>(tenant: TenantId, ids: &'a [ExternalId]) -> Vec<AccountRow>;
        list<'a>(tenant: TenantId, page: &'a Page) -> Vec<AccountRow>;
        versions<'a>(tenant: TenantId, uids: &'a [AccountUid]) -> Vec<FactVersion>;
        timeline<'a>(tenant: TenantId, query: &'a TimelineQuery) -> Vec<TimelineRow>;
    }
    Intake {
        fact_entries<'a>(tenant: TenantId, slice: Slice, after: u64, max_bytes: usize) -> Vec<FactEntry>;
        rejections<'a>(tenant: TenantId, filter: &'a RejectionFilter, before: Option<u64>, limit: usize) -> Vec<RejectionRow>;
        rejections_by<'a>(tenant: TenantId, ordinals: &'a [u64]) -> Vec<RejectionRow>;
        remove_rejections<'a>(tenant: TenantId, ordinals: &'a [u64]) -> ();
        held<'a>(tenant: TenantId, after: u64, limit: usize) -> Vec<HeldRow>;
        sources<'a>(tenant: TenantId, page: &'a Page) -> Vec<SourceRow>;
    }
    Replica {
        cursor<'a>(tenant: TenantId, slice: Slice) -> u64;
        cursors<'a>() -> SliceCursors;
        accounts<'a>(tenant: TenantId, slice: Slice) -> Vec<ReplicaAccount>;
        facts<'a>(tenant: TenantId, slice: Slice) -> Vec<AccountFactRow>;
    }
    Scoring {
        commit<'a>(commit: ScoringCommit) -> u64;
        state<'a>(tenant: TenantId, slice: Slice) -> SliceState;
        states<'a>() -> SliceStates;
        months<'a>(tenant: TenantId, slice: Slice) -> Vec<MonthRow>;
        models<'a>(tenant: TenantId, before: Option<Day>, limit: usize) -> Vec<ModelRow>;
    }
    Segmentations {
        create<'a>(
            tenant: TenantId, row: &'a SegmentationRow, first: &'a RevisionRow, once: Once<SegmentationRow>
        ) -> Vec<u8>;
        propose<'a>(
            tenant: TenantId, row: &'a RevisionRow, event: EventRow, once: Once<RevisionRow>
        ) -> Vec<u8>;
        activate<'a>(
            tenant: TenantId, activation: &'a Activation, event: EventRow, once: Once<SegmentationRow>
        ) -> Option<Vec<u8>>;
        keep_shadow<'a>(tenant: TenantId, segmentation: u16, revision: u32, shadow: Vec<u8>) -> ();
        answered<'a>(request: &'a Request) -> Option<Vec<u8>>;
        keep_state<'a>(tenant: TenantId, digest: &'a str, state: Vec<u8>) -> ();
        state<'a>(tenant: TenantId, digest: &'a str) -> Option<Vec<u8>>;
        revisions<'a>(tenant: TenantId, segmentation: u16, before: u32, limit: usize) -> Vec<RevisionRow>;
        all<'a>(tenant: TenantId) -> Vec<SegmentationRow>;
    }
    Memberships {
        commit<'a>(commit: SegmentationCommit) -> u64;
        progress<'a>(tenant: TenantId, slice: Slice) -> SliceProgress;
        slices<'a>(tenant: TenantId) -> Vec<(Slice, SliceProgress)>;
        cursors<'a>() -> SlicesProgress;
        of_slice<'a>(tenant: TenantId, slice: Slice) -> Vec<MembershipRow>;
        account<'a>(tenant: TenantId, id: &'a ExternalId) -> Option<ReplicaAccount>;
        of_account<'a>(tenant: TenantId, uid: AccountUid) -> Vec<MembershipRow>;
        at<'a>(
            tenant: TenantId, uid: AccountUid, segmentation: u16, as_of: Instant, known_at: Instant
        ) -> Option<TransitionRow>;
        members_at<'a>(
            tenant: TenantId, segmentation: u16, segments: &'a [String], moment: (Instant, Instant), page: &'a Page
        ) -> Vec<(ReplicaAccount, TransitionRow)>;
        counts_at<'a>(tenant: TenantId, segmentation: u16, as_of: Instant, known_at: Instant) -> Vec<SegmentCount>;
        histories<'a>(tenant: TenantId, uids: &'a [AccountUid]) -> Vec<TransitionRow>;
        transitions<'a>(tenant: TenantId, filter: &'a TransitionFilter) -> Vec<TransitionRow>;
        told<'a>(tenant: TenantId, at: Instant, known_at: Instant, after: u128, limit: usize) -> Vec<TransitionRow>;
    }
    Catalogue {
        publish<'a>(row: SegmenterRow, code: Vec<u8>, event: EventRow) -> bool;
        published<'a>() -> Vec<SegmenterRow>;
        code<'a>(digest: &'a str) -> Option<Vec<u8>>;
        change<'a>(change: StateChange, event: EventRow, once: Once<SegmenterRow>) -> Option<Vec<u8>>;
        tell<'a>(event: EventRow) -> ();
        events<'a>(filter: &'a EventFilter) -> Vec<EventRow>;
        newest_event<'a>() -> u64;
        uses<'a>() -> Vec<UseRow>;
        beat<'a>(replica: ReplicaRow, silent_for: Duration) -> ();
        replicas<'a>(within: Duration) -> Vec<ReplicaRow>;
    }
    Metrics {
        commit<'a>(commit: MetricsCommit) -> ();
        moves_progress<'a>(tenant: TenantId, slice: Slice) -> MovesProgress;
        all_moves_progress<'a>() -> AllMovesProgress;
        moves<'a>(tenant: TenantId, slice: Slice) -> Vec<MoveRow>;
    }
}
