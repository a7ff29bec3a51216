//! Batches into ingestion's stream: as many under way as the server's credit allows, every verdict counted.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use sextant_proto::ingestion::v1::{
    BatchVerdicts, IngestBatchRequest, IngestOptions, IngestRequest, IngestResponse,
};

use crate::client::Client;
use crate::import::Error;
use crate::import::batch::{Batch, Batches, Origin};
use crate::import::tally::Tally;

/// When what is sent became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Now.
    Now,
    /// At each record's own time: imported history.
    Historical,
}

/// Shows how far it is.
pub type Observer<'o> = &'o mut (dyn FnMut(&Tally) + Send);

/// Sends all batches and counts what became of each record. What was acknowledged before an error is in the tally.
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
    let (received, thread) = batches.ahead();
    let outcome = Upload::begin(client, knowledge, tally, observer)
        .await?
        .run(received)
        .await;
    // The receiver is gone by now, so the thread ends with the batch that it is making.
    thread.await.map_err(Error::Reader)?;
    outcome
}

/// One stream.
struct Upload<'u> {
    requests: mpsc::Sender<IngestRequest>,
    answers: Streaming<IngestResponse>,
    /// Batches that are not acknowledged, oldest first.
    open: VecDeque<(u64, Vec<Origin>)>,
    n_open: usize,
    credit: usize,
    newest: u64,
    tally: &'u mut Tally,
    observer: Observer<'u>,
}

impl<'u> Upload<'u> {
    async fn begin(
        client: &Client,
        knowledge: Knowledge,
        tally: &'u mut Tally,
        observer: Observer<'u>,
    ) -> Result<Self, Error> {
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
            return Err(Error::CutOff { acknowledged: 0 });
        }
        let call = client
            .ingestion()
            .ingest(client.stream(ReceiverStream::new(outgoing)))
            .await;
        let answers = call.map_err(|status| refused(status, tally))?.into_inner();
        Ok(Self {
            requests,
            answers,
            open: VecDeque::new(),
            n_open: 0,
            credit: 0,
            newest: 0,
            tally,
            observer,
        })
    }

    async fn run(mut self, mut batches: mpsc::Receiver<Result<Batch, Error>>) -> Result<(), Error> {
        let mut next: Option<Batch> = None;
        let mut all_read = false;
        while !all_read || next.is_some() || !self.open.is_empty() {
            let n_next = next.as_ref().map_or(0, |batch| batch.records.len());
            // A batch that alone is beyond the credit goes out in parts.
            let fits = n_next > 0
                && (self.n_open + n_next <= self.credit || (self.n_open == 0 && self.credit > 0));
            tokio::select! {
                answer = self.answers.message() => match answer.map_err(|status| refused(status, self.tally))? {
                    Some(answer) => self.acknowledge(&answer),
                    None => return Err(Error::CutOff { acknowledged: self.tally.acknowledged() }),
                },
                batch = batches.recv(), if next.is_none() && !all_read => match batch {
                    Some(batch) => next = self.take(batch?),
                    None => all_read = true,
                },
                permit = self.requests.clone().reserve_owned(), if fits => {
                    // The stream has ended: its answer says why.
                    let Ok(permit) = permit else { return Err(self.why_ended().await) };
                    if let Some(batch) = next.take() {
                        let (request, rest) = self.request(batch);
                        permit.send(request);
                        next = rest;
                    }
                },
            }
        }
        Ok(())
    }

    /// Counts the unreadable rows of a batch; what remains is to be sent.
    fn take(&mut self, mut batch: Batch) -> Option<Batch> {
        for complaint in batch.malformed.drain(..) {
            self.tally.malformed(complaint);
        }
        (!batch.records.is_empty()).then_some(batch)
    }

    /// The next message of as much of a batch as the credit allows, and the rest.
    fn request(&mut self, mut batch: Batch) -> (IngestRequest, Option<Batch>) {
        let room = self
            .credit
            .saturating_sub(self.n_open)
            .min(batch.records.len());
        let rest = Batch {
            records: batch.records.split_off(room),
            origins: batch.origins.split_off(room),
            malformed: Vec::new(),
        };
        self.newest += 1;
        self.n_open += room;
        self.open.push_back((self.newest, batch.origins));
        let request = IngestRequest {
            options: None,
            sequence: self.newest,
            records: batch.records,
        };
        (request, (!rest.records.is_empty()).then_some(rest))
    }

    fn acknowledge(&mut self, answer: &IngestResponse) {
        self.credit = usize::try_from(answer.credit_records).unwrap_or(usize::MAX);
        if !answer.position.is_empty() {
            answer.position.clone_into(&mut self.tally.position);
        }
        while let Some((sequence, _)) = self.open.front()
            && *sequence <= answer.acknowledged_sequence
        {
            let Some((sequence, origins)) = self.open.pop_front() else {
                break;
            };
            let exceptions = answer
                .exceptions
                .iter()
                .find(|batch| batch.sequence == sequence);
            let exceptions = exceptions.map_or(&[][..], |batch: &BatchVerdicts| &batch.verdicts);
            self.tally.judge(&origins, exceptions);
            self.n_open = self.n_open.saturating_sub(origins.len());
        }
        (self.observer)(self.tally);
    }

    /// Why the server does not take more.
    async fn why_ended(&mut self) -> Error {
        loop {
            match self.answers.message().await {
                Ok(Some(answer)) => self.acknowledge(&answer),
                Ok(None) => {
                    return Error::CutOff {
                        acknowledged: self.tally.acknowledged(),
                    };
                },
                Err(status) => return refused(status, self.tally),
            }
        }
    }
}

fn refused(status: Status, tally: &Tally) -> Error {
    Error::Refused {
        status: Box::new(status),
        acknowledged: tally.acknowledged(),
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
        for complaint in batch.malformed {
            tally.malformed(complaint);
        }
        if batch.records.is_empty() {
            continue;
        }
        let request = IngestBatchRequest {
            options: Some(IngestOptions {
                historical: knowledge == Knowledge::Historical,
            }),
            records: batch.records,
            validate_only: true,
        };
        let answer = client
            .ingestion()
            .ingest_batch(client.request(request))
            .await;
        let answer = answer
            .map_err(|status| refused(status, tally))?
            .into_inner();
        tally.judge(&batch.origins, &answer.verdicts);
        observer(tally);
    }
    thread.await.map_err(Error::Reader)
}
