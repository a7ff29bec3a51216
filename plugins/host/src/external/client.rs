//! A client of the contract.

use std::time::Duration;

use futures_util::{Stream, stream};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::evaluation_service_client::EvaluationServiceClient;

use crate::messages::{MAX_MESSAGE_BYTES, PIECE_BYTES};
use crate::{MAX_STATE_BYTES, State};

/// Longest wait for a description.
const DESCRIBE: Duration = Duration::from_secs(2);

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

    pub(crate) async fn configure(
        &mut self,
        message: pb::ConfigureRequest,
        longest: Duration,
    ) -> Result<pb::ConfigureResponse, Status> {
        let request = self.request(message, longest);
        Ok(self.inner.configure(request).await?.into_inner())
    }

    pub(crate) async fn load_state(
        &mut self,
        state: &State,
        longest: Duration,
    ) -> Result<(), Status> {
        let bytes = state.bytes().clone();
        let starts = (0..bytes.len()).step_by(PIECE_BYTES);
        let pieces = starts.map(move |start| pb::LoadStateRequest {
            piece: bytes.slice(start..bytes.len().min(start + PIECE_BYTES)),
        });
        let request = self.request(stream::iter(pieces), longest);
        self.inner.load_state(request).await?;
        Ok(())
    }

    /// The state of an instance, or what the segmenter says went wrong.
    pub(crate) async fn save_state(
        &mut self,
        message: pb::SaveStateRequest,
        longest: Duration,
    ) -> Result<Result<Vec<u8>, pb::Failure>, Status> {
        use pb::save_state_response::Part;

        let request = self.request(message, longest);
        let mut pieces = self.inner.save_state(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(next) = pieces.message().await? {
            match next.part {
                Some(Part::Piece(piece)) if bytes.len() + piece.len() <= MAX_STATE_BYTES => {
                    bytes.extend_from_slice(&piece);
                },
                Some(Part::Failure(failure)) => return Ok(Err(failure)),
                _ => {
                    return Ok(Err(pb::Failure {
                        code: pb::FailureCode::Output.into(),
                        message: "what it sends is no state".to_owned(),
                        ..pb::Failure::default()
                    }));
                },
            }
        }
        Ok(Ok(bytes))
    }

    pub(crate) async fn fit(
        &mut self,
        parts: impl Stream<Item = pb::FitRequest> + Send + 'static,
        longest: Duration,
    ) -> Result<Streaming<pb::FitResponse>, Status> {
        let request = self.request(parts, longest);
        Ok(self.inner.fit(request).await?.into_inner())
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
