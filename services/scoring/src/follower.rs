//! Following ingestion's feed, and closing days when they are due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::OwnedRwLockWriteGuard;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{Instrument, warn};

use sextant_domain::feature::Moment;
use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::scoring::v1 as pb;
use sextant_runtime::blocking;
use sextant_runtime::follow::{self, Cursors, Follower, Heads, Lag, Turn, Turns, patient};
use sextant_runtime::telemetry::trace::{self, Trace};
use sextant_store::port::{EvaluationRow, ScoringCommit, SliceState};
use sextant_wire::read::uid_bytes;
use sextant_wire::status::{Problem, store};
use sextant_wire::time::optional;

use crate::apply::Changes;
use crate::close::Closes;
use crate::engine::Engine;
use crate::restate::Restated;
use crate::state::TenantState;

pub(crate) type Writing = OwnedRwLockWriteGuard<Option<TenantState>>;

impl Follower for Engine {
    fn service(&self) -> &'static str {
        "scoring"
    }

    fn feed(&self) -> &'static str {
        "ingestion"
    }

    fn lag(&self) -> &Arc<Lag> {
        &self.lag
    }

    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>> {
        async move {
            let heads = self
                .facts()
                .watch_heads(ingestion::WatchHeadsRequest {})
                .await?
                .into_inner();
            let starts = Arc::clone(&self.starts);
            let heads = follow::told(heads, |answer| answer.heads);
            Ok(heads.inspect_ok(move |heads| starts.note(heads)).boxed())
        }
        .boxed()
    }

    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>> {
        async move {
            // Cursors before states: what a state says of is then in no older cursor than what it allows to be read.
            let cursors = self.replica.cursors().await.map_err(store)?;
            let states = self.scoring.states().await.map_err(store)?;
            let states: BTreeMap<_, _> = states
                .into_iter()
                .map(|(tenant, slice, state)| ((tenant, slice), state))
                .collect();
            let mut stored = Cursors::new();
            for (tenant, slice, cursor) in cursors {
                if self.cells.has(tenant) {
                    continue;
                }
                let state = states.get(&(tenant, slice)).copied().unwrap_or_default();
                self.note_stored(tenant, slice, cursor, &state);
                stored.insert((tenant, slice), cursor);
            }
            Ok(stored)
        }
        .boxed()
    }

    fn catch_up<'f>(
        &'f self,
        tenant: TenantId,
        slice: Slice,
        head: u64,
        turn: &'f mut Turn,
    ) -> BoxFuture<'f, Result<u64, Status>> {
        async move {
            let stored = self.replica.cursor(tenant, slice).await.map_err(store)?;
            if stored >= head {
                self.level(tenant, slice, stored).await?;
                return Ok(stored);
            }
            let writing = self.cells.asked(tenant).write_owned().await;
            self.take_in_feed(writing, (tenant, slice), head, turn)
                .await
        }
        .boxed()
    }
}

/// What was next in a feed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TakenIn {
    /// It ends here.
    Nothing,
    /// Facts, and no mark.
    Facts,
    /// A mark of this number.
    Mark(u64),
}

/// What one answer of the feed led to.
struct Prepared {
    /// Empty: who gives up before it is stored, and who panics, leaves nothing in memory that is ahead of the store.
    writing: Writing,
    state: TenantState,
    commit: ScoringCommit,
}

impl Engine {
    /// Everything is stored, by this process or by another one: what is in memory is dropped if it is behind, and results can
    /// be read unless history still has to be evaluated.
    async fn level(&self, tenant: TenantId, slice: Slice, stored: u64) -> Result<(), Status> {
        let known = self.scoring.state(tenant, slice).await.map_err(store)?;
        if let Some(cell) = self.cells.known(tenant) {
            let mut state = cell.write().await;
            let in_memory = state.as_ref().and_then(|state| state.slices.get(&slice));
            if in_memory.is_some_and(|progress| progress.state.version < known.version) {
                *state = None;
            }
        }
        self.note_stored(tenant, slice, stored, &known);
        Ok(())
    }

