//! The rpcs of `SegmenterService`.

use tonic::{Request, Response, Status, Streaming};

use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::segmenter_service_server::SegmenterService;
use sextant_runtime::tenant::of_installation;

use super::segmenters::Asked;
use super::{Handlers, revisions, segmenters};
use crate::segmenters::Actor;
use crate::supervise::Change;

#[tonic::async_trait]
impl SegmenterService for Handlers {
    async fn upload_segmenter(
        &self,
        request: Request<Streaming<pb::UploadSegmenterRequest>>,
    ) -> Result<Response<pb::UploadSegmenterResponse>, Status> {
        segmenters::upload(self, request).await
    }

    async fn register_segmenter(
        &self,
        request: Request<pb::RegisterSegmenterRequest>,
    ) -> Result<Response<pb::RegisterSegmenterResponse>, Status> {
        segmenters::register(self, request).await
    }

    async fn get_segmenter(
        &self,
        request: Request<pb::GetSegmenterRequest>,
    ) -> Result<Response<pb::GetSegmenterResponse>, Status> {
        segmenters::get(self, request).await
    }

    async fn approve_segmenter(
        &self,
        request: Request<pb::ApproveSegmenterRequest>,
    ) -> Result<Response<pb::ApproveSegmenterResponse>, Status> {
        of_installation(&request)?;
        let by = Actor::of(&request);
        let request = request.into_inner();
        let asked = Asked {
            method: "ApproveSegmenter",
            change: Change::Approve,
            request: &request,
            request_id: &request.request_id,
            segmenter: pb::SegmenterRef {
                digest: request.digest.clone(),
                ..pb::SegmenterRef::default()
            },
            note: &request.note,
        };
        let segmenter = Some(segmenters::change(self, &by, asked).await?);
        Ok(Response::new(pb::ApproveSegmenterResponse { segmenter }))
    }

    async fn quarantine_segmenter(
        &self,
        request: Request<pb::QuarantineSegmenterRequest>,
    ) -> Result<Response<pb::QuarantineSegmenterResponse>, Status> {
        of_installation(&request)?;
        let by = Actor::of(&request);
        let request = request.into_inner();
        let asked = Asked {
            method: "QuarantineSegmenter",
            change: Change::Quarantine,
            request: &request,
            request_id: &request.request_id,
            segmenter: request.segmenter.clone().unwrap_or_default(),
            note: &request.note,
        };
        let segmenter = Some(segmenters::change(self, &by, asked).await?);
        Ok(Response::new(pb::QuarantineSegmenterResponse { segmenter }))
    }

    async fn release_segmenter(
        &self,
        request: Request<pb::ReleaseSegmenterRequest>,
    ) -> Result<Response<pb::ReleaseSegmenterResponse>, Status> {
        of_installation(&request)?;
        let by = Actor::of(&request);
        let request = request.into_inner();
        let asked = Asked {
            method: "ReleaseSegmenter",
            change: Change::Release,
            request: &request,
            request_id: &request.request_id,
            segmenter: request.segmenter.clone().unwrap_or_default(),
            note: &request.note,
        };
        let segmenter = Some(segmenters::change(self, &by, asked).await?);
        Ok(Response::new(pb::ReleaseSegmenterResponse { segmenter }))
    }

    async fn retire_segmenter(
        &self,
        request: Request<pb::RetireSegmenterRequest>,
    ) -> Result<Response<pb::RetireSegmenterResponse>, Status> {
        of_installation(&request)?;
        let by = Actor::of(&request);
        let request = request.into_inner();
        let asked = Asked {
            method: "RetireSegmenter",
            change: Change::Retire,
            request: &request,
            request_id: &request.request_id,
            segmenter: request.segmenter.clone().unwrap_or_default(),
            note: &request.note,
        };
        let segmenter = Some(segmenters::change(self, &by, asked).await?);
        Ok(Response::new(pb::RetireSegmenterResponse { segmenter }))
    }

    async fn propose_revision(
        &self,
        request: Request<pb::ProposeRevisionRequest>,
    ) -> Result<Response<pb::ProposeRevisionResponse>, Status> {
        revisions::propose(self, request).await
    }

    async fn get_revision(
        &self,
        request: Request<pb::GetRevisionRequest>,
    ) -> Result<Response<pb::GetRevisionResponse>, Status> {
        revisions::get(self, request).await
    }

    async fn list_revisions(
        &self,
        request: Request<pb::ListRevisionsRequest>,
    ) -> Result<Response<pb::ListRevisionsResponse>, Status> {
        revisions::list(self, request).await
    }

    async fn activate_revision(
        &self,
        request: Request<pb::ActivateRevisionRequest>,
    ) -> Result<Response<pb::ActivateRevisionResponse>, Status> {
        revisions::activate(self, request).await
    }

    async fn roll_back_revision(
        &self,
        request: Request<pb::RollBackRevisionRequest>,
    ) -> Result<Response<pb::RollBackRevisionResponse>, Status> {
        revisions::roll_back(self, request).await
    }

    async fn list_segmenter_events(
        &self,
        request: Request<pb::ListSegmenterEventsRequest>,
    ) -> Result<Response<pb::ListSegmenterEventsResponse>, Status> {
        segmenters::list_events(self, request).await
    }

    async fn list_segmenter_lines(
        &self,
        request: Request<pb::ListSegmenterLinesRequest>,
    ) -> Result<Response<pb::ListSegmenterLinesResponse>, Status> {
        segmenters::list_lines(self, request).await
    }
}
