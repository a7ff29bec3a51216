//! Batches into ingestion's stream: as many under way as the server's credit allows, every verdict counted.
//!
//! Where the stream breaks, what is not acknowledged is sent again in a new one, see [`crate::import::patience`].

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use sextant_proto::ingestion::v1::{
    BatchVerdicts, IngestBatchRequest, IngestOptions, IngestRequest, IngestResponse,
};

use crate::client::Client;
use crate::import::Error;
use crate::import::batch::{Batch, Batches, Delivery};
use crate::import::patience::{News, Patience, may_come_back, persist};
use crate::import::tally::Tally;

/// Longest wait for the end of a stream of which everything is acknowledged.
const LONGEST_END: Duration = Duration::from_secs(5);

/// When what is sent became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Now.
    Now,
    /// At each record's own time: imported history.
    Historical,
}

/// Shows how far it is.
pub type Observer<'o> = &'o mut (dyn FnMut(&Tally, News<'_>) + Send);

/// Sends all batches and counts what became of each record. While the service is away, it waits, but not for ever
/// ([`LONGEST`](crate::import::patience::LONGEST)). What was acknowledged before an error is in the tally.
///
/// # Errors
/// The file's, or the server's, which then says how many records were acknowledged.
pub async fn upload(
    client: &Client,
    knowledge: Knowledge,
    batches: Batches,
    tally: &mut Tally,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let (batches, thread) = batches.ahead();
    let mut upload = Upload {
        batches,
        all_read: false,
        waiting: VecDeque::new(),
        open: VecDeque::new(),
        patience: Patience::default(),
        tally,
        observer,
    };
    let outcome = loop {
        let ended = upload.once(client, knowledge).await;
        match ended {
            Err(error) if upload.bear(&error).await => {},
            ended => break ended,
        }
    };
    // Without its receiver, the thread ends with the batch that it is making.
    drop(upload);
    thread.await.map_err(Error::Reader)?;
    outcome
}

/// What is sent, over as many streams as it takes.
struct Upload<'u> {
    batches: mpsc::Receiver<Result<Batch, Error>>,
    all_read: bool,
    /// Batches that are to be sent, in this order.
    waiting: VecDeque<Batch>,
    /// Batches of the stream that are not acknowledged, oldest first.
    open: VecDeque<(u64, Batch)>,
    patience: Patience,
    tally: &'u mut Tally,
    observer: Observer<'u>,
}

/// One stream.
struct Stream {
    requests: mpsc::Sender<IngestRequest>,
    answers: Streaming<IngestResponse>,
    n_open: usize,
    credit: usize,
    newest: u64,
}

impl Stream {
    async fn begin(client: &Client, knowledge: Knowledge) -> Result<Self, Option<Status>> {
        let (requests, outgoing) = mpsc::channel(1);
        let options = IngestOptions {
            historical: knowledge == Knowledge::Historical,
        };
        let first = IngestRequest {
            options: Some(options),
            ..IngestRequest::default()
        };
        // The channel is empty and its receiver is alive: this neither waits nor fails.
        if requests.send(first).await.is_err() {
            return Err(None);
        }
        let call = client
            .ingestion()
            .ingest(client.stream(ReceiverStream::new(outgoing)))
            .await;
        Ok(Self {
            requests,
            answers: call.map_err(Some)?.into_inner(),
            n_open: 0,
            credit: 0,
            newest: 0,
        })
    }

    /// Lets the server end it: one that is dropped counts as given up. Everything is acknowledged, so nothing that goes wrong
    /// here matters.
    async fn end(self) {
        let Self {
            requests,
            mut answers,
            ..
        } = self;
        drop(requests);
        let ended = async { while let Ok(Some(_)) = answers.message().await {} };
        tokio::time::timeout(LONGEST_END, ended).await.unwrap_or(());
    }

    /// Whether the credit allows to send of a batch of so many records. One that alone is beyond the credit goes out in parts.
    fn takes(&self, n_records: usize) -> bool {
        n_records > 0
            && (self.n_open + n_records <= self.credit || (self.n_open == 0 && self.credit > 0))
    }
}

impl Upload<'_> {
    /// Sends what there is over one stream, to the end or until that breaks.
    async fn once(&mut self, client: &Client, knowledge: Knowledge) -> Result<(), Error> {
        let begun = Stream::begin(client, knowledge).await;
        let mut stream = begun.map_err(|why| self.ended(why))?;
        while !(self.all_read && self.waiting.is_empty() && self.open.is_empty()) {
            let n_next = self.waiting.front().map_or(0, |batch| batch.records.len());
            tokio::select! {
                answer = stream.answers.message() => match answer {
                    Ok(Some(answer)) => self.acknowledge(&answer, &mut stream),
                    Ok(None) => return Err(self.ended(None)),
                    Err(status) => return Err(self.ended(Some(status))),
                },
                batch = self.batches.recv(), if n_next == 0 && !self.all_read => match batch {
                    Some(batch) => self.take(batch?),
                    None => self.all_read = true,
                },
                permit = stream.requests.clone().reserve_owned(), if stream.takes(n_next) => {
                    // The stream has ended: its answer says why.
                    let Ok(permit) = permit else { return Err(self.why_ended(&mut stream).await) };
                    if let Some(batch) = self.waiting.pop_front() {
                        permit.send(self.request(batch, &mut stream));
                    }
                },
            }
        }
        stream.end().await;
        Ok(())
    }

    /// Takes a batch that is to be sent. One of unreadable rows alone is told with what is before it, and at once where that is told.
    fn take(&mut self, batch: Batch) {
        if !batch.records.is_empty() {
            self.waiting.push_back(batch);
            return;
        }
        let open = self.open.back_mut().map(|(_, batch)| batch);
        match self.waiting.back_mut().or(open) {
            Some(before) => before.malformed.extend(batch.malformed),
            None => self.tally.judge(&[], batch.malformed, &[], Delivery::First),
        }
    }

    /// The next message of as much of a batch as the credit allows; the rest goes on waiting.
    fn request(&mut self, mut batch: Batch, stream: &mut Stream) -> IngestRequest {
        let room = stream
            .credit
            .saturating_sub(stream.n_open)
            .min(batch.records.len());
        if room < batch.records.len() {
            let origins = batch.origins.split_off(room);
            let first = origins.first().map_or(0, |origin| origin.row);
            let n_before = batch.malformed.partition_point(|one| one.row < first);
            self.waiting.push_front(Batch {
                delivery: batch.delivery,
                records: batch.records.split_off(room),
                malformed: batch.malformed.split_off(n_before),
                origins,
            });
        }
        stream.newest += 1;
        stream.n_open += room;
        let request = IngestRequest {
            options: None,
            sequence: stream.newest,
            // Kept until they are acknowledged, to be sent again if they are not.
            records: batch.records.clone(),
        };
        self.open.push_back((stream.newest, batch));
        request
    }

    fn acknowledge(&mut self, answer: &IngestResponse, stream: &mut Stream) {
        stream.credit = usize::try_from(answer.credit_records).unwrap_or(usize::MAX);
        if !answer.position.is_empty() {
            answer.position.clone_into(&mut self.tally.position);
        }
        while let Some((sequence, _)) = self.open.front()
            && *sequence <= answer.acknowledged_sequence
        {
            let Some((sequence, batch)) = self.open.pop_front() else {
                break;
            };
            let exceptions = answer
                .exceptions
                .iter()
                .find(|batch| batch.sequence == sequence);
            let exceptions = exceptions.map_or(&[][..], |batch: &BatchVerdicts| &batch.verdicts);
            let Batch {
                origins, malformed, ..
            } = batch;
            self.tally
                .judge(&origins, malformed, exceptions, batch.delivery);
            stream.n_open = stream.n_open.saturating_sub(origins.len());
            if self.patience.progress() {
                (self.observer)(self.tally, News::Back);
            }
        }
        (self.observer)(self.tally, News::Judged);
    }

    /// Why the server does not take more.
    async fn why_ended(&mut self, stream: &mut Stream) -> Error {
        loop {
            match stream.answers.message().await {
                Ok(Some(answer)) => self.acknowledge(&answer, stream),
                Ok(None) => return self.ended(None),
                Err(status) => return self.ended(Some(status)),
            }
        }
    }

    /// The error of a stream that ended for a reason, or for none.
    fn ended(&self, why: Option<Status>) -> Error {
        let acknowledged = self.tally.acknowledged();
        match why {
            Some(status) => Error::Refused {
                status: Box::new(status),
                acknowledged,
            },
            None => Error::CutOff { acknowledged },
        }
    }

    /// Waits for a service that is away; what is not acknowledged is then to be sent again. Whether to go on.
    async fn bear(&mut self, error: &Error) -> bool {
        let status = match error {
            Error::Refused { status, .. } => Some(status.as_ref()),
            Error::CutOff { .. } => None,
            Error::Unreadable { .. }
            | Error::Header { .. }
            | Error::Rejects { .. }
            | Error::RejectsAreInput { .. }
            | Error::Reader(_) => return false,
        };
        if !self.patience.is_away() && status.is_none_or(may_come_back) {
            let why = status.map_or("the server ended the stream", Status::message);
            (self.observer)(self.tally, News::Away(why));
        }
        while let Some((_, batch)) = self.open.pop_back() {
            self.waiting.push_front(Batch {
                delivery: Delivery::Repeated,
                ..batch
            });
        }
        self.patience.bear(status).await
    }
}

