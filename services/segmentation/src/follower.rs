//! Following scoring's feed.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tonic::Status;
use tracing::{Instrument, Span, warn};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_proto::common::v1::{Date, ErrorReason};
use sextant_proto::scoring::v1 as scoring;
use sextant_runtime::blocking;
use sextant_runtime::follow::{self, Cursors, Follower, Heads, Lag, Turn, patient};
use sextant_runtime::telemetry::{Label, Metric, trace};
use sextant_store::port::SliceProgress;
use sextant_wire::status::{Problem, store};
use sextant_wire::time;

use crate::columns::{Columns, Of};
use crate::correct::Corrections;
use crate::decide;
use crate::engine::Engine;
use crate::evaluate::{Evaluation, Failed, Which};
use crate::state::TenantState;
use crate::tenant::{self, Writing};
use crate::walk::Late;

/// Accounts that are asked for by uid; more are asked for by asking for all.
const MAX_UIDS: usize = 20_000;
/// Late accounts of a run of several entries: what becomes of them is in memory until it is stored at once.
const MAX_LATE_ACCOUNTS: usize = 1_024;

impl Follower for Engine {
    fn service(&self) -> &'static str {
        "segmentation"
    }

    fn lag(&self) -> &Arc<Lag> {
        &self.lag
    }

    fn feed(&self) -> &'static str {
        "scoring"
    }

    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>> {
        async move {
            let heads = self
                .scores()
                .watch_heads(scoring::WatchHeadsRequest {})
                .await?
                .into_inner();
            Ok(follow::told(heads, |answer| answer.heads))
        }
        .boxed()
    }

    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>> {
        async move {
            let mut stored = Cursors::new();
            let cursors = self.memberships.cursors().await.map_err(store)?;
            self.forget_views();
            for (tenant, slice, reached) in cursors {
                if !self.cells.has(tenant) {
                    self.note_stored(tenant, slice, &reached);
                    stored.insert((tenant, slice), reached.cursor);
                }
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
            let stored = self
                .memberships
                .progress(tenant, slice)
                .await
                .map_err(store)?;
            if stored.cursor >= head {
                self.take_over(tenant, slice, stored.version).await;
                self.note_stored(tenant, slice, &stored);
                return Ok(stored.cursor);
            }
            let writing = self.load_uses(self.write(tenant).await?).await?;
            if writing.as_ref().is_some_and(TenantState::has_open) {
                self.unbegun.note(tenant);
            }
            let writing = self
                .take_in_feed(writing, (tenant, slice), head, turn)
                .await?;
            Ok(cursor(&writing, slice))
        }
        .boxed()
    }
}

/// Entries that are evaluated together: one close, or several changes within a day.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The last entry; its oldest fact is that of the whole run.
    last: scoring::Evaluation,
    uids: BTreeSet<Bytes>,
    all: bool,
    late: Vec<scoring::LateAccount>,
    late_closes: Vec<Date>,
    /// The late accounts are those of closes that were made again.
    again: bool,
    traces: Vec<Bytes>,
}

/// A run that can be evaluated.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) evaluation: Evaluation,
    pub(crate) late: Late,
    pub(crate) features: Features,
    restated: bool,
    span: Span,
}

/// The features that a run needs.
#[derive(Debug)]
pub(crate) enum Features {
    /// They are here.
    Read(Columns),
    /// They are to be read, of these accounts or, without any, of all.
    Of(Vec<Bytes>),
}

