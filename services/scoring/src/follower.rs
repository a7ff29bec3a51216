//! Following ingestion's feed, and closing days when they are due.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::OwnedRwLockWriteGuard;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::warn;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::scoring::v1 as pb;
use sextant_runtime::follow::{Follower, Head, Heads, patient};
use sextant_store::port::{EvaluationRow, ScoringCommit, SliceState};
use sextant_wire::read::{uid_bytes, uuid};
use sextant_wire::status::{Problem, store};

use crate::apply::Changes;
use crate::engine::Engine;
use crate::state::TenantState;

type Writing = OwnedRwLockWriteGuard<Option<TenantState>>;

impl Follower for Engine {
    fn feed(&self) -> &'static str {
        "ingestion"
    }

    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>> {
        async move {
            let heads = self
                .facts()
                .watch_heads(ingestion::WatchHeadsRequest {})
                .await?
                .into_inner();
            let starts = Arc::clone(&self.starts);
            Ok(heads
                .map(move |answer| {
                    let heads: Vec<Head> =
                        answer?.heads.iter().map(head).collect::<Result<_, _>>()?;
                    starts.note(&heads);
                    Ok(heads)
                })
                .boxed())
        }
        .boxed()
    }

    fn catch_up(
        &self,
        tenant: TenantId,
        slice: Slice,
        head: u64,
    ) -> BoxFuture<'_, Result<u64, Status>> {
        async move {
            let stored = self.replica.cursor(tenant, slice).await.map_err(store)?;
            if stored >= head {
                self.level(tenant, slice, stored).await?;
                return Ok(stored);
            }
            let cell = self.cell(tenant);
            let writing = Arc::clone(&cell.state).write_owned().await;
            self.take_in_feed(writing, (tenant, slice), head).await
        }
        .boxed()
    }
}

fn head(head: &ingestion::FeedHead) -> Result<Head, Status> {
    let slice = u16::try_from(head.slice)
        .map_err(|_too_large| Problem::new(ErrorReason::Internal, "slice is out of range"))?;
    Ok(Head {
        tenant: TenantId(uuid(&head.tenant_id, "tenant_id")?),
        slice: Slice(slice),
        sequence: head.sequence,
    })
}

/// What one answer of the feed led to.
struct TakenIn {
    writing: Writing,
    commit: ScoringCommit,
}

impl Engine {
    /// Everything is stored, by this process or by another one: what is in memory is dropped if it is behind, and results can
    /// be read unless history still has to be evaluated.
    async fn level(&self, tenant: TenantId, slice: Slice, stored: u64) -> Result<(), Status> {
        let known = self.scoring.state(tenant, slice).await.map_err(store)?;
        if let Some(cell) = self.known_cell(tenant) {
            let mut state = cell.state.write().await;
            let in_memory = state.as_ref().and_then(|state| state.slices.get(&slice));
            if in_memory.is_some_and(|progress| progress.state.version < known.version) {
                *state = None;
            }
        }
        // Who stored it may not live to close what follows from it.
        self.due.set_no_later(tenant, earliest_close(&known));
        if known.pending_history.is_none() {
            self.progress.reach(tenant, slice, stored);
        }
        Ok(())
    }

    async fn take_in_feed(
        &self,
        mut writing: Writing,
        (tenant, slice): (TenantId, Slice),
        head: u64,
    ) -> Result<u64, Status> {
        if writing.is_none() {
            *writing = Some(self.load(tenant).await?);
        }
        loop {
            let cursor = writing
                .as_ref()
                .and_then(|state| state.slices.get(&slice))
                .map_or(0, |progress| progress.cursor);
            if cursor >= head {
                return self
                    .close_days_or_again(tenant, writing)
                    .await
                    .map(|()| cursor);
            }
            let request = ingestion::ReadFactsRequest {
                tenant_id: tenant.0.to_be_bytes().to_vec().into(),
                slice: slice.0.into(),
                after_sequence: cursor,
            };
            let mut answer = self
                .facts()
                .read_facts(patient(request))
                .await?
                .into_inner();
            let mark = first_run(&mut answer.entries);
            if answer.entries.is_empty() {
                return self
                    .close_days_or_again(tenant, writing)
                    .await
                    .map(|()| cursor);
            }
            let now = self.clock.now();
            let work = tokio::task::spawn_blocking(move || take_in(writing, slice, &answer, now));
            let taken = work.await.map_err(|_panicked| {
                Problem::new(ErrorReason::Internal, "feed could not be taken in")
            })??;
            writing = self.store(taken.writing, vec![taken.commit]).await?;
            if let Some(mark) = mark {
                return self
                    .close_days_or_again(tenant, writing)
                    .await
                    .map(|()| mark);
            }
        }
    }

