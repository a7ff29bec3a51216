//! The ports by which services commit, with a death in front of them.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::time::{Day, Instant};
use sextant_store::port::{
    Committed, FactBatch, Facts, Import, MembershipRow, Memberships, Metrics, MetricsCommit,
    ModelRow, MonthRow, MoveRow, MovesCursors, Once, Page, ReplicaAccount, Scoring, ScoringCommit,
    SegmentCount, SegmentationCommit, SliceHeads, SliceProgress, SliceState, SliceStates,
    SlicesProgress, TenantRow, Tenants, TransitionFilter, TransitionRow,
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
}

/// The same change, and whether it was made: a request that was answered before gives its answer and stores nothing.
fn watched(once: Once<SliceHeads>) -> (Once<SliceHeads>, Arc<AtomicBool>) {
    let made = Arc::new(AtomicBool::new(false));
    let is_made = Arc::clone(&made);
    let watched = Once::new(once.request.clone(), move |heads| {
        is_made.store(true, Ordering::Relaxed);
        once.answer(heads)
    });
    (watched, made)
}

impl Facts for Dying<dyn Facts> {
    fn commit(&self, batch: FactBatch) -> BoxFuture<'_, Result<Committed>> {
        self.dies_at(self.port.commit(batch), |done| !done.heads.is_empty())
    }
}

impl Tenants for Dying<dyn Tenants> {
    fn create<'a>(
        &'a self,
        tenant: &'a TenantRow,
        once: Once<TenantRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        self.port.create(tenant, once)
    }

    fn by_id(&self, tenant: TenantId) -> BoxFuture<'_, Result<Option<TenantRow>>> {
        self.port.by_id(tenant)
    }

    fn by_name<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TenantRow>>> {
        self.port.by_name(name)
    }

    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<TenantRow>>> {
        self.port.list(page)
    }

    fn mark_import(
        &self,
        tenant: TenantId,
        mark: Import,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        let (once, made) = watched(once);
        let marked = self.port.mark_import(tenant, mark, once);
        self.dies_at(marked, move |_| made.load(Ordering::Relaxed))
    }

    fn advance_clock(
        &self,
        tenant: TenantId,
        to: Instant,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        let (once, made) = watched(once);
        let moved = self.port.advance_clock(tenant, to, once);
        self.dies_at(moved, move |_| made.load(Ordering::Relaxed))
    }
}

impl Scoring for Dying<dyn Scoring> {
    fn commit(&self, commit: ScoringCommit) -> BoxFuture<'_, Result<u64>> {
        self.dies_at(self.port.commit(commit), |_| true)
    }

    fn state(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceState>> {
        self.port.state(tenant, slice)
    }

    fn states(&self) -> BoxFuture<'_, Result<SliceStates>> {
        self.port.states()
    }

    fn months(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MonthRow>>> {
        self.port.months(tenant, slice)
    }

    fn models(
        &self,
        tenant: TenantId,
        before: Option<Day>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ModelRow>>> {
        self.port.models(tenant, before, limit)
    }
}

impl Memberships for Dying<dyn Memberships> {
    fn commit(&self, commit: SegmentationCommit) -> BoxFuture<'_, Result<u64>> {
        self.dies_at(self.port.commit(commit), |_| true)
    }

    fn progress(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceProgress>> {
        self.port.progress(tenant, slice)
    }

    fn cursors(&self) -> BoxFuture<'_, Result<SlicesProgress>> {
        self.port.cursors()
    }

    fn of_slice(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<Vec<MembershipRow>>> {
        self.port.of_slice(tenant, slice)
    }

    fn account<'a>(
        &'a self,
        tenant: TenantId,
        id: &'a ExternalId,
    ) -> BoxFuture<'a, Result<Option<ReplicaAccount>>> {
        self.port.account(tenant, id)
    }

    fn of_account(
        &self,
        tenant: TenantId,
        uid: AccountUid,
    ) -> BoxFuture<'_, Result<Vec<MembershipRow>>> {
        self.port.of_account(tenant, uid)
    }

    fn at(
        &self,
        tenant: TenantId,
        uid: AccountUid,
        segmentation: u16,
        as_of: Instant,
        known_at: Instant,
    ) -> BoxFuture<'_, Result<Option<TransitionRow>>> {
        self.port.at(tenant, uid, segmentation, as_of, known_at)
    }

    fn members_at<'a>(
        &'a self,
        tenant: TenantId,
        segmentation: u16,
        segments: &'a [String],
        moment: (Instant, Instant),
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<(ReplicaAccount, TransitionRow)>>> {
        self.port
            .members_at(tenant, segmentation, segments, moment, page)
    }

    fn counts_at(
        &self,
        tenant: TenantId,
        segmentation: u16,
        as_of: Instant,
        known_at: Instant,
    ) -> BoxFuture<'_, Result<Vec<SegmentCount>>> {
        self.port.counts_at(tenant, segmentation, as_of, known_at)
    }

    fn histories<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>> {
        self.port.histories(tenant, uids)
    }

    fn transitions<'a>(
        &'a self,
        tenant: TenantId,
        filter: &'a TransitionFilter,
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>> {
        self.port.transitions(tenant, filter)
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

    fn moves_cursor(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<(u64, u64)>> {
        self.port.moves_cursor(tenant, slice)
    }

    fn moves_cursors(&self) -> BoxFuture<'_, Result<MovesCursors>> {
        self.port.moves_cursors()
    }

    fn moves(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MoveRow>>> {
        self.port.moves(tenant, slice)
    }
}
