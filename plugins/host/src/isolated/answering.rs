//! How a batch gets its answers from a process that may be lost in any call.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use tonic::{Code, Request, Status};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::explain_response::Result as Explained;
use sextant_proto::segmenter::v1::prepare_response::Result as Made;
use sextant_proto::segmenter::v1::segment_response::Result as Segmented;

use crate::assignment::Answer;
use crate::isolated::child::{Client, HostProcess};
use crate::isolated::{Shared, Trouble, start};
use crate::{CallError, Deadline, FailureCode, Reason, messages};

/// Processes that one batch may cost. A row among a thousand costs at most twelve.
const MAX_LOSSES: usize = 64;
/// Least time that a call has to end after it was cancelled.
const LEAST_GRACE: Duration = Duration::from_millis(5);

/// What becomes of a question: the outer error says that the process could not be asked, the inner one what the segmenter itself
/// says went wrong.
type Asked<A> = BoxFuture<'static, Result<Result<A, CallError>, Status>>;

/// A question about a batch.
pub(crate) trait Ask: Clone + Send + Sync + 'static {
    type Answer: Send + 'static;

    /// Asks.
    fn ask(&self, client: Client, about: About, longest: Duration) -> Asked<Self::Answer>;
}

/// What a question is about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) instance_id: Bytes,
    pub(crate) context: pb::Context,
    pub(crate) rows: usize,
    pub(crate) batch: Bytes,
}

/// Which segment?
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment;

impl Ask for Segment {
    type Answer = Answer;

    fn ask(&self, mut client: Client, about: About, longest: Duration) -> Asked<Answer> {
        async move {
            let rows = about.rows;
            let mut request = Request::new(pb::SegmentRequest {
                instance_id: about.instance_id,
                context: Some(about.context),
                batch: about.batch,
            });
            request.set_timeout(longest);
            let answer = client.segment(request).await?.into_inner();
            Ok(match answer.result {
                Some(Segmented::Batch(bytes)) => messages::decode(&bytes)
                    .map_err(not_arrow)
                    .and_then(|batch| messages::answer(&batch, rows)),
                Some(Segmented::Failure(failure)) => Err(messages::call_error(failure)),
                None => Err(CallError::output("the answer is empty")),
            })
        }
        .boxed()
    }
}

/// Why?
#[derive(Debug, Clone, Copy)]
pub(crate) struct Explain {
    pub(crate) top_k: u32,
}

impl Ask for Explain {
    type Answer = Vec<Vec<Reason>>;

    fn ask(&self, mut client: Client, about: About, longest: Duration) -> Asked<Self::Answer> {
        let top_k = self.top_k;
        async move {
            let mut request = Request::new(pb::ExplainRequest {
                instance_id: about.instance_id,
                context: Some(about.context),
                batch: about.batch,
                top_k,
            });
            request.set_timeout(longest);
            let answer = client.explain(request).await?.into_inner();
            Ok(match answer.result {
                Some(Explained::Explanations(said)) => Ok(messages::reasons(said)),
                Some(Explained::Failure(failure)) => Err(messages::call_error(failure)),
                None => Err(CallError::output("the answer is empty")),
            })
        }
        .boxed()
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function to map errors"
)]
fn not_arrow(error: arrow_schema::ArrowError) -> CallError {
    CallError::output(format!("it is no Arrow stream: {error}"))
}

/// The answers to a batch: of ranges of its rows, and rows without one.
#[derive(Debug)]
pub(crate) struct Found<A> {
    pub(crate) answers: Vec<(Range<usize>, A)>,
    pub(crate) without: Vec<(usize, Trouble)>,
}

/// A batch that is being answered.
pub(crate) struct Answering<A> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) create: pb::PrepareRequest,
    pub(crate) instance_id: Bytes,
    pub(crate) context: pb::Context,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) ask: A,
}

/// Whether rows have been shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    First,
    Again,
}

/// The rows between some that are left out, the first at the end.
fn between(out: &[(usize, Trouble)], rows: usize) -> Vec<(Range<usize>, Shown)> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for end in out.iter().map(|(row, _)| *row).chain([rows]) {
        if start < end {
            ranges.push((start..end, Shown::First));
        }
        start = end + 1;
    }
    ranges.reverse();
    ranges
}

