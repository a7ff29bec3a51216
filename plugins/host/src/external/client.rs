//! A client of the contract.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::evaluation_service_client::EvaluationServiceClient;

use crate::messages::MAX_MESSAGE_BYTES;

/// Longest wait for a description.
const DESCRIBE: Duration = Duration::from_secs(5);

/// Calls one peer. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: EvaluationServiceClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Client {
    pub(crate) fn new(channel: Channel, authorization: Option<MetadataValue<Ascii>>) -> Self {
        let inner = EvaluationServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self {
            inner,
            authorization,
        }
    }

    fn request<T>(&self, message: T, longest: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(longest);
        if let Some(authorization) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        request
    }

    pub(crate) async fn describe(&mut self) -> Result<pb::DescribeResponse, Status> {
        let request = self.request(pb::DescribeRequest {}, DESCRIBE);
        Ok(self.inner.describe(request).await?.into_inner())
    }

    pub(crate) async fn prepare(
        &mut self,
        message: pb::PrepareRequest,
        longest: Duration,
    ) -> Result<pb::PrepareResponse, Status> {
        let request = self.request(message, longest);
        Ok(self.inner.prepare(request).await?.into_inner())
    }

    pub(crate) async fn segment(
        &mut self,
        message: pb::SegmentRequest,
        longest: Duration,
    ) -> Result<pb::SegmentResponse, Status> {
        let request = self.request(message, longest);
        Ok(self.inner.segment(request).await?.into_inner())
    }

    pub(crate) async fn explain(
        &mut self,
        message: pb::ExplainRequest,
        longest: Duration,
    ) -> Result<pb::ExplainResponse, Status> {
        let request = self.request(message, longest);
        Ok(self.inner.explain(request).await?.into_inner())
    }
}
