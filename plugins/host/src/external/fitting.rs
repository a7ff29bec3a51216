//! Fitting a segmenter to a population, in a process that serves nobody else.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::fit_request::Part;
use sextant_proto::segmenter::v1::fit_response::Part as Answer;

use crate::binding::Binding;
use crate::external::answering::is_late;
use crate::external::child::{HostProcess, How};
use crate::external::peer::Peer;
use crate::external::{External, Hosts, Trouble};
use crate::instance::MAX_PASSES;
use crate::state::MAX_STATE_BYTES;
use crate::{Call, CallError, State, Verified, messages};

/// Parts that are on their way at one time.
const MAX_SENT: usize = 4;

/// What a fit is made of.
struct Fit {
    start: pb::FitStart,
    batches: Vec<Bytes>,
    longest: Duration,
}

impl External {
    /// Fits it to a population, in a process of its own that gives way to others. The same configuration, moment, seed and population
    /// give the same state, if it keeps its promises. Waits as long as the operator allows, or until the call's deadline: not for
    /// threads of an asynchronous runtime.
    ///
    /// # Errors
    ///
    /// It is none that is fitted, refuses configuration or population, or its process was lost or took too long.
    pub fn fit(
        &self,
        config_json: &str,
        population: &[RecordBatch],
        call: &Call<'_>,
    ) -> Result<State, CallError> {
        let Peer::Process(peer) = &self.shared.peer else {
            return Err(CallError::FitUnsupported);
        };
        if !self.shared.told.fits {
            return Err(CallError::FitUnsupported);
        }
        let config = self.descriptor().config_schema.canonical(config_json);
        let config = config.map_err(CallError::Config)?;
        let descriptor = self.configured(&config, None)?;
        let schema = population.first().map(RecordBatch::schema);
        let schema = schema.unwrap_or_else(|| Arc::new(crate::rows::schema(&descriptor)));
        let binding = Binding::plan(&descriptor, &schema)?;
        let input = Schema::new(binding.fields().clone());
        let batches = population.iter().map(|batch| {
            let prepared = binding.prepare(&descriptor, batch)?;
            let columns = prepared.columns().to_vec();
            let shown = crate::rows::batch(input.clone(), prepared.rows, columns)?;
            Ok(messages::encode(&shown)?.into())
        });
        let batches = batches.collect::<Result<Vec<Bytes>, CallError>>()?;
        let n_rows: usize = population.iter().map(RecordBatch::num_rows).sum();
        let longest = self.shared.allowance.longest_fit;
        let fit = Fit {
            start: pb::FitStart {
                config_json: config,
                input_schema: messages::encode_schema(&input)?.into(),
                context: Some(pb::Context {
                    tenant_id: call.tenant.to_owned(),
                    as_of_us: call.as_of_us,
                    seed: call.seed,
                }),
                rows: u64::try_from(n_rows).unwrap_or(u64::MAX),
            },
            batches,
            longest: call.deadline.map_or(longest, |at| at.left().min(longest)),
        };
        let hosts = self.shared.hosts.clone();
        let (file, how) = peer.in_background();
        let fitting = fitted(hosts, file, how, fit);
        let ended = || CallError::Lost(Trouble::Gone("the service ends".to_owned()));
        let fitted = self.shared.hosts.wait_for(None, fitting.boxed());
        // Not on the thread that speaks with all processes: it may be long.
        fitted.unwrap_or_else(|| Err(ended())).map(State::new)
    }
}

/// Starts a process, has it fit, and ends it.
async fn fitted(
    hosts: Hosts,
    file: Arc<Verified>,
    how: How,
    fit: Fit,
) -> Result<Vec<u8>, CallError> {
    let process = HostProcess::start(&hosts, &file, &how).await;
    let process =
        process.map_err(|error| CallError::Lost(Trouble::NotStarted(error.finding().told())))?;
    let longest = fit.longest;
    let (send, parts) = mpsc::channel(MAX_SENT);
    let mut client = process.client();
    let learning = async {
        let answers = client.fit(ReceiverStream::new(parts), longest).await?;
        learned(fit, send, answers).await
    };
    match timeout(longest, learning).await {
        Ok(Ok(learned)) => learned,
        Ok(Err(status)) if is_late(&status) => Err(CallError::Lost(Trouble::Overran)),
        Ok(Err(_hung_up)) => Err(CallError::Lost(Trouble::Crashed(process.end().await))),
        Err(_elapsed) => Err(CallError::Lost(Trouble::Overran)),
    }
}

/// Shows every pass and takes the state.
async fn learned(
    fit: Fit,
    send: mpsc::Sender<pb::FitRequest>,
    mut answers: Streaming<pb::FitResponse>,
) -> Result<Result<Vec<u8>, CallError>, Status> {
    let mut start = Some(Part::Start(fit.start));
    for _pass in 0..MAX_PASSES {
        let parts = start.take().into_iter();
        let parts = parts.chain(fit.batches.iter().cloned().map(Part::Batch));
        let parts = parts.chain([Part::PassEnd(pb::FitPassEnd {})]);
        let answer = shown(parts, &send, &mut answers).await?;
        match answer.and_then(|answer| answer.part) {
            Some(Answer::Passed(passed)) if passed.again => {},
            Some(Answer::Passed(_)) => {
                drop(send);
                return state(answers).await;
            },
            Some(Answer::Failure(failure)) => return Ok(Err(messages::call_error(failure))),
            Some(Answer::State(_)) | None => {
                return Ok(Err(CallError::output("a pass of the fit has no end")));
            },
        }
    }
    let what = format!("it asks for more than {MAX_PASSES} passes");
    Ok(Err(CallError::output(what)))
}

/// Shows a pass, and gives what is answered to it: to one that fails before its end.
async fn shown(
    parts: impl Iterator<Item = Part>,
    send: &mpsc::Sender<pb::FitRequest>,
    answers: &mut Streaming<pb::FitResponse>,
) -> Result<Option<pb::FitResponse>, Status> {
    let showing = async {
        for part in parts {
            let part = Some(part);
            // Who has failed takes no more.
            if send.send(pb::FitRequest { part }).await.is_err() {
                return;
            }
        }
    };
    let mut showing = pin!(showing.fuse());
    loop {
        futures_util::select_biased! {
            answer = answers.message().fuse() => return answer,
            () = showing => {},
        }
    }
}

async fn state(
    mut answers: Streaming<pb::FitResponse>,
) -> Result<Result<Vec<u8>, CallError>, Status> {
    let mut bytes = Vec::new();
    while let Some(answer) = answers.message().await? {
        match answer.part {
            Some(Answer::State(piece)) if bytes.len() + piece.len() <= MAX_STATE_BYTES => {
                bytes.extend_from_slice(&piece);
            },
            _ => return Ok(Err(CallError::output("what follows a fit is no state"))),
        }
    }
    if bytes.is_empty() {
        return Ok(Err(CallError::output("its state is empty")));
    }
    Ok(Ok(bytes))
}
