//! Ends calls in time: at the caller's deadline or a default one, which what runs inside gets to know, and at shutdown.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use crate::body::GuardedBody;
use crate::deadline::{self, DEADLINE, Deadline};
use crate::server::{Answer, Serve};

/// A deadline that the caller gave covers the whole call, streams included. The default one covers the wait for the head of
/// the answer only: it bounds unary calls and leaves streams alone.
///
/// A stream that has nothing to say when the server stops ends with UNAVAILABLE and a retry hint, so that a watcher cannot hold
/// a shutdown up; its client resumes elsewhere. Answers that are complete, unary ones above all, are sent.
#[derive(Clone)]
pub(crate) struct Timely<S> {
    inner: S,
    default: Duration,
    stop: CancellationToken,
}

impl<S> Timely<S> {
    pub(crate) fn new(inner: S, default: Duration, stop: CancellationToken) -> Self {
        Self {
            inner,
            default,
            stop,
        }
    }
}

impl<S: Serve> Serve for Timely<S> {
    fn serve(&self, request: Request<Body>) -> Answer {
        let given = deadline::from_headers(request.headers());
        let answer = self.inner.serve(request);
        let (default, stop) = (self.default, self.stop.clone());
        Box::pin(async move {
            let guard = |body| GuardedBody::new(body).while_running(stop);
            match given {
                Some(left) => {
                    let at = Instant::now() + left;
                    let answer = DEADLINE.scope(Deadline::Given(at), answer);
                    let head = head_until(at, answer).await?;
                    Ok(head.map(|body| guard(body).until(at).boxed()))
                },
                None => {
                    let at = Instant::now() + default;
                    let answer = DEADLINE.scope(Deadline::Default(at), answer);
                    let head = head_until(at, answer).await?;
                    Ok(head.map(|body| guard(body).boxed()))
                },
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
