//! Doors: paths of a part that take plain HTTP posts, behind the same layers as its gRPC services.
//!
//! Within the layers a door answers as a gRPC service does, with `grpc-status` in the head. [`Plain`], outermost on the port, makes of
//! such answers what HTTP clients know.

use std::fmt;
use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::json;
use tonic::Status;
use tonic::body::Body;

use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::{self, Problem};

use crate::blocking;
use crate::server::{Answer, Serve, refuse};

/// What comes to a door: its whole body, uncompressed.
pub type Knock = Request<Bytes>;

/// Answers what comes to one path and to everything below it.
pub type Handler =
    Arc<dyn Fn(Knock) -> BoxFuture<'static, Result<Response<Bytes>, Status>> + Send + Sync>;

/// What gRPC clients say that they send.
const GRPC: &str = "application/grpc";

/// One path of a part and what answers there.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) path: &'static str,
    pub(crate) handler: Handler,
    /// Most bytes of a body, before and after inflation.
    pub(crate) max_bytes: usize,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Door").field(&self.path).finish()
    }
}

/// The part of a path that a door is found by, such as `/v1/batch` of `/v1/batch/`: its first two segments.
pub(crate) fn method_of(path: &str) -> &str {
    let third = path.match_indices('/').nth(2);
    third.map_or(path, |(at, _)| path.split_at(at).0)
}

/// The doors of a part whose paths begin with one segment.
pub(crate) struct Doors(pub(crate) Vec<Door>);

impl Serve for Doors {
    fn serve(&self, request: Request<Body>) -> Answer {
        let path = method_of(request.uri().path());
        let Some(door) = self.0.iter().find(|door| door.path == path) else {
            return refuse(status::method_unknown(path, &[]));
        };
        if request.method() != Method::POST {
            let message = format!("\"{path}\" takes POST only");
            return refuse(Problem::new(ErrorReason::MethodUnknown, message).into());
        }
        let (handler, max_bytes) = (Arc::clone(&door.handler), door.max_bytes);
        Box::pin(async move {
            let answered = match whole(request, max_bytes).await {
                Ok(knock) => handler(knock).await,
                Err(problem) => Err(problem.into()),
            };
            match answered {
                Ok(answer) => {
                    let length = HeaderValue::from(answer.body().len());
                    let mut answer = answer.map(|body| Body::new(Full::new(body)));
                    let headers = answer.headers_mut();
                    headers.insert(header::CONTENT_LENGTH, length);
                    headers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
                    Ok(answer)
                },
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// The request with its whole body.
async fn whole(request: Request<Body>, max_bytes: usize) -> Result<Knock, Problem> {
    let (parts, body) = request.into_parts();
    let collected = Limited::new(body, max_bytes).collect().await;
    let body = collected.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            return too_large(max_bytes);
        }
        let message = "the body broke off; send the request again";
        Problem::new(ErrorReason::Malformed, message)
    })?;
    let body = inflated(&parts.headers, body.to_bytes(), max_bytes).await?;
    Ok(Request::from_parts(parts, body))
}

fn too_large(max_bytes: usize) -> Problem {
    let message = format!(
        "the body has more than {max_bytes} bytes, compressed or not; split it over several requests"
    );
    Problem::new(ErrorReason::MessageTooLarge, message)
}

async fn inflated(headers: &HeaderMap, body: Bytes, max_bytes: usize) -> Result<Bytes, Problem> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some(b"identity" | b"") => Ok(body),
        Some(b"gzip" | b"x-gzip") => blocking(move || gunzip(&body, max_bytes)).await,
        Some(_) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            "content-encoding",
            "must be gzip or absent",
        )),
    }
}

/// Inflates no further than the limit: what a bomb would be is never made.
fn gunzip(body: &[u8], max_bytes: usize) -> Result<Bytes, Problem> {
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    let mut inflated = Vec::new();
    MultiGzDecoder::new(body)
        .take(limit.saturating_add(1))
        .read_to_end(&mut inflated)
        .map_err(|error| {
            let message = format!("the body is no gzip: {error}");
            Problem::new(ErrorReason::Malformed, message)
        })?;
    if inflated.len() > max_bytes {
        return Err(too_large(max_bytes));
    }
    Ok(inflated.into())
}

/// Answers clients that do not speak gRPC as HTTP has it.
pub(crate) struct Plain<S>(pub(crate) S);

impl<S: Serve> Serve for Plain<S> {
    fn serve(&self, request: Request<Body>) -> Answer {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(GRPC.as_bytes())) {
            return self.0.serve(request);
        }
        let answer = self.0.serve(request);
        Box::pin(async move { answer.await.map(plain) })
    }
}

/// The answer without what only gRPC clients read; a refusal as JSON.
fn plain(mut answer: Response<Body>) -> Response<Body> {
    let refusal =
        Status::from_header_map(answer.headers()).filter(|status| status.code() != tonic::Code::Ok);
    if let Some(status) = refusal {
        return refusal_of(&status);
    }
    for name in [
        Status::GRPC_STATUS,
        Status::GRPC_MESSAGE,
        Status::GRPC_STATUS_DETAILS,
    ] {
        answer.headers_mut().remove(name);
    }
    answer
}

fn refusal_of(refusal: &Status) -> Response<Body> {
    // As the SDKs of Segment look for it.
    let told = json!({
        "code": status::reason_of(refusal).unwrap_or_default(),
        "field": status::field_of(refusal).unwrap_or_default(),
        "message": refusal.message(),
    });
    let mut answer = Response::new(Body::new(Full::new(Bytes::from(told.to_string()))));
    let code = StatusCode::from_u16(status::http_code(refusal.code()));
    *answer.status_mut() = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(after) = status::retry_after(refusal) {
        // Whole seconds, at least one.
        let seconds = after.as_secs_f64().ceil().max(1.0);
        if let Ok(seconds) = HeaderValue::from_str(&format!("{seconds:.0}")) {
            headers.insert(header::RETRY_AFTER, seconds);
        }
    }
    answer
}