    /// Notes what is stored, by this process or by another one: it can be read, unless history still has to be evaluated. And
    /// who stored it may not live to close what follows from it.
    pub(crate) fn note_stored(
        &self,
        tenant: TenantId,
        slice: Slice,
        stored: u64,
        state: &SliceState,
    ) {
        self.plan_close(tenant, state);
        self.lag.taken_in(tenant, slice, stored);
        if state.pending_history.is_none() {
            self.progress.reach(tenant, slice, stored);
        }
    }

    async fn take_in_feed(
        &self,
        mut writing: Writing,
        (tenant, slice): (TenantId, Slice),
        head: u64,
        turn: &mut Turn,
    ) -> Result<u64, Status> {
        if writing.is_none() {
            *writing = Some(self.load(tenant).await?);
        }
        // Who died between a mark and its closes has left them.
        if writing.as_ref().is_some_and(TenantState::stands_at_a_mark) {
            writing = self.close_days_or_again(tenant, writing, turn).await?;
        }
        loop {
            let cursor = writing.as_ref().map_or(0, |state| state.cursor(slice));
            let mut taken = TakenIn::Nothing;
            if cursor < head {
                (writing, taken) = self.take_in_next(writing, (tenant, slice)).await?;
            }
            let reached = match taken {
                TakenIn::Nothing => cursor,
                TakenIn::Mark(mark) => mark,
                TakenIn::Facts => {
                    turn.pass().await;
                    continue;
                },
            };
            self.close_days_or_again(tenant, writing, turn).await?;
            return Ok(reached);
        }
    }

    /// Takes in what is next in a feed, and stores it.
    pub(crate) async fn take_in_next(
        &self,
        writing: Writing,
        (tenant, slice): (TenantId, Slice),
    ) -> Result<(Writing, TakenIn), Status> {
        let request = ingestion::ReadFactsRequest {
            tenant_id: tenant.0.to_be_bytes().to_vec().into(),
            slice: slice.0.into(),
            after_sequence: writing.as_ref().map_or(0, |state| state.cursor(slice)),
        };
        let mut answer = self
            .facts()
            .read_facts(patient(request))
            .await?
            .into_inner();
        let mark = first_run(&mut answer.entries);
        if answer.entries.is_empty() {
            return Ok((writing, TakenIn::Nothing));
        }
        let oldest = answer.entries.iter().find_map(|entry| entry.recorded_at);
        if let Some(at) = optional(oldest.as_ref(), "recorded_at")? {
            self.lag.waits_since(tenant, slice, at);
        }
        let span = follow::span(self, answer.entries.iter().map(|entry| &*entry.trace));
        let writing = self
            .take_in_answer(writing, slice, answer)
            .instrument(span)
            .await?;
        Ok((writing, mark.map_or(TakenIn::Facts, TakenIn::Mark)))
    }

    async fn take_in_answer(
        &self,
        writing: Writing,
        slice: Slice,
        answer: ingestion::ReadFactsResponse,
    ) -> Result<Writing, Status> {
        let (now, trace) = (self.clock.now(), trace::of_this_span());
        let prepared = blocking(move || take_in(writing, slice, &answer, now, trace)).await?;
        let Prepared {
            mut writing,
            state,
            commit,
        } = prepared;
        *writing = Some(self.store(state, vec![commit]).await?);
        Ok(writing)
    }

    /// Stores results of a state that nobody sees before.
    async fn store(
        &self,
        mut state: TenantState,
        commits: Vec<ScoringCommit>,
    ) -> Result<TenantState, Status> {
        for commit in commits {
            let (tenant, slice, cursor) = (
                commit.replica.tenant,
                commit.replica.slice,
                commit.replica.cursor,
            );
            let pending = commit.state.pending_history.is_some();
            let sequence = self.scoring.commit(commit).await.map_err(store)?;
            if let Some(known) = state.slices.get_mut(&slice) {
                known.state.version += 1;
            }
            self.cells.holds(tenant, state.size());
            self.heads.publish([Head {
                tenant,
                slice,
                sequence,
            }]);
            self.lag.taken_in(tenant, slice, cursor);
            if !pending {
                self.progress.reach(tenant, slice, cursor);
            }
        }
        Ok(state)
    }