    /// Stores results. When that fails, the state in memory is ahead of the store and is dropped.
    async fn store(
        &self,
        mut writing: Writing,
        commits: Vec<ScoringCommit>,
    ) -> Result<Writing, Status> {
        for commit in commits {
            let (tenant, slice, cursor) = (
                commit.replica.tenant,
                commit.replica.slice,
                commit.replica.cursor,
            );
            let pending = commit.state.pending_history.is_some();
            match self.scoring.commit(commit).await {
                Ok(sequence) => {
                    let state = writing.as_mut();
                    if let Some(known) = state.and_then(|state| state.slices.get_mut(&slice)) {
                        known.state.version += 1;
                    }
                    self.heads.publish([Head {
                        tenant,
                        slice,
                        sequence,
                    }]);
                    if !pending {
                        self.progress.reach(tenant, slice, cursor);
                    }
                },
                Err(error) => {
                    *writing = None;
                    return Err(store(error));
                },
            }
        }
        Ok(writing)
    }

    /// Closes every day that is due. What could not be stored is taken up again at once, and from then on every minute.
    async fn close_days_or_again(&self, tenant: TenantId, writing: Writing) -> Result<(), Status> {
        let closed = self.close_days(writing).await;
        if closed.is_err() {
            self.due.set(tenant, Some(self.clock.now().0));
        }
        closed
    }

    /// Closes every day that is due, unless facts of another slice are missing: then that slice closes when it has them.
    pub(crate) async fn close_days(&self, mut writing: Writing) -> Result<(), Status> {
        let real = self.clock.now();
        if let Some(state) = writing.as_ref()
            && self.starts.are_ahead_of(state)
        {
            self.due.set(state.tenant, None);
            return Ok(());
        }
        loop {
            let work = tokio::task::spawn_blocking(move || {
                let closes = writing
                    .as_ref()
                    .and_then(|state| state.next_closes(state.now(real)));
                (writing, closes)
            });
            let (held, closes) = work.await.map_err(|_panicked| {
                Problem::new(ErrorReason::Internal, "day could not be closed")
            })?;
            writing = held;
            let Some(mut closes) = closes else { break };
            let commits = closes.commits.clone();
            writing = self.store(writing, commits).await?;
            if let Some(state) = writing.as_mut() {
                closes
                    .commits
                    .iter_mut()
                    .for_each(|commit| commit.evaluations.clear());
                let complete = closes.complete;
                state.closed(closes);
                if complete {
                    break;
                }
            }
        }
        if let Some(state) = writing.as_ref() {
            self.due
                .set(state.tenant, state.next_due(real).map(|at| at.0));
        }
        Ok(())
    }

    /// Closes days of tenants on the real clock as they pass. Each tenant is one entry in a table of next closes: an idle one
    /// costs one look a day.
    pub(crate) async fn keep_closing(self: Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            () = self.starts.heard() => {},
            () = stop.cancelled() => return,
        }
        while let Err(error) = self.plan_closes().await {
            warn!(%error, "closes are not planned yet; trying again");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {},
                () = stop.cancelled() => return,
            }
        }
        while !stop.is_cancelled() {
            let wait = self
                .due
                .next()
                .map_or(Duration::from_secs(3600), |(at_us, _)| {
                    Duration::from_micros(
                        u64::try_from(at_us.saturating_sub(self.clock.now().0)).unwrap_or(0),
                    )
                });
            tokio::select! {
                () = tokio::time::sleep(wait) => self.close_next().await,
                () = self.due.changed.notified() => {},
                () = stop.cancelled() => {},
            }
        }
    }

    async fn close_next(&self) {
        let now = self.clock.now();
        let Some((at_us, tenant)) = self.due.next().filter(|(at_us, _)| *at_us <= now.0) else {
            return;
        };
        let cell = self.cell(tenant);
        let mut writing = Arc::clone(&cell.state).write_owned().await;
        let closed = async {
            if writing.is_none() {
                *writing = Some(self.load(tenant).await?);
            }
            self.close_days(writing).await
        };
        if let Err(status) = closed.await {
            warn!(code = ?status.code(), message = status.message(), "days of a tenant are not closed; trying again in a minute");
            self.due.set(tenant, Some(at_us.max(now.0) + 60_000_000));
        }
    }

    /// After a start: tenants with unfinished history, without a close and on a fixed clock at once, the others when their next
    /// day can have passed anywhere on earth; then their own zone decides.
    async fn plan_closes(&self) -> Result<(), sextant_store::Error> {
        for (tenant, _, state) in self.scoring.states().await? {
            self.due.set_no_later(tenant, earliest_close(&state));
        }
        Ok(())
    }
}

