//! The contract as gRPC, in front of the plugin thread.

use std::collections::VecDeque;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::oneshot;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming, async_trait};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::evaluation_service_server::EvaluationService;
use sextant_proto::segmenter::v1::fit_response::Part as Fitted;

use crate::messages::PIECE_BYTES;
use crate::process::heap;
use crate::process::worker::{Ends, FitStep, Worker};
use crate::state::MAX_STATE_BYTES;
use crate::{Deadline, messages};

/// Something to do on the plugin thread.
pub(crate) type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// Raises the flag when nobody waits any more: at the deadline, and when a call is cancelled.
struct Raise(Arc<AtomicU32>);

impl Drop for Raise {
    fn drop(&mut self) {
        self.0.store(1, Ordering::Relaxed);
    }
}

/// The service of one segmenter.
#[derive(Debug)]
pub(crate) struct Evaluations {
    jobs: Sender<Job>,
}

impl Evaluations {
    pub(crate) const fn new(jobs: Sender<Job>) -> Self {
        Self { jobs }
    }

    /// Has something done on the plugin thread.
    async fn ask<T: Send + 'static>(
        &self,
        ends: Ends,
        work: impl FnOnce(&mut Worker, &Ends) -> T + Send + 'static,
    ) -> Result<Response<T>, Status> {
        Ok(Response::new(done(&self.jobs, ends, work).await))
    }
}

/// Has something done on the plugin thread.
async fn done<T: Send + 'static>(
    jobs: &Sender<Job>,
    ends: Ends,
    work: impl FnOnce(&mut Worker, &Ends) -> T + Send + 'static,
) -> T {
    let raise = Raise(Arc::clone(&ends.cancel));
    let (tell, told) = oneshot::channel();
    let job = move |worker: &mut Worker| {
        // Who waits no longer is told nothing.
        let _nobody_waits = tell.send(work(worker, &ends));
    };
    // A process without its plugin thread is of no use.
    if jobs.send(Box::new(job)).is_err() {
        process::exit(1);
    }
    let Ok(answer) = told.await else {
        process::exit(1);
    };
    drop(raise);
    answer
}

/// A state as it travels.
fn pieces(state: Bytes) -> impl Iterator<Item = Bytes> {
    let starts = (0..state.len()).step_by(PIECE_BYTES);
    starts.map(move |start| state.slice(start..state.len().min(start + PIECE_BYTES)))
}

/// A fit that is under way.
struct Fitting {
    jobs: Sender<Job>,
    ends: Ends,
    parts: Streaming<pb::FitRequest>,
    /// What is still to be answered.
    left: VecDeque<Fitted>,
    has_failed: bool,
}

impl Fitting {
    /// The next answer; `None`: there is none any more.
    async fn next(&mut self) -> Result<Option<pb::FitResponse>, Status> {
        while self.left.is_empty() {
            if self.has_failed {
                return Ok(None);
            }
            let Some(request) = self.parts.message().await? else {
                return Ok(None);
            };
            // A part of a later version of the contract is none of this one.
            let Some(part) = request.part else {
                continue;
            };
            // The flag of a call is raised at its end; each part is a call.
            let ends = Ends {
                deadline: self.ends.deadline,
                cancel: Arc::default(),
            };
            let answered = done(&self.jobs, ends, move |worker, ends| worker.fit(part, ends));
            let passed = |again| Fitted::Passed(pb::FitPassed { again });
            match answered.await {
                Ok(FitStep::Taken) => {},
                Ok(FitStep::Again) => self.left.push_back(passed(true)),
                Ok(FitStep::Learned(state)) => {
                    self.left.push_back(passed(false));
                    self.left.extend(pieces(state.into()).map(Fitted::State));
                },
                Err(failure) => {
                    self.has_failed = true;
                    self.left.push_back(Fitted::Failure(failure));
                },
            }
        }
        let part = self.left.pop_front();
        Ok(Some(pb::FitResponse { part }))
    }
}