    /// Closes every day that is due. What could not be stored is taken up again at once, and from then on every minute.
    async fn close_days_or_again(
        &self,
        tenant: TenantId,
        writing: Writing,
        turn: &mut Turn,
    ) -> Result<Writing, Status> {
        let closed = self.close_days(writing, turn).await;
        let now = self.clock.now();
        self.lag.ended((tenant, None), &closed, now);
        if closed.is_err() {
            self.due.set(tenant, Some(now.0));
        }
        closed
    }

    /// Makes closes again that history is about; the days behind them are closed after that.
    async fn restate(
        &self,
        mut writing: Writing,
        real: Instant,
        turn: &mut Turn,
    ) -> Result<Writing, Status> {
        let mut made = Restated::new();
        loop {
            let more;
            (writing, made, more) = blocking(move || {
                let state = writing.as_ref();
                let now = state.and_then(|state| state.common_clock(real));
                let state = state.zip(now);
                let more = state.is_some_and(|(state, now)| state.restate(now, &mut made));
                Ok::<_, Problem>((writing, made, more))
            })
            .await?;
            if !more {
                break;
            }
            turn.pass().await;
        }
        let state = writing.as_ref();
        let now = state.and_then(|state| state.common_clock(real));
        match state
            .zip(now)
            .and_then(|(state, now)| state.restated(made, now))
        {
            Some(closes) => self.store_closes(writing, closes).await,
            None => Ok(writing),
        }
    }

    /// Stores closes and takes them over.
    async fn store_closes(
        &self,
        mut writing: Writing,
        mut closes: Closes,
    ) -> Result<Writing, Status> {
        if let Some(state) = writing.take() {
            let mut state = self.store(state, closes.commits.clone()).await?;
            closes
                .commits
                .iter_mut()
                .for_each(|commit| commit.evaluations.clear());
            state.closed(closes);
            *writing = Some(state);
        }
        Ok(writing)
    }

    /// Closes every day that is due, unless facts of another slice are missing: then that slice closes when it has them.
    async fn close_days(&self, mut writing: Writing, turn: &mut Turn) -> Result<Writing, Status> {
        let real = self.clock.now();
        writing = self.take_in_marks(writing, turn).await?;
        if let Some(state) = writing.as_ref()
            && !state.stands_at_a_common_mark()
            && self.starts.are_ahead_of(state)
        {
            self.due.set(state.tenant, None);
            return Ok(writing);
        }
        writing = self.restate(writing, real, turn).await?;
        loop {
            let closes;
            (writing, closes) = blocking(move || {
                let state = writing.as_ref();
                let closes = state.and_then(|state| state.next_closes(state.common_clock(real)?));
                Ok::<_, Problem>((writing, closes))
            })
            .await?;
            let Some(closes) = closes else { break };
            let complete = closes.complete;
            writing = self.store_closes(writing, closes).await?;
            if complete {
                break;
            }
            turn.pass().await;
        }
        if let Some(state) = writing.as_ref() {
            self.due
                .set(state.tenant, state.next_due(real).map(|at| at.0));
        }
        Ok(writing)
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
        let mut writing = self.cells.asked(tenant).write_owned().await;
        let closed = async {
            if writing.is_none() {
                *writing = Some(self.load(tenant).await?);
            }
            // Days are closed one tenant after the other.
            let mut turn = Turns::new(1).next().await;
            self.close_days(writing, &mut turn).await
        };
        let closed = closed.await;
        self.lag.ended((tenant, None), &closed, now);
        let Err(status) = closed else { return };
        if follow::is_overtaken(&status) {
            self.due.set(tenant, Some(self.clock.now().0));
            return;
        }
        warn!(code = ?status.code(), message = status.message(), "days of a tenant are not closed; trying again in a minute");
        self.due.set(tenant, Some(at_us.max(now.0) + 60_000_000));
    }

