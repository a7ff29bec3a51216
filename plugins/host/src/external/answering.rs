//! How a batch gets its answers from somebody who may be lost in any call.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use bytes::Bytes;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tonic::{Code, Status};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::prepare_response::Result as Made;

use crate::assignment::Unanswered;
use crate::call::monotonic_ns;
use crate::external::asking::{About, Ask};
use crate::external::breaker;
use crate::external::breakers::Matter;
use crate::external::client::Client;
use crate::external::configuring::is_same;
use crate::external::peer::Lost;
use crate::external::{Purpose, Shared, Trouble};
use crate::{CallError, Deadline, Descriptor, FailureCode, State, messages};

/// Longest wait for a turn of a caller without a deadline.
const LONGEST_TURN: Duration = Duration::from_secs(60);
/// Longest time to send a state, and for the segmenter to take it up.
const LONGEST_LOAD: Duration = Duration::from_secs(10);
/// Least time for rows that are shown again.
const LEAST_AGAIN: Duration = Duration::from_millis(200);
/// How many times what is declared rows may take that are shown again.
const PATIENCE: f64 = 20.0;

/// The answers to a batch: of ranges of its rows, and rows without one.
#[derive(Debug)]
pub(crate) struct Found<A> {
    pub(crate) answers: Vec<(Range<usize>, A)>,
    pub(crate) without: Vec<Unanswered>,
}

impl<A> Default for Found<A> {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            without: Vec::new(),
        }
    }
}

/// A batch that is being answered.
pub(crate) struct Answering<A> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) prepare: pb::PrepareRequest,
    /// What it answers from, if it has to be fitted.
    pub(crate) state: Option<State>,
    /// Its name in the last answer to that; empty: there was none.
    pub(crate) instance_id: Arc<Mutex<Bytes>>,
    /// What it is made of, whatever its name, and what is asked.
    pub(crate) made_of: [u8; 32],
    /// What it is made of.
    pub(crate) config: [u8; 32],
    pub(crate) context: pb::Context,
    pub(crate) deadline: Option<Deadline>,
    /// Which batch it is.
    pub(crate) number: u64,
    pub(crate) ask: A,
}

/// How a call went wrong.
enum Broken {
    /// There was an answer, and it is none.
    Lost(Lost),
    /// There was none.
    Off(Status),
    /// There was none in time.
    Late,
}

impl From<Elapsed> for Broken {
    fn from(_elapsed: Elapsed) -> Self {
        Self::Late
    }
}

impl From<Lost> for Broken {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Status> for Broken {
    fn from(status: Status) -> Self {
        Self::Off(status)
    }
}

/// Whether rows have been shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    First,
    Again,
}

/// The rows between some that are left out, so many at once, the first at the end.
fn between(out: &[(usize, Trouble)], rows: usize, at_once: usize) -> Vec<(Range<usize>, Shown)> {
    if rows == 0 {
        return vec![(0..0, Shown::First)];
    }
    let mut ranges = Vec::new();
    let mut start = 0;
    for end in out.iter().map(|(row, _)| *row).chain([rows]) {
        while start < end {
            let stop = end.min(start.saturating_add(at_once));
            ranges.push((start..stop, Shown::First));
            start = stop;
        }
        start = end + 1;
    }
    ranges.reverse();
    ranges
}

/// Rows without an answer.
fn lacking(
    rows: Range<usize>,
    trouble: &Trouble,
    is_its_own: bool,
) -> impl Iterator<Item = Unanswered> {
    rows.map(move |row| Unanswered {
        row,
        trouble: trouble.clone(),
        is_its_own,
    })
}

/// The search for the rows of a batch that a segmenter fails for.
#[derive(Debug)]
struct Search {
    /// When the first call was made in vain, on the machine's monotonic clock.
    since_ns: Option<i64>,
    /// Rows that were found.
    n_found: usize,
    /// What happened last, and what did that is the segmenter's fault.
    last: Option<Trouble>,
    incident: Option<Trouble>,
}

impl Search {
    /// A call was made in vain. Whether one that was not done in time has failed is known where its time is.
    fn failed(&mut self, trouble: &Trouble) {
        self.since_ns.get_or_insert_with(monotonic_ns);
        self.last = Some(trouble.clone());
        if !matches!(trouble, Trouble::Overran | Trouble::NotStarted(_)) {
            self.incident = Some(trouble.clone());
        }
    }

