//! A client of the contract.

use std::fmt;
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::evaluation_service_client::EvaluationServiceClient;

use crate::messages::{MAX_MESSAGE_BYTES, PIECE_BYTES};
use crate::process::heap;
use crate::{MAX_STATE_BYTES, State, messages};

/// Most bytes of an answer that says what something is, or what became of it.
const MAX_SAID_BYTES: usize = 4 << 20;
/// Most bytes of a reason, whose text has at most 1 KiB, and of the answer around them.
const REASON_BYTES: usize = 1_200;
const MAX_AROUND_BYTES: usize = 64 << 10;

/// Why there is no description.
#[derive(Debug)]
pub(crate) enum Undescribed {
    /// The call broke off.
    Off(Status),
    /// It took too long.
    Late,
}

impl fmt::Display for Undescribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off(status) => {
                let said = messages::told(status.message());
                match status.code() {
                    // The words of this side: nobody has answered.
                    Code::Unavailable | Code::Unknown => {
                        write!(f, "it cannot be spoken with: {said}")
                    },
                    code => write!(f, "it answers {code:?}: {said}"),
                }
            },
            Self::Late => f.write_str("it does not say what it is in time"),
        }
    }
}

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

    /// The same where what it says takes little memory: a message can take many times its bytes before it is looked at.
    fn saying(&self, most_bytes: usize) -> EvaluationServiceClient<Channel> {
        let inner = self.inner.clone();
        inner.max_decoding_message_size(most_bytes.min(MAX_MESSAGE_BYTES))
    }

    /// What it is. The library's own limit of time ends with the head of the answer, and another one may never follow.
    pub(crate) async fn describe(
        &self,
        longest: Duration,
    ) -> Result<pb::DescribeResponse, Undescribed> {
        self.described(longest).await.map(Response::into_inner)
    }

    /// Bytes that a host process has allocated and not freed.
    pub(crate) async fn heap_bytes(&self, longest: Duration) -> Option<u64> {
        let told = self.described(longest).await.ok()?;
        heap::told(told.metadata())
    }

    async fn described(
        &self,
        longest: Duration,
    ) -> Result<Response<pb::DescribeResponse>, Undescribed> {
        let request = self.request(pb::DescribeRequest {}, longest);
        let mut client = self.saying(MAX_SAID_BYTES);
        match timeout(longest, client.describe(request)).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(status)) => Err(Undescribed::Off(status)),
            Err(_elapsed) => Err(Undescribed::Late),
        }
    }

    pub(crate) async fn configure(
        &mut self,
        message: pb::ConfigureRequest,
        longest: Duration,
    ) -> Result<pb::ConfigureResponse, Status> {
        let request = self.request(message, longest);
        let mut client = self.saying(MAX_SAID_BYTES);
        Ok(client.configure(request).await?.into_inner())
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
        let mut client = self.saying(MAX_SAID_BYTES);
        Ok(client.prepare(request).await?.into_inner())
    }

    pub(crate) async fn segment(
        &mut self,
        message: pb::SegmentRequest,
        longest: Duration,
    ) -> Result<pb::SegmentResponse, Status> {
        let request = self.request(message, longest);
        Ok(self.inner.segment(request).await?.into_inner())
    }

    /// Reasons for so many rows.
    pub(crate) async fn explain(
        &mut self,
        message: pb::ExplainRequest,
        n_rows: usize,
        longest: Duration,
    ) -> Result<pb::ExplainResponse, Status> {
        let n_reasons = usize::try_from(message.top_k).map(|top_k| top_k.saturating_mul(n_rows));
        let reasons = n_reasons.unwrap_or(usize::MAX).saturating_mul(REASON_BYTES);
        let request = self.request(message, longest);
        let mut client = self.saying(MAX_AROUND_BYTES.saturating_add(reasons));
        Ok(client.explain(request).await?.into_inner())
    }
}
