//! Enforces the caller's deadline, or a default one, and makes it known to what runs inside.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tower::Service;

use crate::body::GuardedBody;
use crate::deadline::{self, DEADLINE};
use crate::server::Answer;

/// A deadline that the caller gave covers the whole call, streams included. The default one covers the wait for the head of
/// the answer only: it bounds unary calls and leaves streams alone.
#[derive(Clone)]
pub(crate) struct Timely<S> {
    inner: S,
    default: Duration,
}

impl<S> Timely<S> {
    pub(crate) fn new(inner: S, default: Duration) -> Self {
        Self { inner, default }
    }
}

impl<S> Service<Request<Body>> for Timely<S>
where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        >,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let given = deadline::from_headers(request.headers());
        let answer = self.inner.call(request);
        let default = self.default;
        Box::pin(async move {
            match given {
                Some(left) => {
                    let at = Instant::now() + left;
                    let answer = DEADLINE.scope(at, answer);
                    let head = head_until(at, answer).await?;
                    Ok(head.map(|body| GuardedBody::new(body).until(at).boxed()))
                },
                None => head_until(Instant::now() + default, answer).await,
            }
        })
    }
}

/// The head of the answer, or DEADLINE_EXCEEDED at `at`; the call is then dropped, which cancels it.
pub(crate) async fn head_until<F>(at: Instant, answer: F) -> Result<Response<Body>, Infallible>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    // Biased: an answer that is there at once never registers a timer.
    tokio::select! {
        biased;
        answer = answer => answer,
        () = tokio::time::sleep_until(at) => Ok(sextant_wire::status::deadline_exceeded().into_http()),
    }
}