    /// Whether so many of so many rows were found that the segmenter is not to be asked any more, or it has taken too long.
    fn is_over(&self, n_rows: usize, longest: Duration) -> bool {
        let since_ns = self.since_ns.unwrap_or_else(monotonic_ns);
        let took = monotonic_ns().saturating_sub(since_ns).unsigned_abs();
        Duration::from_nanos(took) > longest || breaker::are_too_many(self.n_found, n_rows)
    }
}

impl<A: Ask> Answering<A> {
    /// Answers what can be answered: all rows but those that are known to bring the segmenter down. A process that is lost may have
    /// died for no fault of the rows, so they are shown once more; if it is lost again, they are halved until those are found that
    /// do it.
    ///
    /// # Errors
    /// What would fail for every row.
    pub(crate) async fn all(
        self,
        batch: RecordBatch,
        poison: Vec<(usize, Trouble)>,
    ) -> Result<Found<A::Answer>, CallError> {
        let n_rows = batch.num_rows();
        let mut open = between(&poison, n_rows, A::ROWS_AT_ONCE);
        let known = poison.into_iter().map(|(row, trouble)| Unanswered {
            row,
            trouble,
            is_its_own: true,
        });
        let mut found = Found {
            answers: Vec::new(),
            without: known.collect(),
        };
        let n_known = found.without.len();
        let serves = self.shared.purpose == Purpose::Serve;
        let independent = serves && self.shared.told.row_independent;
        let mut search = Search {
            since_ns: None,
            n_found: 0,
            last: None,
            incident: None,
        };
        let is_over = |search: &Search| search.is_over(n_rows, A::LONGEST_SEARCH);
        while let Some((range, shown)) = open.pop() {
            if A::MATTER == Matter::Reasons && (self.is_late() || is_over(&search)) {
                let last = search.last.as_ref().unwrap_or(&Trouble::Overran);
                found.without.extend(lacking(range, last, false));
                continue;
            }
            let mut answered = self.one(&batch, range.clone(), shown).await;
            if let Some(trouble) = trouble_of(&answered)
                && matches!(trouble, Trouble::Crashed(_) | Trouble::Gone(_))
                && serves
                && shown == Shown::First
                && !self.is_late()
            {
                search.failed(trouble);
                answered = self.one(&batch, range.clone(), shown).await;
            }
            let (row, trouble) = match answered {
                Ok(answer) => {
                    found.answers.push((range, answer));
                    continue;
                },
                Err(Lost::All(error)) => return Err(error),
                Err(Lost::Trouble(trouble)) => (None, trouble),
                Err(Lost::Row(row, trouble)) => (Some(range.start.saturating_add(row)), trouble),
            };
            if range.is_empty() {
                // There is no row to be without an answer.
                return Err(CallError::Lost(trouble));
            }
            search.failed(&trouble);
            // Of what has nothing to do with the rows nothing is learned about them.
            let is_searched = independent && !trouble.is_of_all_rows();
            // Of one row alone it is known that it is the row, unless there was no time for it.
            let only = (range.len() == 1 && !self.is_late()).then_some(range.start);
            let named = row.filter(|row| range.contains(row) && !is_over(&search));
            if let Some(row) = named.or(only).filter(|_| is_searched) {
                self.remember(&batch, row, &trouble);
                search.n_found += 1;
                found.without.extend(lacking(row..row + 1, &trouble, true));
                let rest = [row + 1..range.end, range.start..row];
                let rest = rest.into_iter().filter(|rest| !rest.is_empty());
                open.extend(rest.map(|rest| (rest, Shown::Again)));
                continue;
            }
            if is_searched && range.len() > 1 && !is_over(&search) && !self.is_late() {
                let middle = range.start + range.len() / 2;
                open.push((middle..range.end, Shown::Again));
                open.push((range.start..middle, Shown::Again));
                continue;
            }
            // Without that promise the rows of a batch stand or fall together.
            let is_its_own = !independent && !trouble.is_of_all_rows();
            found.without.extend(lacking(range, &trouble, is_its_own));
        }
        if serves {
            self.note(&found, n_known, search);
        }
        Ok(found)
    }

