//! The stream of batches: while one commit is under way, the next batches are received and checked, and whatever waits when
//! it is done shares the next commit.
//!
//! Everything of a stream runs in one task that its response owns, so a stream that is cancelled or broken takes its work with
//! it, and one whose client does not read goes on until its answers have waited too long. A commit that is under way when the
//! work ends may still happen; it was not acknowledged, and the client's retry gets DUPLICATE.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::stream::{BoxStream, Stream, StreamExt};
use tokio::sync::mpsc::{self, error::SendTimeoutError};
use tokio::task::JoinSet;
use tonic::Status;
use tracing::Instrument as _;

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{
    BatchVerdicts, IngestRequest, IngestResponse, Record, VerdictKind,
};
use sextant_wire::status::{Problem, refused_by_transport};

use crate::admission::{self, Arrived, CheckedBatch, Knowledge, Terms};
use crate::budget::{StreamRoom, Taken};
use crate::commit::commit;
use crate::service::Shared;
use crate::verdicts;

/// Records that one commit may hold.
const MAX_COMMIT_RECORDS: usize = 10_000;
/// Encoded records that one commit may hold, in KiB, unless a single batch has more: an entry of the feed is read whole.
const MAX_COMMIT_KIB: usize = 2_048;
/// Checked batches of one stream that may wait for their commit.
const MAX_WAITING: usize = 256;
/// Acknowledgements that may wait for the client to read them.
const MAX_ANSWERS: usize = 4;
/// How long an acknowledgement may wait for room; a client that does not read must not hold its part of the budget.
const MAX_UNREAD: Duration = Duration::from_secs(60);

/// One stream.
struct Session {
    shared: Arc<Shared>,
    tenant: TenantId,
    /// Records received and not acknowledged.
    n_open: AtomicUsize,
    room: StreamRoom,
}

/// A batch that waits for its commit.
struct Waiting {
    sequence: u64,
    batch: CheckedBatch,
    /// For its encoded size, given back after the commit.
    room: Taken,
}

/// Acknowledges batches as they are stored. The first item grants the credit; then each names the batches up to which all
/// is stored. An error of the client ends the stream after everything before it was stored and acknowledged.
///
/// # Errors
/// OVERLOADED: the tenant has too many streams open.
pub(crate) fn acknowledge(
    shared: Arc<Shared>,
    tenant: TenantId,
    messages: BoxStream<'static, Result<IngestRequest, Status>>,
) -> Result<BoxStream<'static, Result<IngestResponse, Status>>, Problem> {
    let room = shared.budget.stream(tenant)?;
    let session = Session {
        shared,
        tenant,
        n_open: AtomicUsize::new(0),
        room,
    };
    let (answers, answered) = mpsc::channel(MAX_ANSWERS);
    let work = async move {
        let (batches, waiting) = mpsc::channel(MAX_WAITING);
        let receive = async { Ok::<_, Status>(session.receive(messages, batches).await) };
        // A failed commit ends the stream at once; a bad message first lets what came before it be stored.
        let (received, ()) = tokio::try_join!(receive, session.store(waiting, answers))?;
        received
    };
    let mut task = JoinSet::new();
    task.spawn(work.in_current_span());
    Ok(Acknowledgements { task, answered }.boxed())
}

impl Session {
    /// Receives and checks batches.
    async fn receive(
        &self,
        mut messages: BoxStream<'static, Result<IngestRequest, Status>>,
        batches: mpsc::Sender<Waiting>,
    ) -> Result<(), Status> {
        let mut knowledge = None;
        let mut newest = 0;
        while let Some(message) = messages.next().await {
            let message = message.map_err(refused)?;
            let knowledge =
                *knowledge.get_or_insert_with(|| Knowledge::of(message.options.as_ref()));
            if message.sequence == 0 && message.records.is_empty() {
                continue; // Options alone.
            }
            if message.sequence <= newest {
                let text = format!(
                    "is {} after {newest}; count batches up from 1",
                    message.sequence
                );
                return Err(Problem::field(ErrorReason::FieldInvalid, "sequence", text).into());
            }
            newest = message.sequence;
            self.admit(message.records.len())?;
            let batch = self.check(message.records, knowledge).await?;
            let Some(room) = self.room.take(batch.n_bytes).await else {
                return Ok(());
            };
            let waiting = Waiting {
                sequence: newest,
                batch,
                room,
            };
            if batches.send(waiting).await.is_err() {
                return Ok(()); // A commit has failed; its error ends the stream.
            }
        }
        Ok(())
    }

    /// Counts records against the credit.
    fn admit(&self, n_records: usize) -> Result<(), Problem> {
        let limits = &self.shared.deps.limits;
        admission::check_size(n_records, limits.max_batch_records)?;
        let n_open = self.n_open.fetch_add(n_records, Ordering::Relaxed) + n_records;
        if usize::try_from(limits.credit_records).is_ok_and(|credit| n_open > credit) {
            let message = format!(
                "{n_open} records are not acknowledged, the credit is {}; wait for acknowledgements before sending more",
                limits.credit_records
            );
            return Err(Problem::new(ErrorReason::Overloaded, message));
        }
        Ok(())
    }