/// Asks what would become of all batches, and stores nothing.
///
/// # Errors
/// The file's or the server's.
pub async fn rehearse(
    client: &Client,
    knowledge: Knowledge,
    batches: Batches,
    tally: &mut Tally,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let (mut received, thread) = batches.ahead();
    while let Some(batch) = received.recv().await {
        let batch = batch?;
        if batch.records.is_empty() {
            tally.judge(&[], batch.malformed, &[], Delivery::First);
            continue;
        }
        let request = IngestBatchRequest {
            options: Some(IngestOptions {
                historical: knowledge == Knowledge::Historical,
            }),
            records: batch.records,
            validate_only: true,
        };
        let answer = persist(
            |news| observer(tally, news),
            || {
                let (client, request) = (client.clone(), request.clone());
                Box::pin(async move {
                    client
                        .ingestion()
                        .ingest_batch(client.request(request))
                        .await
                })
            },
        )
        .await;
        let answer = answer.map_err(|status| Error::Refused {
            status: Box::new(status),
            acknowledged: tally.acknowledged(),
        })?;
        tally.judge(
            &batch.origins,
            batch.malformed,
            &answer.into_inner().verdicts,
            Delivery::First,
        );
        observer(tally, News::Judged);
    }
    thread.await.map_err(Error::Reader)
}
