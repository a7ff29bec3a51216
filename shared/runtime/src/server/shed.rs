//! A limit on calls in work, with a queue that is bounded by age.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tonic::body::Body;

use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use crate::auth::Authenticator;
use crate::server::{Answer, Serve, refuse};
use crate::telemetry::{Label, Meters, Metric};

/// While a queue stands, calls wait this share of the full wait at most: what cannot be served soon is refused soon.
const STANDING_SHARE: u32 = 10;
/// Waiting calls per call in work, of those that wait for a turn and again of those that wait aside: each costs memory.
const MAX_WAITING_FACTOR: usize = 16;
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Admits calls, oldest first.
///
/// A burst may wait up to `max_wait`. Once there has been a queue for that long without a pause, the wait shrinks to a tenth,
/// so that overload costs latency for a moment only (controlled delay, after "Fail at Scale", ACM Queue 13(8), 2015).
pub(crate) struct Limiter {
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Places of calls that have given their turn back while they wait for something else.
    aside: Arc<Semaphore>,
    max_wait: Duration,
    base: Instant,
    /// Milliseconds from `base` to the last call that found a free turn.
    last_idle_ms: AtomicU64,
    part: &'static str,
    meters: Meters,
}

impl Limiter {
    /// A limiter for the service `part`.
    pub(crate) fn new(
        max_in_flight: usize,
        max_wait: Duration,
        part: &'static str,
        meters: Meters,
    ) -> Self {
        let max_in_flight = max_in_flight.clamp(1, Semaphore::MAX_PERMITS / MAX_WAITING_FACTOR);
        Self {
            turns: Arc::new(Semaphore::new(max_in_flight)),
            waiting: Arc::new(Semaphore::new(max_in_flight * MAX_WAITING_FACTOR)),
            aside: Arc::new(Semaphore::new(max_in_flight * MAX_WAITING_FACTOR)),
            max_wait,
            base: Instant::now(),
            last_idle_ms: AtomicU64::new(0),
            part,
            meters,
        }
    }

    /// Counts a call that gets no turn.
    fn count_refused(&self) {
        self.meters
            .record(Metric::RpcShed, 1.0, &[Label::Service(self.part)]);
    }

    /// A turn that is free now.
    fn try_turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turns).try_acquire_owned().ok()?;
        self.last_idle_ms.store(self.now_ms(), Ordering::Relaxed);
        Some(turn)
    }

    /// A turn within the time that waiting makes sense.
    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let _place = self.waiting.try_acquire().ok()?;
        let turn =
            tokio::time::timeout(self.patience(), Arc::clone(&self.turns).acquire_owned()).await;
        turn.ok()?.ok()
    }

    fn patience(&self) -> Duration {
        let standing = Duration::from_millis(
            self.now_ms()
                .saturating_sub(self.last_idle_ms.load(Ordering::Relaxed)),
        );
        if standing > self.max_wait {
            self.max_wait / STANDING_SHARE
        } else {
            self.max_wait
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

tokio::task_local! {
    static TURN: Turn;
}

/// The turn of the call that is being served; none while it waits aside.
struct Turn {
    limiter: Arc<Limiter>,
    held: Cell<Option<OwnedSemaphorePermit>>,
}

/// Waits for `wait` without the turn of the current call, which others may have, and then for a turn anew.
///
/// # Errors
/// The one that `wait` ends with; OVERLOADED when too many wait, or there is no turn afterwards.
pub(crate) async fn aside<T>(wait: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let crowded = |limiter: &Limiter| {
        limiter.count_refused();
        Problem::new(
            ErrorReason::Overloaded,
            "too many calls wait; try again later",
        )
    };
    let stepped_aside = TURN.try_with(|turn| {
        let place = Arc::clone(&turn.limiter.aside).try_acquire_owned().ok();
        if place.is_some() {
            drop(turn.held.take());
        }
        (place, Arc::clone(&turn.limiter))
    });
    // Outside a call, and in an answer that streams, there is no turn to give back.
    let Ok((place, limiter)) = stepped_aside else {
        return wait.await;
    };
    let place = place.ok_or_else(|| crowded(&limiter))?;
    let reached = wait.await?;
    drop(place);
    let turn = match limiter.try_turn() {
        Some(turn) => turn,
        None => limiter.wait().await.ok_or_else(|| crowded(&limiter))?,
    };
    TURN.try_with(|now| now.held.set(Some(turn)))
        .unwrap_or_default();
    Ok(reached)
}

/// Gives every call a turn, or refuses it with RESOURCE_EXHAUSTED. A turn lasts until the head of the answer: an open stream
/// holds none.
///
/// Calls of our own services have turns of their own, as many as clients have: what clients wait for is often the work of a
/// follower, which must not queue behind them.
pub(crate) struct Shed<S> {
    inner: S,
    clients: Arc<Limiter>,
    services: Arc<Limiter>,
    authenticator: Arc<Authenticator>,
}

impl<S> Shed<S> {
    pub(crate) fn new(
        inner: S,
        limiter: impl Fn() -> Limiter,
        authenticator: Arc<Authenticator>,
    ) -> Self {
        Self {
            inner,
            clients: Arc::new(limiter()),
            services: Arc::new(limiter()),
            authenticator,
        }
    }
}

impl<S: Serve + Clone> Serve for Shed<S> {
    fn serve(&self, request: Request<Body>) -> Answer {
        // A guess of the service key's public half gets past here, and authentication refuses it without waiting.
        let limiter = if self.authenticator.claims_service(request.headers()) {
            &self.services
        } else {
            &self.clients
        };
        let limiter = Arc::clone(limiter);
        if let Some(turn) = limiter.try_turn() {
            return Box::pin(holding(limiter, turn, self.inner.serve(request)));
        }
        let inner = self.inner.clone();
        Box::pin(async move {
            match limiter.wait().await {
                Some(turn) => {
                    let answer = inner.serve(request);
                    holding(limiter, turn, answer).await
                },
                None => {
                    limiter.count_refused();
                    refuse(sextant_wire::status::overloaded(RETRY_AFTER)).await
                },
            }
        })
    }
}

/// The answer, with its turn for as long as it takes.
fn holding(
    limiter: Arc<Limiter>,
    turn: OwnedSemaphorePermit,
    answer: Answer,
) -> impl Future<Output = <Answer as Future>::Output> + Send {
    let turn = Turn {
        limiter,
        held: Cell::new(Some(turn)),
    };
    TURN.scope(turn, answer)
}

#[cfg(test)]
mod tests;
