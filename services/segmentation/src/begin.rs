//! The first evaluation of a segmentation, over all accounts. It belongs to the request that makes the segmentation; where that
//! was cut off, it is made up for as soon as the tenant is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::warn;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;
use sextant_runtime::follow::{self, Turns};
use sextant_runtime::telemetry::trace;

use crate::columns::{Columns, Of};
use crate::correct::Corrections;
use crate::engine::Engine;
use crate::evaluate::{Evaluation, Which};
use crate::follower::Features;
use crate::state::TenantState;
use crate::tenant::Writing;

/// Between attempts, at first and at most: as between those to take a feed in.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Longest pause before segmenters are asked again that have failed, as they probably will: that costs features of all accounts.
const LONGEST_OF_SEGMENTERS: Duration = Duration::from_secs(60);
/// How often it may be overtaken by another process before whoever waits is told.
const MOST_OVERTAKEN: usize = 8;
/// Tenants whose segmentations are begun at one time: features of all accounts of each are in memory.
const BEGUN_AT_ONCE: usize = 4;
/// Failures of a tenant that are remembered as told; a segmenter can say something else each time.
const MAX_TOLD: usize = 256;

/// Tenants with segmentations that may still have to be evaluated for the first time, or are behind.
#[derive(Debug, Default)]
pub(crate) struct Unbegun {
    /// With the failures that were told since they are noted.
    tenants: Mutex<BTreeMap<TenantId, BTreeSet<String>>>,
    noted: Notify,
}

impl Unbegun {
    /// Notes a tenant; false: it was noted before, and somebody is about it.
    pub(crate) fn note(&self, tenant: TenantId) -> bool {
        let mut tenants = self.locked();
        let is_new = !tenants.contains_key(&tenant);
        if is_new {
            tenants.insert(tenant, BTreeSet::new());
            self.noted.notify_one();
        }
        is_new
    }