/// What came of one call.
enum Lost {
    /// These rows are in trouble, others may not be.
    Trouble(Trouble),
    /// No row would be answered: the configuration is refused, for one.
    All(CallError),
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
        let mut open = between(&poison, batch.num_rows());
        let mut found = Found {
            answers: Vec::new(),
            without: poison,
        };
        let mut losses = 0;
        while let Some((range, shown)) = open.pop() {
            let mut answered = self.one(&batch, range.clone()).await;
            let is_lost = matches!(answered, Err(Lost::Trouble(Trouble::Crashed(_))));
            if shown == Shown::First && is_lost && !self.is_late() {
                losses += 1;
                answered = self.one(&batch, range.clone()).await;
            }
            let trouble = match answered {
                Ok(answer) => {
                    found.answers.push((range, answer));
                    continue;
                },
                Err(Lost::All(error)) => return Err(error),
                Err(Lost::Trouble(trouble)) => trouble,
            };
            losses += 1;
            let independent = self.shared.told.row_independent;
            if independent && range.len() > 1 && losses < MAX_LOSSES && !self.is_late() {
                let middle = range.start + range.len() / 2;
                open.push((middle..range.end, Shown::Again));
                open.push((range.start..middle, Shown::Again));
                continue;
            }
            // Of one row alone it is known that it is the row.
            if independent && range.len() == 1 {
                let mut poison = self.shared.poison();
                poison.remember(&self.instance_id, &batch, range.start, trouble.clone());
            }
            found
                .without
                .extend(range.map(|row| (row, trouble.clone())));
        }
        if losses > 0 {
            self.shared.breaker().incident();
        }
        Ok(found)
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline.left().is_zero())
    }

    /// Time that one call may take now.
    fn longest(&self) -> Duration {
        let longest = self.shared.allowance.longest_call;
        let left = self.deadline.map(Deadline::left);
        left.map_or(longest, |left| left.min(longest))
    }

    /// Shows some of the rows, once.
    async fn one(&self, batch: &RecordBatch, rows: Range<usize>) -> Result<A::Answer, Lost> {
        let shown = batch.slice(rows.start, rows.len());
        let bytes = messages::encode(&shown).map_err(|error| Lost::All(error.into()))?;
        let about = About {
            instance_id: self.instance_id.clone(),
            context: self.context.clone(),
            rows: rows.len(),
            batch: bytes.into(),
        };
        let mut turn = Arc::clone(&self.shared.turn).lock_owned().await;
        if self.is_late() {
            return Err(Lost::Trouble(Trouble::Overran));
        }
        let client = self.client(&mut turn).await?;
        let longest = self.longest();
        let asked = self.asked(client.clone(), about, longest);
        match timeout(longest, asked).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(sorted(error)),
            Ok(Err(status)) if is_late(&status) => Err(self.overran(turn, client, longest)),
            Ok(Err(_hung_up)) => Err(self.crashed(turn).await),
            Err(_elapsed) => Err(self.overran(turn, client, longest)),
        }
    }

    /// Asks; a process that does not know the instance, for it was just started, is told of it first.
    async fn asked(
        &self,
        mut client: Client,
        about: About,
        longest: Duration,
    ) -> Result<Result<A::Answer, CallError>, Status> {
        match self.ask.ask(client.clone(), about.clone(), longest).await? {
            Err(CallError::Poisoned) => {},
            answered => return Ok(answered),
        }
        let mut create = Request::new(self.create.clone());
        create.set_timeout(longest);
        match client.prepare(create).await?.into_inner().result {
            Some(Made::Instance(_)) => self.ask.ask(client, about, longest).await,
            Some(Made::Failure(failure)) => Ok(Err(messages::call_error(failure))),
            None => Ok(Err(CallError::output("the answer is empty"))),
        }
    }

    /// The process whose turn it is, started if there is none.
    async fn client(&self, turn: &mut Option<HostProcess>) -> Result<Client, Lost> {
        if let Some(process) = turn {
            return Ok(process.client());
        }
        let shared = &self.shared;
        let (hosts, file) = (shared.hosts.clone(), Arc::clone(&shared.file));
        match start(hosts, file, shared.memory_bytes).await {
            Ok((process, _told)) => Ok(turn.insert(process).client()),
            Err(error) => Err(Lost::Trouble(Trouble::Failed(error.finding().told()))),
        }
    }

    async fn crashed(&self, mut turn: OwnedMutexGuard<Option<HostProcess>>) -> Lost {
        self.shared.breaker().lost();
        let crash = match turn.take() {
            Some(process) => process.end().await,
            None => super::Crash::default(),
        };
        Lost::Trouble(Trouble::Crashed(crash))
    }

    /// Who did not answer in time was told to stop. A process that does not do so within the grace is killed, with nobody waiting.
    fn overran(
        &self,
        mut turn: OwnedMutexGuard<Option<HostProcess>>,
        mut client: Client,
        longest: Duration,
    ) -> Lost {
        let grace = (longest / 5).max(LEAST_GRACE);
        let shared = Arc::clone(&self.shared);
        let _goes_on = self.shared.hosts.go_on(async move {
            // It answers this as soon as it has stopped.
            let stopped = timeout(grace, client.describe(pb::DescribeRequest {})).await;
            if !matches!(stopped, Ok(Ok(_))) {
                shared.breaker().lost();
                *turn = None;
            }
        });
        Lost::Trouble(Trouble::Overran)
    }
}

fn is_late(status: &Status) -> bool {
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
            | FailureCode::Internal => Lost::Trouble(Trouble::Failed(error.to_string())),
        },
        _ => Lost::Trouble(Trouble::Failed(error.to_string())),
    }
}