    async fn check(
        &self,
        records: Vec<Record>,
        knowledge: Knowledge,
    ) -> Result<CheckedBatch, Problem> {
        let tenant = self.shared.tenants.get(self.tenant).await?;
        let terms = Terms::new(&tenant, knowledge, self.shared.deps.clock.now());
        let records = records.into_iter().map(Arrived::of);
        admission::check_apart(records, terms).await
    }

    /// Commits what waits, until nothing more comes.
    async fn store(
        &self,
        mut waiting: mpsc::Receiver<Waiting>,
        answers: mpsc::Sender<IngestResponse>,
    ) -> Result<(), Status> {
        let grant = IngestResponse {
            credit_records: self.shared.deps.limits.credit_records,
            ..IngestResponse::default()
        };
        if !told(&answers, grant).await? {
            return Ok(());
        }
        let mut left_over = None;
        loop {
            let first = match left_over.take() {
                Some(first) => Some(first),
                None => waiting.recv().await,
            };
            let Some(first) = first else { return Ok(()) };
            let mut group = Group::of(first);
            while left_over.is_none()
                && let Ok(next) = waiting.try_recv()
            {
                left_over = group.join(next);
            }
            let answer = self.commit(group).await?;
            if !told(&answers, answer).await? {
                return Ok(());
            }
        }
    }

    async fn commit(&self, group: Group) -> Result<IngestResponse, Problem> {
        let tenant = self.shared.tenants.get(self.tenant).await?;
        let n_records = group.n_records;
        let shapes: Vec<(u64, usize)> = group
            .members
            .iter()
            .map(|one| (one.sequence, one.batch.facts.len()))
            .collect();
        let (batches, rooms): (Vec<_>, Vec<_>) = group
            .members
            .into_iter()
            .map(|one| (one.batch, one.room))
            .unzip();
        let stored = commit(&self.shared, &tenant, batches).await?;
        drop(rooms);
        let mut answer = IngestResponse {
            credit_records: self.shared.deps.limits.credit_records,
            position: stored.position,
            ..IngestResponse::default()
        };
        let mut outcomes = stored.outcomes.iter();
        for ((sequence, n_facts), refused) in shapes.into_iter().zip(stored.refused) {
            let mut verdicts = Vec::new();
            for verdict in verdicts::in_order(refused, outcomes.by_ref().take(n_facts)) {
                if verdict.kind() == VerdictKind::Accepted {
                    answer.accepted += 1;
                } else {
                    verdicts.push(verdict);
                }
            }
            answer.acknowledged_sequence = sequence;
            if !verdicts.is_empty() {
                answer.exceptions.push(BatchVerdicts { sequence, verdicts });
            }
        }
        // Before the client can see the acknowledgement, so that it can never be refused for relying on it.
        self.n_open.fetch_sub(n_records, Ordering::Relaxed);
        Ok(answer)
    }
}

/// Batches that share a commit.
struct Group {
    members: Vec<Waiting>,
    n_records: usize,
    kib: usize,
}

impl Group {
    fn of(first: Waiting) -> Self {
        Self {
            n_records: first.batch.n_records,
            kib: first.room.kib(),
            members: vec![first],
        }
    }

    /// Takes a batch in, or gives it back if it is too much.
    fn join(&mut self, next: Waiting) -> Option<Waiting> {
        let n_records = self.n_records + next.batch.n_records;
        let kib = self.kib + next.room.kib();
        if n_records > MAX_COMMIT_RECORDS || kib > MAX_COMMIT_KIB {
            return Some(next);
        }
        self.n_records = n_records;
        self.kib = kib;
        self.members.push(next);
        None
    }
}

/// The status of a message that could not be received, with its reason.
fn refused(status: Status) -> Status {
    refused_by_transport("IngestionService/Ingest", &status).map_or(status, Status::from)
}

/// Hands an answer on, unless the response is gone.
async fn told(
    answers: &mpsc::Sender<IngestResponse>,
    answer: IngestResponse,
) -> Result<bool, Problem> {
    match answers.send_timeout(answer, MAX_UNREAD).await {
        Ok(()) => Ok(true),
        Err(SendTimeoutError::Closed(_)) => Ok(false),
        Err(SendTimeoutError::Timeout(_)) => {
            let message = format!(
                "acknowledgements were not read for {} s; read them while you send",
                MAX_UNREAD.as_secs()
            );
            Err(Problem::new(ErrorReason::Overloaded, message))
        },
    }
}

/// The answers of a stream, and the task that makes them.
struct Acknowledgements {
    task: JoinSet<Result<(), Status>>,
    answered: mpsc::Receiver<IngestResponse>,
}

impl Stream for Acknowledgements {
    type Item = Result<IngestResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(answer) = ready!(self.answered.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(answer)));
        }
        // The task has ended or is about to, for it owned the sender.
        let ended = match ready!(self.task.poll_join_next(cx)) {
            Some(Ok(ended)) => ended,
            Some(Err(panicked)) => Err(Problem::new(ErrorReason::Internal, "the stream broke")
                .caused_by(panicked)
                .into()),
            None => Ok(()),
        };
        Poll::Ready(ended.err().map(Err))
    }
}
