//! The real scoring, with a gate before its features.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

use sextant_proto::scoring::v1 as pb;
use sextant_proto::scoring::v1::clock_service_client::ClockServiceClient;
use sextant_proto::scoring::v1::clock_service_server::ClockService;
use sextant_proto::scoring::v1::feed_service_client::FeedServiceClient;
use sextant_proto::scoring::v1::feed_service_server::FeedService;
use sextant_runtime::link::Link;

use crate::gate::Gate;

/// Passes calls on to scoring.
#[derive(Debug, Clone)]
pub(crate) struct Between {
    scoring: Link,
    pub(crate) columns: Arc<Gate>,
}

impl Between {
    pub(crate) fn new(scoring: Link) -> Self {
        Self {
            scoring,
            columns: Arc::default(),
        }
    }

    fn feed(&self) -> FeedServiceClient<Link> {
        FeedServiceClient::new(self.scoring.clone())
    }
}

#[tonic::async_trait]
impl FeedService for Between {
    type WatchHeadsStream = BoxStream<'static, Result<pb::WatchHeadsResponse, Status>>;
    type ReadColumnsStream = BoxStream<'static, Result<pb::ReadColumnsResponse, Status>>;

    async fn watch_heads(
        &self,
        request: Request<pb::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        let answer = self.feed().watch_heads(request.into_inner()).await?;
        Ok(Response::new(answer.into_inner().boxed()))
    }

    async fn read_evaluations(
        &self,
        request: Request<pb::ReadEvaluationsRequest>,
    ) -> Result<Response<pb::ReadEvaluationsResponse>, Status> {
        self.feed().read_evaluations(request.into_inner()).await
    }

    async fn read_columns(
        &self,
        request: Request<pb::ReadColumnsRequest>,
    ) -> Result<Response<Self::ReadColumnsStream>, Status> {
        self.columns.pass().await;
        let answer = self.feed().read_columns(request.into_inner()).await?;
        Ok(Response::new(answer.into_inner().boxed()))
    }
}

#[tonic::async_trait]
impl ClockService for Between {
    async fn get_clock(
        &self,
        request: Request<pb::GetClockRequest>,
    ) -> Result<Response<pb::GetClockResponse>, Status> {
        let mut clock = ClockServiceClient::new(self.scoring.clone());
        clock.get_clock(request).await
    }
}