    /// Notes what the segmenter has failed with and for how many rows, beside those that were known.
    fn note(&self, found: &Found<A::Answer>, n_known: usize, search: Search) {
        let of = (&self.config, A::MATTER);
        let mut breakers = self.shared.breakers();
        if let Some(trouble) = search.incident {
            breakers.incident(of, self.number, trouble);
        }
        let found_now = found.without.iter().skip(n_known);
        let what = found_now.clone().next().map(|first| {
            let (rows, row, trouble) = (found_now.clone().count(), first.row, &first.trouble);
            format!(
                "{} for {rows} rows, the first is row {row}: {trouble}",
                A::LACKING
            )
        });
        // Its author is told.
        if let Some(what) = &what {
            self.shared.peer.lines().tell("WARN", what);
        }
        let n_answered = found.answers.iter().map(|(rows, _)| rows.len()).sum();
        match A::MATTER {
            Matter::Answers if self.shared.told.row_independent => {
                let its_own = found_now.filter(|one| one.is_its_own);
                let last = its_own.clone().next_back().map(|one| &one.trouble);
                breakers.rows(of, n_answered, (its_own.count(), last));
            },
            Matter::Answers => {},
            Matter::Reasons => {
                let Some(first) = found_now.clone().next() else {
                    return;
                };
                // Of those for whom there was no time nothing is learned.
                if !self.is_late() {
                    let n_rows = found_now.count();
                    breakers.rows(of, n_answered, (n_rows, Some(&first.trouble)));
                }
                drop(breakers);
                // There may be no time for any of them, again and again.
                if !self.is_late() {
                    tracing::warn!(
                        segmenter = self.descriptor.id,
                        what,
                        "a segmenter gives no reasons for some rows"
                    );
                }
            },
        }
    }

    fn remember(&self, batch: &RecordBatch, row: usize, trouble: &Trouble) {
        let mut poison = self.shared.poison();
        poison.remember(&self.made_of, batch, row, trouble.clone());
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline.left().is_zero())
    }

    /// Time that one call may take now. Rows that are shown again are fewer, so less is enough: what the descriptor declares for them,
    /// many times over. So one row that never ends is soon found among thousands.
    fn longest(&self, rows: usize, shown: Shown) -> Duration {
        let mut longest = self.shared.allowance.longest_call;
        if shown == Shown::Again {
            let planned = self.shared.descriptor.limits.planned_ms_per_1k_rows();
            let per_row = planned.clamp(0.0, 60_000.0) / 1e6;
            let enough = LEAST_AGAIN + Duration::from_secs_f64(per_row * rows as f64 * PATIENCE);
            longest = longest.min(enough);
        }
        self.until_deadline(longest)
    }

    /// Shows some of the rows, once.
    async fn one(
        &self,
        batch: &RecordBatch,
        rows: Range<usize>,
        shown_before: Shown,
    ) -> Result<A::Answer, Lost> {
        let shown = batch.slice(rows.start, rows.len());
        let bytes = messages::encode(&shown).map_err(|error| Lost::All(error.into()))?;
        let about = About {
            descriptor: Arc::clone(&self.descriptor),
            instance_id: self.name().clone(),
            context: self.context.clone(),
            rows: rows.len(),
            batch: bytes.into(),
        };
        // Whoever has the turn is not waited for longer than the caller waits.
        let left = self.deadline.map_or(LONGEST_TURN, Deadline::left);
        let Ok(turn) = timeout(left, self.shared.peer.turn()).await else {
            return Err(Lost::Trouble(Trouble::Overran));
        };
        let (turn, client) = turn?;
        // Nobody looks after it before it is at rest again.
        self.shared.breakers().asked(self.config);
        let longest = self.longest(rows.len(), shown_before);
        let peer = &self.shared.peer;
        match self.asked(client.clone(), about, longest).await {
            Ok(answer) => Ok(answer),
            Err(Broken::Lost(lost)) => Err(lost),
            Err(Broken::Off(status)) if !is_late(&status) => {
                Err(Lost::Trouble(peer.broke_off(turn, &status).await))
            },
            Err(Broken::Off(_) | Broken::Late) => {
                let (shared, number) = (Arc::clone(&self.shared), self.number);
                let config = self.config;
                let failed = move || {
                    if shared.purpose == Purpose::Serve {
                        let mut breakers = shared.breakers();
                        breakers.incident((&config, A::MATTER), number, Trouble::Overran);
                    }
                };
                let overran = peer.overran(turn, client, (longest, failed.clone()));
                let trouble = overran.await;
                // Who stops when told to has not failed, where it was given too little time.
                let had_its_time = longest >= self.shared.allowance.longest_call;
                if had_its_time && matches!(trouble, Trouble::Overran) {
                    failed();
                }
                Err(Lost::Trouble(trouble))
            },
        }
    }

    /// Asks; who does not know the instance, for it was just started, is told of it first, which takes no time from the rows.
    async fn asked(
        &self,
        mut client: Client,
        mut about: About,
        longest: Duration,
    ) -> Result<A::Answer, Broken> {
        let answered = timeout(
            longest,
            self.ask.ask(client.clone(), about.clone(), longest),
        );
        match answered.await?? {
            Ok(answer) => return Ok(answer),
            Err(CallError::Poisoned) => {},
            Err(error) => return Err(sorted(error).into()),
        }
        self.shared.peer.forgot(&client).await?;
        let state = self.state.as_ref();
        let longest_call = self.until_deadline(self.shared.allowance.longest_call);
        let (known, of) = (&self.descriptor, &self.shared.descriptor);
        let said = is_same(
            &mut client,
            &self.prepare,
            (known, state),
            (of, longest_call),
        );
        if !timeout(longest_call, said).await??.map_err(sorted)? {
            return Err(Lost::All(CallError::ConfigurationChanged).into());
        }
        let to_prepare = to_prepare(self.shared.allowance.longest_call, state);
        let to_prepare = self.until_deadline(to_prepare);
        let prepared = prepared(&mut client, &self.prepare, (state, to_prepare));
        let id = timeout(to_prepare, prepared).await??.map_err(sorted)?;
        self.name().clone_from(&id);
        about.instance_id = id;
        let longest = self.until_deadline(longest);
        let answered = timeout(longest, self.ask.ask(client, about, longest));
        Ok(answered.await??.map_err(sorted)?)
    }

    /// So much time, or what is left of it.
    fn until_deadline(&self, longest: Duration) -> Duration {
        let left = self.deadline.map(Deadline::left);
        left.map_or(longest, |left| left.min(longest))
    }

    fn name(&self) -> MutexGuard<'_, Bytes> {
        self.instance_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longest time to make an instance: of one with a state to send it, too.