/// Cuts entries into runs. Changes within a day are evaluated once, as of the last of them; a close stands alone. What is told
/// while history is evaluated is of a moment that may be far from that of the changes before it.
pub(crate) fn runs(entries: Vec<scoring::Evaluation>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for mut entry in entries {
        let joins = runs.last().is_some_and(|run| {
            let n_late = run.late.len() + entry.late.len();
            let fits = n_late <= MAX_LATE_ACCOUNTS || run.late.is_empty() || entry.late.is_empty();
            let same = run.again == entry.restated;
            let mixes = !same && !run.late.is_empty() && !entry.late.is_empty();
            let within_day = run.last.closed_on.is_none() && entry.closed_on.is_none();
            within_day && run.last.backfilling == entry.backfilling && fits && !mixes
        });
        if !joins {
            runs.push(Run::default());
        }
        if let Some(run) = runs.last_mut() {
            run.uids.extend(entry.account_uids.iter().cloned());
            run.all |= entry.all_accounts || entry.closed_on.is_some();
            run.again |= entry.restated;
            run.late.append(&mut entry.late);
            run.late_closes.append(&mut entry.late_closes);
            run.traces.push(entry.trace.clone());
            run.last = scoring::Evaluation {
                recorded_at: run.last.recorded_at.or(entry.recorded_at),
                ..entry
            };
        }
    }
    runs
}

fn cursor(writing: &Writing, slice: Slice) -> u64 {
    let slices = writing.as_ref().map(|state| &state.slices);
    let progress = slices.and_then(|slices| slices.get(&slice));
    progress.map_or(0, |progress| progress.cursor)
}

/// The tables of a message.
pub(crate) fn decoded(arrow_ipc: &Bytes) -> Result<Vec<RecordBatch>, Problem> {
    let decoded = sextant_columns::decode(arrow_ipc);
    decoded.map_err(|error| Problem::new(ErrorReason::Unavailable, error.to_string()))
}

impl Engine {
    /// Notes what is stored, by this process or by another one: it can be read.
    pub(crate) fn note_stored(&self, tenant: TenantId, slice: Slice, stored: &SliceProgress) {
        self.caches.find((tenant, slice), stored.version);
        self.lag.taken_in(tenant, slice, stored.cursor);
        self.reach(tenant, slice, stored.facts_sequence);
    }

    /// Notes up to which entry of ingestion's feed the memberships can be read.
    fn reach(&self, tenant: TenantId, slice: Slice, facts_sequence: u64) {
        self.facts.taken_in(tenant, slice, facts_sequence);
        self.progress.reach(tenant, slice, facts_sequence);
    }

    pub(crate) async fn take_in_feed(
        &self,
        mut writing: Writing,
        (tenant, slice): (TenantId, Slice),
        head: u64,
        turn: &mut Turn,
    ) -> Result<Writing, Status> {
        loop {
            let cursor = cursor(&writing, slice);
            if cursor >= head {
                return Ok(writing);
            }
            let entries = self.evaluations(tenant, slice, cursor).await?.evaluations;
            if entries.is_empty() {
                return Ok(writing);
            }
            let oldest = entries.iter().find_map(|entry| entry.recorded_at);
            if let Some(at) = time::optional(oldest.as_ref(), "recorded_at")? {
                self.lag.waits_since(tenant, slice, at);
            }
            writing = self
                .take_in_runs(writing, (tenant, slice), entries, turn)
                .await?;
        }
    }

    /// Takes runs in one after the other. What scoring computes for a close is the same at any time, so its features are read
    /// while the run before it is evaluated and stored. Within a day they are read after the closes behind them are corrected:
    /// what they are compared with then holds no facts that they do not hold.
    async fn take_in_runs(
        &self,
        mut writing: Writing,
        (tenant, slice): (TenantId, Slice),
        entries: Vec<scoring::Evaluation>,
        turn: &mut Turn,
    ) -> Result<Writing, Status> {
        let has_uses = writing.as_ref().is_some_and(|state| !state.uses.is_empty());
        let mut runs = runs(entries).into_iter();
        let mut ready = self.ready((tenant, slice), runs.next(), has_uses).await?;
        while let Some(Ready {
            evaluation,
            late,
            features,
            restated,
            span,
        }) = ready
        {
            let evaluated = async {
                let writing = self.begin_before(writing, &evaluation, &features).await?;
                let corrected = self.correct(writing, &evaluation, late, Which::All);
                let (mut writing, corrections) = corrected.await?;
                let columns = self.features(tenant, &evaluation, features).await?;
                if restated {
                    let forget = |state: &mut TenantState| drop(state.worth.remove(&slice));
                    writing = writing.changed(forget).await;
                }
                if !columns.tables.is_empty() {
                    writing = self.recall_worth(writing, slice).await?;
                }
                self.evaluate(writing, evaluation, corrections, (columns, Which::All))
                    .await
            };
            let ahead = self.ready((tenant, slice), runs.next(), has_uses);
            let (evaluated, ahead) = futures_util::join!(evaluated.instrument(span), ahead);
            writing = evaluated?;
            ready = ahead?;
            turn.pass().await;
        }
        Ok(writing)
    }

