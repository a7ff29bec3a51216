//! The ports by which services commit, with a death in front of them.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::time::{Day, Instant};
use sextant_store::port::{
    Activation, AllMovesProgress, Committed, EventRow, FactBatch, Facts, Import, KeyRow, Keys,
    MembershipRow, Memberships, Metrics, MetricsCommit, ModelRow, MonthRow, MoveRow, MovesProgress,
    Once, Page, ReplicaAccount, Request, RevisionRow, Scoring, ScoringCommit, SegmentCount,
    SegmentationCommit, SegmentationRow, Segmentations, SliceHeads, SliceProgress, SliceState,
    SliceStates, SlicesProgress, TenantRow, Tenants, TransitionFilter, TransitionRow,
};
use sextant_store::{BoxFuture, Result};

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing is stored.
    Before,
    /// Everything is stored, and nobody was told.
    After,
}

/// A port whose process dies at its first commit.
#[derive(Debug)]
pub(crate) struct Dying<P: ?Sized> {
    port: Arc<P>,
    moment: Moment,
}

impl<P: ?Sized> Dying<P> {
    pub(crate) fn new(port: &Arc<P>, moment: Moment) -> Self {
        Self {
            port: Arc::clone(port),
            moment,
        }
    }

    /// A commit that is not survived; one that stores nothing is.
    fn dies_at<'a, T: Send + 'a>(
        &self,
        commit: BoxFuture<'a, Result<T>>,
        stores: impl FnOnce(&T) -> bool + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        let moment = self.moment;
        Box::pin(async move {
            if moment == Moment::Before {
                process::abort();
            }
            let done = commit.await;
            if done.as_ref().is_ok_and(stores) {
                process::abort();
            }
            done
        })
    }

    /// A change that is made once for each request. It dies within the transaction or after it; a request that was answered
    /// before changes nothing, and is survived.
    fn dies_once<'a, T: 'static, A: Send + 'a>(
        &self,
        once: Once<T>,
        change: impl FnOnce(Once<T>) -> BoxFuture<'a, Result<A>>,
    ) -> BoxFuture<'a, Result<A>> {
        let moment = self.moment;
        let made = Arc::new(AtomicBool::new(false));
        let is_made = Arc::clone(&made);
        let watched = Once::new(once.request.clone(), move |row: &T| {
            if moment == Moment::Before {
                process::abort();
            }
            is_made.store(true, Ordering::Relaxed);
            once.answer(row)
        });
        let change = change(watched);
        Box::pin(async move {
            let done = change.await;
            if done.is_ok() && made.load(Ordering::Relaxed) {
                process::abort();
            }
            done
        })
    }
}

/// Passes operations of a port on that store nothing.
macro_rules! passed_on {
    ($($operation:ident<$life:lifetime>($($given:ident: $type:ty),*) -> $answer:ty;)*) => { $(
        fn $operation<$life>(&$life self, $($given: $type),*) -> BoxFuture<$life, Result<$answer>> {
            self.port.$operation($($given),*)
        }
    )* };
}

impl Facts for Dying<dyn Facts> {
    fn commit(&self, batch: FactBatch) -> BoxFuture<'_, Result<Committed>> {
        self.dies_at(self.port.commit(batch), |done| !done.heads.is_empty())
    }

    fn release(&self, call: FactBatch) -> BoxFuture<'_, Result<SliceHeads>> {
        self.dies_at(self.port.release(call), |heads| !heads.is_empty())
    }
}

impl Tenants for Dying<dyn Tenants> {
    fn create<'a>(
        &'a self,
        tenant: &'a TenantRow,
        once: Once<TenantRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        self.dies_once(once, |once| self.port.create(tenant, once))
    }

    fn mark_import(
        &self,
        tenant: TenantId,
        mark: Import,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.dies_once(once, |once| self.port.mark_import(tenant, mark, once))
    }

    fn advance_clock(
        &self,
        tenant: TenantId,
        to: Instant,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.dies_once(once, |once| self.port.advance_clock(tenant, to, once))
    }

    passed_on! {
        by_id<'a>(tenant: TenantId) -> Option<TenantRow>;
        by_name<'a>(name: &'a str) -> Option<TenantRow>;
        list<'a>(page: &'a Page) -> Vec<TenantRow>;
    }
}