    /// After a start: tenants with unfinished history and without a close at once, the others when their next day has passed,
    /// and those whose clock stands before that not at all.
    async fn plan_closes(&self) -> Result<(), sextant_store::Error> {
        for (tenant, _, state) in self.scoring.states().await? {
            self.plan_close(tenant, &state);
        }
        Ok(())
    }

    fn plan_close(&self, tenant: TenantId, state: &SliceState) {
        if let Some(at_us) = earliest_close(state) {
            self.due.set_no_later(tenant, at_us);
        }
    }
}

/// The earliest moment at which a day of a slice can have to be closed, microseconds since 1970; 0: perhaps now; `None`: not
/// before its clock is moved.
fn earliest_close(state: &SliceState) -> Option<i64> {
    let evaluated = state.pending_history.is_none();
    match (state.closes_at, state.clock) {
        (Some(at), None) if evaluated => Some(at.0),
        (Some(at), Some(clock)) if evaluated && clock < at => None,
        _ => Some(0),
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
    trace: Option<Trace>,
) -> Result<Prepared, Problem> {
    let mut state = writing.take().ok_or_else(|| {
        Problem::new(
            ErrorReason::Unavailable,
            "the tenant is being loaded again; try again",
        )
    })?;
    let commit = prepare(&mut state, slice, answer, real, trace)?;
    Ok(Prepared {
        writing,
        state,
        commit,
    })
}

fn prepare(
    state: &mut TenantState,
    slice: Slice,
    answer: &ingestion::ReadFactsResponse,
    real: Instant,
    trace: Option<Trace>,
) -> Result<ScoringCommit, Problem> {
    let expected = state.cursor(slice);
    let mut changes = Changes::default();
    for entry in &answer.entries {
        state.take_in(slice, entry, &mut changes)?;
    }
    state.finish(&mut changes);
    let now = state.told_at(real);
    if !changes.accounts().is_empty() {
        let progress = state.slices.entry(slice).or_default();
        progress.newest_facts = Some((progress.cursor, now));
    }
    let origin = pb::Evaluation {
        recorded_at: answer.entries.iter().find_map(|entry| entry.recorded_at),
        trace: trace.map(Vec::from).unwrap_or_default().into(),
        ..pb::Evaluation::default()
    };
    let closed_on = state
        .slices
        .get(&slice)
        .and_then(|progress| progress.state.closed_on);
    let origin = state.with_late(changes.late(), &BTreeMap::new(), closed_on, origin);
    let tells = opened(answer) || !origin.late.is_empty();
    let evaluations = match (state.is_backfilling(), tells) {
        (true, true) => vec![backfilling(state, slice, now, origin)],
        (true, false) => Vec::new(),
        // Days have passed that are not closed yet: their closes come first, and the present after them.
        (false, _) if !state.due_days(now).is_empty() => {
            vec![backfilling(state, slice, now, origin)]
        },
        (false, _) => vec![changed(state, slice, &changes, now, origin)],
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

fn changed(
    state: &TenantState,
    slice: Slice,
    changes: &Changes,
    now: Instant,
    origin: pb::Evaluation,
) -> EvaluationRow {
    let account_uids = changes
        .accounts()
        .iter()
        .map(|uid| uid_bytes(*uid))
        .collect();
    state.evaluation(
        state.cursor(slice),
        now,
        pb::Evaluation {
            account_uids,
            model_versions: state
                .models_for(&Moment::new(now, Instant(i64::MAX), &state.settings.zone))
                .map_or_else(Vec::new, |models| models.versions()),
            ..origin
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

/// Tells those who follow that nothing is evaluated yet: history is being imported, or days have to be closed first.
fn backfilling(
    state: &TenantState,
    slice: Slice,
    now: Instant,
    origin: pb::Evaluation,
) -> EvaluationRow {
    let entry = pb::Evaluation {
        backfilling: true,
        ..origin
    };
    state.evaluation(state.cursor(slice), state.before_due(now), entry)
}