    /// False: this failure was told since the tenant is noted, in whatever slice it was then.
    pub(crate) fn is_news(&self, tenant: TenantId, failure: &str) -> bool {
        let mut tenants = self.locked();
        let Some(told) = tenants.get_mut(&tenant) else {
            return true;
        };
        if told.len() >= MAX_TOLD {
            told.clear();
        }
        told.insert(failure.to_owned())
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<TenantId, BTreeSet<String>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Takes in all that scoring has told, and what follows from history that it is evaluating. A segmentation that is made then
    /// is of nothing before it, however far this service was behind.
    pub(crate) async fn level(&self, tenant: TenantId) -> Result<Writing, Status> {
        // Others that follow the same feed may be faster, again and again while it grows.
        for _ in 1..MOST_OVERTAKEN {
            let level = self.try_level(tenant).await;
            if !level.as_ref().is_err_and(follow::is_overtaken) {
                return level;
            }
        }
        self.try_level(tenant).await
    }

    async fn try_level(&self, tenant: TenantId) -> Result<Writing, Status> {
        let writing = self.take_in_told(tenant).await?;
        let slices = writing.iter().flat_map(|state| &state.slices);
        let evaluating = slices.filter(|(_, progress)| progress.backfilling);
        let evaluating = evaluating.map(|(slice, progress)| (*slice, progress.told_facts));
        let floor = Position::new(evaluating.collect());
        if floor.slices().is_empty() {
            return Ok(writing);
        }
        drop(writing);
        self.now(tenant, &floor).await?;
        self.take_in_told(tenant).await
    }

    async fn take_in_told(&self, tenant: TenantId) -> Result<Writing, Status> {
        let mut writing = self.load_uses(self.write(tenant).await?).await?;
        let n_slices = writing.as_ref().map_or(0, |state| state.n_slices);
        let mut turn = Turns::new(1).next().await;
        for slice in (0..n_slices).map(Slice) {
            let head = self.told_until(tenant, slice).await?;
            writing = self
                .take_in_feed(writing, (tenant, slice), head, &mut turn)
                .await?;
        }
        Ok(writing)
    }

    /// Makes up for what segmentations that are behind have missed, as far as they can be asked again. Then evaluates
    /// segmentations in the slices in which they never were, with those that another process has made since. Where
    /// scoring has told more than is taken in, following comes first, and evaluates them before what they are told of.
    pub(crate) async fn begin(&self, mut writing: Writing) -> Result<Writing, Status> {
        writing = self.load_uses(writing).await?;
        let Some(state) = writing.as_ref() else {
            return Ok(writing);
        };
        self.publish(state);
        let tenant = state.tenant;
        for (slice, number) in state.asked_again() {
            writing = self.make_up(writing, slice, number).await?;
        }
        let unbegun = writing.as_ref().map(TenantState::unbegun);
        for slice in unbegun.unwrap_or_default() {
            let Some(progress) = writing.as_ref().and_then(|state| state.slices.get(&slice)) else {
                continue;
            };
            // The clock first: what is told after that is hardly of an earlier moment.
            let now = self.now(tenant, &Position::default()).await?;
            let next = self.told(tenant, slice, progress.cursor + 1).await?;
            if next.is_some() {
                continue;
            }
            let first = Evaluation {
                slice,
                cursor: progress.cursor,
                facts_sequence: progress.facts_sequence,
                as_of: now,
                known_at: now,
                closed_on: None,
                backfilling: false,
                watermark: progress.watermark,
                recorded_at: None,
                trace: trace::of_this_span(),
                model_versions: progress.model_versions.clone(),
            };
            writing = self.begin_slice(writing, first).await?;
        }
        let is_done =
            |state: &TenantState| state.asked_again().is_empty() && state.lost().is_empty();
        if writing.as_ref().is_none_or(is_done) {
            self.unbegun.locked().remove(&tenant);
        }
        Ok(writing)
    }

    /// Evaluates segmentations that never were in the slice, if some of its accounts are about to be evaluated: as of that
    /// moment, over all of them.
    pub(crate) async fn begin_before(
        &self,
        writing: Writing,
        evaluation: &Evaluation,
        features: &Features,
    ) -> Result<Writing, Status> {
        let slice = evaluation.slice;
        let of_some = matches!(features, Features::Of(uids) if !uids.is_empty());
        match writing.as_ref() {
            Some(state) if of_some && state.is_unbegun(slice) => {
                let progress = state.slices.get(&slice).cloned().unwrap_or_default();
                let first = Evaluation {
                    cursor: progress.cursor,
                    facts_sequence: progress.facts_sequence,
                    recorded_at: None,
                    ..evaluation.clone()
                };
                self.begin_slice(writing, first).await
            },
            _ => Ok(writing),
        }
    }

    async fn begin_slice(&self, writing: Writing, first: Evaluation) -> Result<Writing, Status> {
        let Some(tenant) = writing.as_ref().map(|state| state.tenant) else {
            return Ok(writing);
        };
        let of = Of::Evaluation(&first);
        let columns = self.columns(tenant, first.slice, of, Vec::new()).await?;
        if columns.tables.iter().any(|table| table.num_rows() > 0) {
            let columns = (columns, Which::Unbegun);
            let corrections = Corrections::default();
            return self.evaluate(writing, first, corrections, columns).await;
        }
        // Without accounts there is nothing to store but that nothing is behind any more, and what would judge them.
        let progress = writing
            .as_ref()
            .and_then(|state| state.slices.get(&first.slice));
        let mut has_to_be_known = progress.is_some_and(|progress| progress.leaves_behind);
        let begin = |state: &mut TenantState| has_to_be_known |= state.begin_nobody(first.slice);
        let writing = writing.changed(begin).await;
        if !has_to_be_known {
            if let Some(state) = writing.as_ref() {
                self.publish(state);
            }
            return Ok(writing);
        }
        let nobody = (Columns::default(), Which::Unbegun);
        self.evaluate(writing, first, Corrections::default(), nobody)
            .await
    }

    /// Makes up for evaluations that were cut off or failed, until `stop`. Costs nothing while there are none.
    pub(crate) async fn keep_beginning(&self, stop: CancellationToken) {
        let mut pause = PAUSE.0;
        while !stop.is_cancelled() {
            let tenants: Vec<TenantId> = self.unbegun.locked().keys().copied().collect();
            let mut longest = LONGEST_OF_SEGMENTERS;
            let begin = tenants
                .iter()
                .map(|tenant| self.begin_if_free(*tenant).boxed());
            let mut beginning =
                stream::iter(begin.collect::<Vec<_>>()).buffer_unordered(BEGUN_AT_ONCE);
            while let Some(begun) = stop.run_until_cancelled(beginning.next()).await {
                let Some((tenant, begun)) = begun else { break };
                let Some(begun) = begun else {
                    longest = PAUSE.1;
                    continue;
                };
                self.lag.ended((tenant, None), &begun, self.clock.now());
                let Err(status) = begun else { continue };
                longest = PAUSE.1;
                if !follow::is_overtaken(&status) {
                    warn!(code = ?status.code(), message = status.message(), "a segmentation is not evaluated for the first time; trying again");
                }
            }
            drop(beginning);
            let is_open = |tenant| self.unbegun.locked().contains_key(tenant);
            if !tenants.iter().any(is_open) {
                pause = PAUSE.0;
                stop.run_until_cancelled(self.unbegun.noted.notified())
                    .await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(longest),
                () = self.unbegun.noted.notified() => {},
                () = stop.cancelled() => {},
            }
        }
    }

    /// Begins the segmentations of a tenant. `None`: it is written for so long that others would wait for that.
    async fn begin_if_free(&self, tenant: TenantId) -> (TenantId, Option<Result<(), Status>>) {
        if !self.is_free_within(tenant, PAUSE.1).await {
            return (tenant, None);
        }
        (tenant, Some(self.begin_tenant(tenant).await))
    }

    /// Begins the segmentations of a tenant; of those that are behind as long as they get on, and not all in one turn.
    async fn begin_tenant(&self, tenant: TenantId) -> Result<(), Status> {
        let mut before = None;
        loop {
            let writing = self.write(tenant).await?;
            let writing = self.begin(writing).await?;
            let reached = writing.as_ref().map(TenantState::made_up);
            if reached == before || reached.is_none_or(|(n_behind, _)| n_behind == 0) {
                return Ok(());
            }
            before = reached;
        }
    }
}

#[cfg(test)]
mod tests;
