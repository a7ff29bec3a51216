//! The contract as gRPC, in front of the plugin thread.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::oneshot;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, async_trait};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::evaluation_service_server::EvaluationService;

use crate::process::worker::{Ends, Worker};
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
        let raise = Raise(Arc::clone(&ends.cancel));
        let (tell, told) = oneshot::channel();
        let job = move |worker: &mut Worker| {
            // Who waits no longer is told nothing.
            let _nobody_waits = tell.send(work(worker, &ends));
        };
        // A process without its plugin thread is of no use.
        if self.jobs.send(Box::new(job)).is_err() {
            process::exit(1);
        }
        let Ok(answer) = told.await else {
            process::exit(1);
        };
        drop(raise);
        Ok(Response::new(answer))
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
        self.ask(ends(request.metadata()), |worker, _| worker.describe())
            .await
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