pub(crate) fn to_prepare(longest_call: Duration, state: Option<&State>) -> Duration {
    match state {
        None => longest_call,
        Some(_) => longest_call.max(LONGEST_LOAD),
    }
}

/// Has an instance made, and gives its name. Who does not have its state is sent it first.
pub(crate) async fn prepared(
    client: &mut Client,
    request: &pb::PrepareRequest,
    (state, longest): (Option<&State>, Duration),
) -> Result<Result<Bytes, CallError>, Status> {
    let answer = made(client.prepare(request.clone(), longest).await?);
    match (answer, state) {
        (Err(CallError::StateUnknown), Some(state)) => {
            client.load_state(state, longest).await?;
            Ok(made(client.prepare(request.clone(), longest).await?))
        },
        (answer, _) => Ok(answer),
    }
}

/// What became of a configuration: the name of the instance.
fn made(answer: pb::PrepareResponse) -> Result<Bytes, CallError> {
    match answer.result {
        Some(Made::Instance(instance)) if !instance.id.is_empty() => Ok(instance.id),
        Some(Made::Failure(failure)) => Err(messages::call_error(failure)),
        _ => Err(CallError::output("it names no instance")),
    }
}

pub(crate) fn is_late(status: &Status) -> bool {
    // tonic's own server says CANCELLED where the time is over.
    matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled)
}

/// Whether a failure is of some rows or of all.
fn sorted(error: CallError) -> Lost {
    match &error {
        CallError::Plugin(failure) => match failure.code {
            FailureCode::Cancelled | FailureCode::Deadline => Lost::Trouble(Trouble::Overran),
            FailureCode::InvalidConfig
            | FailureCode::NotFitted
            | FailureCode::Unsupported
            | FailureCode::State => Lost::All(error),
            FailureCode::InvalidInput
            | FailureCode::Resource
            | FailureCode::Panic
            | FailureCode::Internal => {
                let trouble = Trouble::Failed(error.to_string());
                match failure.row {
                    Some(row) => Lost::Row(row, trouble),
                    None => Lost::Trouble(trouble),
                }
            },
        },
        _ => Lost::Trouble(Trouble::Failed(error.to_string())),
    }
}

fn trouble_of<T>(answered: &Result<T, Lost>) -> Option<&Trouble> {
    match answered {
        Err(Lost::Trouble(trouble) | Lost::Row(_, trouble)) => Some(trouble),
        Ok(_) | Err(Lost::All(_)) => None,
    }
}