fn ends(metadata: &MetadataMap) -> Ends {
    let left: Option<Duration> = messages::timeout(metadata);
    Ends {
        deadline: left.map(Deadline::after),
        cancel: Arc::default(),
    }
}

#[async_trait]
impl EvaluationService for Evaluations {
    async fn describe(
        &self,
        request: Request<pb::DescribeRequest>,
    ) -> Result<Response<pb::DescribeResponse>, Status> {
        let mut told = self
            .ask(ends(request.metadata()), |worker, _| worker.describe())
            .await?;
        heap::tell(told.metadata_mut());
        Ok(told)
    }

    async fn configure(
        &self,
        request: Request<pb::ConfigureRequest>,
    ) -> Result<Response<pb::ConfigureResponse>, Status> {
        let ends = ends(request.metadata());
        let request = request.into_inner();
        self.ask(ends, move |worker, _| worker.configure(&request))
            .await
    }

    async fn load_state(
        &self,
        request: Request<Streaming<pb::LoadStateRequest>>,
    ) -> Result<Response<pb::LoadStateResponse>, Status> {
        let ends = ends(request.metadata());
        let mut pieces = request.into_inner();
        let mut bytes = Vec::new();
        while let Some(next) = pieces.message().await? {
            // What is too long is none, as its digest says.
            if bytes.len() + next.piece.len() > MAX_STATE_BYTES {
                break;
            }
            bytes.extend_from_slice(&next.piece);
        }
        self.ask(ends, move |worker, _| worker.load_state(bytes))
            .await
    }

    type SaveStateStream = BoxStream<'static, Result<pb::SaveStateResponse, Status>>;

    async fn save_state(
        &self,
        request: Request<pb::SaveStateRequest>,
    ) -> Result<Response<Self::SaveStateStream>, Status> {
        use pb::save_state_response::Part;

        let ends = ends(request.metadata());
        let request = request.into_inner();
        let saved = done(&self.jobs, ends, move |worker, _| {
            worker.save_state(&request.instance_id)
        });
        let parts: Vec<Part> = match saved.await {
            Ok(bytes) => pieces(bytes.into()).map(Part::Piece).collect(),
            Err(failure) => vec![Part::Failure(failure)],
        };
        let parts = parts.into_iter().map(Some);
        let parts = parts.map(|part| Ok(pb::SaveStateResponse { part }));
        Ok(Response::new(stream::iter(parts).boxed()))
    }

    type FitStream = BoxStream<'static, Result<pb::FitResponse, Status>>;

    async fn fit(
        &self,
        request: Request<Streaming<pb::FitRequest>>,
    ) -> Result<Response<Self::FitStream>, Status> {
        let ends = ends(request.metadata());
        let parts = request.into_inner();
        let fitting = Fitting {
            jobs: self.jobs.clone(),
            ends,
            parts,
            left: VecDeque::new(),
            has_failed: false,
        };
        let answers = stream::unfold(fitting, |mut fitting| async move {
            let next = fitting.next().await.transpose()?;
            Some((next, fitting))
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn prepare(
        &self,
        request: Request<pb::PrepareRequest>,
    ) -> Result<Response<pb::PrepareResponse>, Status> {
        let ends = ends(request.metadata());
        let request = request.into_inner();
        self.ask(ends, move |worker, _| worker.prepare(&request))
            .await
    }

    async fn segment(
        &self,
        request: Request<pb::SegmentRequest>,
    ) -> Result<Response<pb::SegmentResponse>, Status> {
        let ends = ends(request.metadata());
        let request = request.into_inner();
        self.ask(ends, move |worker, ends| worker.segment(&request, ends))
            .await
    }

    async fn explain(
        &self,
        request: Request<pb::ExplainRequest>,
    ) -> Result<Response<pb::ExplainResponse>, Status> {
        let ends = ends(request.metadata());
        let request = request.into_inner();
        self.ask(ends, move |worker, ends| worker.explain(&request, ends))
            .await
    }
}