/// The earliest moment at which a day of a slice can have to be closed, microseconds since 1970; 0: perhaps now.
fn earliest_close(state: &SliceState) -> i64 {
    const AHEAD_OF_UTC_US: i64 = 14 * 3_600_000_000;
    match state.closed_on {
        Some(closed) if state.pending_history.is_none() && state.clock.is_none() => {
            Zone::utc().start_of(closed.plus(2)).0 - AHEAD_OF_UTC_US
        },
        _ => 0,
    }
}

/// Cuts entries down to those that are taken in together: facts up to a mark, or one mark, whose number is returned. What a
/// mark brings about, such as the closes on the way of a moved clock, comes before the facts behind it, however far the
/// feed is ahead.
fn first_run(entries: &mut Vec<ingestion::FeedEntry>) -> Option<u64> {
    let is_mark = |entry: &ingestion::FeedEntry| entry.import.is_some() || entry.clock.is_some();
    match entries.iter().position(is_mark) {
        Some(0) => {
            entries.truncate(1);
            entries.first().map(|mark| mark.sequence)
        },
        Some(facts) => {
            entries.truncate(facts);
            None
        },
        None => None,
    }
}

/// Takes one answer of the feed in and prepares its commit.
fn take_in(
    mut writing: Writing,
    slice: Slice,
    answer: &ingestion::ReadFactsResponse,
    real: Instant,
) -> Result<TakenIn, Problem> {
    let commit = match writing.as_mut() {
        Some(state) => prepare(state, slice, answer, real),
        None => Err(Problem::new(
            ErrorReason::Unavailable,
            "the tenant is being loaded again; try again",
        )),
    };
    match commit {
        Ok(commit) => Ok(TakenIn { writing, commit }),
        Err(problem) => {
            *writing = None;
            Err(problem)
        },
    }
}

fn prepare(
    state: &mut TenantState,
    slice: Slice,
    answer: &ingestion::ReadFactsResponse,
    real: Instant,
) -> Result<ScoringCommit, Problem> {
    let expected = state
        .slices
        .get(&slice)
        .map_or(0, |progress| progress.cursor);
    let mut changes = Changes::default();
    for entry in &answer.entries {
        state.take_in(slice, entry, &mut changes)?;
    }
    state.finish(&mut changes);
    let evaluations = match (state.is_backfilling(), opened(answer)) {
        (true, true) => vec![backfilling(state, slice, real)],
        (true, false) => Vec::new(),
        (false, _) => vec![changed(state, slice, &changes, real)],
    };
    let (replica, months) = state.replica_commit(slice, expected, &mut changes);
    let progress = state.slices.get(&slice).copied().unwrap_or_default();
    Ok(ScoringCommit {
        replica,
        months,
        models: Vec::new(),
        state: progress.state,
        evaluations,
    })
}

fn changed(state: &TenantState, slice: Slice, changes: &Changes, real: Instant) -> EvaluationRow {
    let facts_sequence = state
        .slices
        .get(&slice)
        .map_or(0, |progress| progress.cursor);
    let account_uids = changes
        .accounts()
        .iter()
        .map(|uid| uid_bytes(*uid))
        .collect();
    state.evaluation(
        facts_sequence,
        state.now(real),
        pb::Evaluation {
            account_uids,
            ..pb::Evaluation::default()
        },
    )
}

fn opened(answer: &ingestion::ReadFactsResponse) -> bool {
    let marks = answer
        .entries
        .iter()
        .filter_map(|entry| entry.import.as_ref());
    marks.into_iter().any(|mark| !mark.completed)
}

/// Tells those who follow that history is being imported and nothing is evaluated until it is complete.
fn backfilling(state: &TenantState, slice: Slice, real: Instant) -> EvaluationRow {
    let facts_sequence = state
        .slices
        .get(&slice)
        .map_or(0, |progress| progress.cursor);
    let entry = pb::Evaluation {
        backfilling: true,
        ..pb::Evaluation::default()
    };
    state.evaluation(facts_sequence, state.now(real), entry)
}