impl Keys for Dying<dyn Keys> {
    fn create<'a>(&'a self, key: &'a KeyRow, once: Once<KeyRow>) -> BoxFuture<'a, Result<Vec<u8>>> {
        self.dies_once(once, |once| self.port.create(key, once))
    }

    fn revoke<'a>(
        &'a self,
        tenant: Option<TenantId>,
        key_id: &'a str,
        once: Once<KeyRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        self.dies_once(once, |once| self.port.revoke(tenant, key_id, once))
    }

    passed_on! {
        by_id<'a>(key_id: &'a str) -> Option<KeyRow>;
        list<'a>(tenant: Option<TenantId>, page: &'a Page) -> Vec<KeyRow>;
    }
}

impl Scoring for Dying<dyn Scoring> {
    fn commit(&self, commit: ScoringCommit) -> BoxFuture<'_, Result<u64>> {
        self.dies_at(self.port.commit(commit), |_| true)
    }

    passed_on! {
        state<'a>(tenant: TenantId, slice: Slice) -> SliceState;
        states<'a>() -> SliceStates;
        months<'a>(tenant: TenantId, slice: Slice) -> Vec<MonthRow>;
        models<'a>(tenant: TenantId, before: Option<Day>, limit: usize) -> Vec<ModelRow>;
    }
}

impl Segmentations for Dying<dyn Segmentations> {
    fn create<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a SegmentationRow,
        first: &'a RevisionRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        self.dies_once(once, |once| self.port.create(tenant, row, first, once))
    }

    fn propose<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a RevisionRow,
        event: EventRow,
        once: Once<RevisionRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        self.dies_once(once, |once| self.port.propose(tenant, row, event, once))
    }

    fn activate<'a>(
        &'a self,
        tenant: TenantId,
        activation: &'a Activation,
        event: EventRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        self.dies_once(once, |once| {
            self.port.activate(tenant, activation, event, once)
        })
    }

    passed_on! {
        keep_shadow<'a>(tenant: TenantId, segmentation: u16, revision: u32, shadow: Vec<u8>) -> ();
        answered<'a>(request: &'a Request) -> Option<Vec<u8>>;
        keep_state<'a>(tenant: TenantId, digest: &'a str, state: Vec<u8>) -> ();
        state<'a>(tenant: TenantId, digest: &'a str) -> Option<Vec<u8>>;
        revisions<'a>(tenant: TenantId, segmentation: u16, before: u32, limit: usize) -> Vec<RevisionRow>;
        all<'a>(tenant: TenantId) -> Vec<SegmentationRow>;
    }
}

impl Memberships for Dying<dyn Memberships> {
    fn commit(&self, commit: SegmentationCommit) -> BoxFuture<'_, Result<u64>> {
        self.dies_at(self.port.commit(commit), |_| true)
    }

    passed_on! {
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
    }

    fn told(
        &self,
        tenant: TenantId,
        at: Instant,
        known_at: Instant,
        after: u128,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<TransitionRow>>> {
        self.port.told(tenant, at, known_at, after, limit)
    }
}

impl Metrics for Dying<dyn Metrics> {
    fn commit(&self, commit: MetricsCommit) -> BoxFuture<'_, Result<()>> {
        self.dies_at(self.port.commit(commit), |()| true)
    }

    passed_on! {
        moves_progress<'a>(tenant: TenantId, slice: Slice) -> MovesProgress;
        all_moves_progress<'a>() -> AllMovesProgress;
        moves<'a>(tenant: TenantId, slice: Slice) -> Vec<MoveRow>;
    }
}
