//! Ends waiting streams when the server stops, so that a watcher cannot hold a shutdown up.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;

use crate::body::GuardedBody;
use crate::server::Answer;

/// A stream that has nothing to say when the server stops ends with UNAVAILABLE and a retry hint; its client resumes
/// elsewhere. Answers that are complete, unary ones above all, are sent.
#[derive(Clone)]
pub(crate) struct EndStreams<S> {
    inner: S,
    stop: CancellationToken,
}

impl<S> EndStreams<S> {
    pub(crate) fn new(inner: S, stop: CancellationToken) -> Self {
        Self { inner, stop }
    }
}

impl<S> Service<Request<Body>> for EndStreams<S>
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
        let answer = self.inner.call(request);
        let stop = self.stop.clone();
        Box::pin(async move {
            Ok(answer
                .await?
                .map(|body| GuardedBody::new(body).while_running(stop).boxed()))
        })
    }
}