    /// A run, a close with the features of its accounts; nothing where there is no run.
    pub(crate) async fn ready(
        &self,
        (tenant, slice): (TenantId, Slice),
        run: Option<Run>,
        has_uses: bool,
    ) -> Result<Option<Ready>, Status> {
        let Some(run) = run else {
            return Ok(None);
        };
        let span = follow::span(self, run.traces.iter().map(|trace| &**trace));
        let evaluation = Evaluation {
            slice,
            cursor: run.last.sequence,
            facts_sequence: run.last.facts_sequence,
            as_of: time::required(run.last.as_of.as_ref(), "as_of")?,
            known_at: time::required(run.last.known_at.as_ref(), "known_at")?,
            closed_on: run.last.closed_on.as_ref().map(time::day).transpose()?,
            backfilling: run.last.backfilling,
            watermark: time::optional(run.last.watermark.as_ref(), "watermark")?,
            recorded_at: time::optional(run.last.recorded_at.as_ref(), "recorded_at")?,
            trace: span.in_scope(trace::of_this_span),
            model_versions: run.last.model_versions,
        };
        let nobody = !run.all && run.uids.is_empty();
        let mut features = if nobody || !has_uses {
            Features::Read(Columns::default())
        } else if run.all || run.uids.len() > MAX_UIDS {
            Features::Of(Vec::new())
        } else {
            Features::Of(run.uids.into_iter().collect())
        };
        if evaluation.closed_on.is_some() {
            let columns = self.features(tenant, &evaluation, features);
            features = Features::Read(columns.instrument(span.clone()).await?);
        }
        Ok(Some(Ready {
            evaluation,
            late: Late::read(&run.late, &run.late_closes, run.again)?,
            features,
            restated: run.again,
            span,
        }))
    }

    /// The features that a run needs.
    pub(crate) async fn features(
        &self,
        tenant: TenantId,
        evaluation: &Evaluation,
        features: Features,
    ) -> Result<Columns, Status> {
        match features {
            Features::Read(columns) => Ok(columns),
            Features::Of(uids) => {
                let of = Of::Evaluation(evaluation);
                self.columns(tenant, evaluation.slice, of, uids).await
            },
        }
    }

    /// Reads what accounts were worth at the last close, where it is not in memory.
    async fn recall_worth(&self, writing: Writing, slice: Slice) -> Result<Writing, Status> {
        let Some(state) = writing.as_ref() else {
            return Ok(writing);
        };
        let is_known = state.worth.contains_key(&slice);
        let progress = state.slices.get(&slice);
        let closed_on = progress.and_then(|progress| progress.closed_on);
        let Some(closed_on) = closed_on.filter(|_| !is_known && !state.uses.is_empty()) else {
            return Ok(writing);
        };
        let closed = Of::Close(closed_on);
        let columns = self.columns(state.tenant, slice, closed, Vec::new());
        let worth = decide::worth(&columns.await?.tables);
        let keep = |state: &mut TenantState| drop(state.worth.insert(slice, worth));
        Ok(writing.changed(keep).await)
    }

