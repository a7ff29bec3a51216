//! A response body that ends with a proper gRPC status when its deadline passes, the server drains, or the peer vanishes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::task::coop;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;

use crate::auth::Refusal;
use crate::auth::validity::Validity;
use crate::deadline::{self, DEADLINE};

/// How long a client waits before it tries again after a peer went away.
pub(crate) const RETRY_AFTER_GONE: Duration = Duration::from_secs(1);

/// Wraps a body so that it may end early. Build with [`GuardedBody::new`] and the methods below.
pub(crate) struct GuardedBody {
    /// `None` once the body has ended; dropping it cancels the producer.
    inner: Option<Body>,
    deadline: Option<Deadline>,
    stop: Option<Stop>,
    valid: Option<Validity>,
    failure: Failure,
}

struct Deadline {
    at: Instant,
    /// Made on the first wait: unary answers never wait.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn sleep(&mut self) -> Pin<&mut Sleep> {
        let at = self.at;
        self.sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)))
            .as_mut()
    }
}

struct Stop {
    token: CancellationToken,
    /// Registered on the first wait: unary answers never wait.
    waiting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Stop {
    fn waiting(&mut self) -> Pin<&mut WaitForCancellationFutureOwned> {
        self.waiting
            .get_or_insert_with(|| Box::pin(self.token.clone().cancelled_owned()))
            .as_mut()
    }
}

/// What a broken body means.
#[derive(Clone, Copy)]
enum Failure {
    /// The error is the producer's own status.
    Passed,
    /// The connection broke: the peer is unavailable, whatever the transport calls it.
    PeerGone,
}

impl GuardedBody {
    pub(crate) fn new(inner: Body) -> Self {
        Self {
            inner: Some(inner),
            deadline: None,
            stop: None,
            valid: None,
            failure: Failure::Passed,
        }
    }

    /// Ends with DEADLINE_EXCEEDED at `at`; the producer runs with `at` as its deadline.
    pub(crate) fn until(mut self, at: Instant) -> Self {
        self.deadline = Some(Deadline { at, sleep: None });
        self
    }

    /// Ends with UNAVAILABLE when the token is cancelled while the producer has nothing to say.
    pub(crate) fn while_running(mut self, token: CancellationToken) -> Self {
        self.stop = Some(Stop {
            token,
            waiting: None,
        });
        self
    }

    /// Ends with UNAUTHENTICATED soon after the key is no longer valid.
    pub(crate) fn while_valid(mut self, valid: Validity) -> Self {
        self.valid = Some(valid);
        self
    }

    /// Reports transport errors as UNAVAILABLE.
    pub(crate) fn of_peer(mut self) -> Self {
        self.failure = Failure::PeerGone;
        self
    }

    pub(crate) fn boxed(self) -> Body {
        Body::new(self)
    }

    /// Nothing to say: is it time to end?
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.sleep().poll(cx).is_ready()
        {
            return self.end_with(sextant_wire::status::deadline_exceeded());
        }
        if let Poll::Ready(status) = self.poll_refused(cx) {
            return self.end_with(status);
        }
        if let Some(stop) = &mut self.stop
            && stop.waiting().poll(cx).is_ready()
        {
            return self.end_with(sextant_wire::status::unavailable(
                "the server is shutting down",
                RETRY_AFTER_GONE,
            ));
        }
        Poll::Pending
    }

    fn poll_refused(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        match &mut self.valid {
            Some(valid) => valid.poll_refused(cx).map(Refusal::into_status),
            None => Poll::Pending,
        }
    }

    fn end_with(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.inner = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(status)))))
    }
}

/// The trailers that carry a status.
pub(crate) fn trailers(status: Status) -> HeaderMap {
    let mut headers = status.into_http::<()>().into_parts().0.headers;
    headers.remove(http::header::CONTENT_TYPE);
    headers
}

impl http_body::Body for GuardedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.inner.is_none() {
            return Poll::Ready(None);
        }
        // A producer that always has something to say must neither keep its thread nor outlive its deadline: it takes part in
        // the executor's budget, and the time is looked at although no timer may have fired.
        let budget = ready!(coop::poll_proceed(cx));
        if let Some(deadline) = &this.deadline
            && deadline.at <= Instant::now()
        {
            return this.end_with(sextant_wire::status::deadline_exceeded());
        }
        if this.valid.as_ref().is_some_and(Validity::is_due)
            && let Poll::Ready(status) = this.poll_refused(cx)
        {
            return this.end_with(status);
        }
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let polled = match &this.deadline {
            Some(deadline) => {
                let given = deadline::Deadline::Given(deadline.at);
                DEADLINE.sync_scope(given, || Pin::new(inner).poll_frame(cx))
            },
            None => Pin::new(inner).poll_frame(cx),
        };
        if polled.is_ready() {
            budget.made_progress();
        }
        match (polled, this.failure) {
            (Poll::Ready(Some(Err(error))), Failure::PeerGone) => {
                tracing::debug!(%error, "a stream broke");
                this.end_with(sextant_wire::status::unavailable(
                    "the stream broke",
                    RETRY_AFTER_GONE,
                ))
            },
            (Poll::Ready(frame), _) => Poll::Ready(frame),
            (Poll::Pending, _) => this.poll_end(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // The body may end early, so only the upper bound of the producer holds.
        let mut hint = SizeHint::new();
        if let Some(upper) = self
            .inner
            .as_ref()
            .and_then(|inner| inner.size_hint().upper())
        {
            hint.set_upper(upper);
        }
        hint
    }
}
