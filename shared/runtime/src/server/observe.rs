//! One span and one measurement per call, from its first byte to its last.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, Request};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::{Instrument as _, Span};

use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::{Problem, with_reason};

use crate::auth::MethodTable;
use crate::lifecycle::Chain;
use crate::server::{Answer, Serve};
use crate::telemetry::{Label, Meters, Metric, propagation};

/// Opens the span, as a child of the caller's, and measures the call.
pub(crate) struct Observe<S> {
    inner: S,
    methods: Arc<MethodTable>,
    meters: Meters,
}

impl<S> Observe<S> {
    pub(crate) fn new(inner: S, methods: Arc<MethodTable>, meters: Meters) -> Self {
        Self {
            inner,
            methods,
            meters,
        }
    }
}

impl<S: Serve> Serve for Observe<S> {
    fn serve(&self, request: Request<Body>) -> Answer {
        let method = self.methods.label(request.uri().path());
        let span = tracing::info_span!(
            "rpc",
            otel.name = method,
            otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = tracing::field::Empty,
        );
        propagation::adopt(&span, request.headers());
        let mut call = Call {
            span: span.clone(),
            method,
            started: Instant::now(),
            meters: self.meters.clone(),
            ended: false,
        };
        let answer = span.in_scope(|| self.inner.serve(request));
        let observed = async move {
            // A panic is the call's problem, not that of the connection or, in-process, of the caller.
            let Ok(answered) = AssertUnwindSafe(answer).catch_unwind().await else {
                tracing::error!(method, "a handler panicked");
                call.end(Code::Internal);
                let problem = Problem::new(
                    ErrorReason::Internal,
                    "the call failed because of a defect in the service",
                );
                return Ok(Status::from(problem).into_http());
            };
            let response = with_reason(answered?, method);
            if let Some(code) = code_in(response.headers()) {
                // Trailers-only: the head is the whole answer.
                if code == Code::Internal {
                    call.log_defect(response.extensions().get::<Status>());
                }
                call.end(code);
                return Ok(response);
            }
            Ok(response.map(|inner| Body::new(ObservedBody { inner, call })))
        };
        Box::pin(observed.instrument(span))
    }
}

/// A running call. Dropped before its end, it counts as cancelled.
struct Call {
    span: Span,
    method: &'static str,
    started: Instant,
    meters: Meters,
    ended: bool,
}

impl Call {
    /// Says once why a call was answered with INTERNAL: its caller learns no more than that something is broken here.
    fn log_defect(&self, status: Option<&Status>) {
        let (answer, cause) = status.map_or(("", None), |status| {
            (status.message(), std::error::Error::source(status))
        });
        match cause {
            Some(cause) => {
                tracing::error!(method = self.method, answer, cause = %Chain(cause), "call failed");
            },
            None => tracing::error!(method = self.method, answer, "call failed"),
        }
    }

    fn end(&mut self, code: Code) {
        if self.ended {
            return;
        }
        self.ended = true;
        let name = code_name(code);
        self.span.record("rpc.response.status_code", name);
        if is_our_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }
        let labels = [Label::RpcMethod(self.method), Label::RpcStatus(name)];
        self.meters.record(
            Metric::RpcServerCallDuration,
            self.started.elapsed().as_secs_f64(),
            &labels,
        );
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

struct ObservedBody {
    inner: Body,
    call: Call,
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let polled = {
            let _inside = this.call.span.enter();
            Pin::new(&mut this.inner).poll_frame(cx)
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.call.end(code_in(trailers).unwrap_or(Code::Unknown));
                }
            },
            Poll::Ready(Some(Err(status))) => this.call.end(status.code()),
            // A stream that ends without trailers was cut off.
            Poll::Ready(None) => this.call.end(Code::Unknown),
            Poll::Pending => {},
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

fn is_our_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The name of a code, as semantic conventions want it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