    /// Features of accounts: of these, or of all of the slice.
    pub(crate) async fn columns(
        &self,
        tenant: TenantId,
        slice: Slice,
        of: Of<'_>,
        uids: Vec<Bytes>,
    ) -> Result<Columns, Status> {
        let (closed_on, as_of, facts_sequence) = match of {
            Of::Present => (None, None, 0),
            Of::Close(day) => (Some(day), None, 0),
            Of::Evaluation(one) => match one.closed_on {
                Some(day) => (Some(day), None, one.facts_sequence),
                None => (None, Some(one.as_of), one.facts_sequence),
            },
        };
        let request = scoring::ReadColumnsRequest {
            tenant_id: tenant.0.to_be_bytes().to_vec().into(),
            slice: slice.0.into(),
            closed_on: closed_on.map(time::date),
            account_uids: uids,
            as_of: as_of.map(time::timestamp),
            facts_sequence,
            ..scoring::ReadColumnsRequest::default()
        };
        let mut stream = self
            .scores()
            .read_columns(patient(request))
            .await?
            .into_inner();
        let mut columns = Columns::default();
        while let Some(message) = stream.next().await {
            let message = message?;
            columns.tables.extend(decoded(&message.arrow_ipc)?);
            let known_at = time::optional(message.known_at.as_ref(), "known_at")?;
            columns.known_at = columns.known_at.max(known_at);
        }
        Ok(columns)
    }

    /// Evaluates, stores, and tells who listens. When storing fails or is given up, the state in memory is dropped.
    pub(crate) async fn evaluate(
        &self,
        writing: Writing,
        evaluation: Evaluation,
        corrections: Corrections,
        (columns, which): (Columns, Which),
    ) -> Result<Writing, Status> {
        let (backfilling, within_day) = (evaluation.backfilling, evaluation.closed_on.is_none());
        let measured = [
            Label::Service("segmentation"),
            Label::Operation(if within_day { "within_day" } else { "close" }),
        ];
        let work = async {
            let asking = writing.find(move |state| {
                let asked = state.ask(evaluation, corrections, &columns, which);
                Ok((asked, columns))
            });
            let (writing, (asked, columns)) = asking.await?;
            let mut writing = writing.change().await;
            // What is not stored yet is in no state that anybody finds.
            let mut state = writing.take().ok_or_else(tenant::dropped)?;
            let taking = blocking(move || {
                let evaluated = state.evaluate(asked, &columns, which);
                Ok::<_, Problem>((state, evaluated))
            });
            let (state, (commit, failures)) = taking.await?;
            Ok::<_, Problem>((writing, state, commit, failures))
        };
        let worked = self.meters.time(Metric::RunDuration, &measured, work).await;
        let (mut writing, state, commit, failures) = worked?;
        let (cursor, n_transitions) = (commit.cursor, commit.transitions.len());
        let (tenant, slice, facts_sequence) = (commit.tenant, commit.slice, commit.facts_sequence);
        let (version, renewal) = (
            commit.version + 1,
            self.renewal(&state, &commit, within_day),
        );
        let sequence = self.memberships.commit(commit).await.map_err(store)?;
        let of = (tenant, slice);
        self.caches.renew(of, version, &renewal).await;
        self.heads.publish([Head {
            tenant,
            slice,
            sequence,
        }]);
        self.lag.taken_in(tenant, slice, cursor);
        self.count_transitions(n_transitions);
        if !backfilling {
            self.reach(tenant, slice, facts_sequence);
        }
        self.publish(&state);
        self.cells.holds(tenant, state.size());
        *writing = Some(state);
        self.tell_failures(tenant, failures);
        Ok(writing.done())
    }

    /// Segmentations were left behind: says why, once, and has their segmenters asked again.
    fn tell_failures(&self, tenant: TenantId, failures: Vec<Failed>) {
        if !failures.is_empty() {
            self.unbegun.note(tenant);
        }
        for failed in failures {
            let problem = failed.counted(&self.meters).message;
            if self.unbegun.is_news(tenant, &problem) {
                warn!(
                    tenant = %uuid::Uuid::from_u128(tenant.0),
                    problem,
                    "a segmentation is left behind; its segmenter is asked again"
                );
            }
        }
    }

    fn count_transitions(&self, n_transitions: usize) {
        if let Ok(count @ 1..) = u32::try_from(n_transitions) {
            let labels = [Label::Service("segmentation")];
            self.meters
                .record(Metric::Transitions, count.into(), &labels);
        }
    }
}

#[cfg(test)]
mod tests;
