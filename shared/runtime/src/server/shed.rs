//! A limit on calls in work, with a queue that is bounded by age.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tonic::body::Body;

use crate::server::{Answer, Serve, refuse};
use crate::telemetry::{Label, Meters, Metric};

/// While a queue stands, calls wait this share of the full wait at most: what cannot be served soon is refused soon.
const STANDING_SHARE: u32 = 10;
/// Waiting calls per call in work; more would be refused by age anyway, and each costs memory.
const MAX_WAITING_FACTOR: usize = 16;
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Admits calls, oldest first.
///
/// A burst may wait up to `max_wait`. Once there has been a queue for that long without a pause, the wait shrinks to a tenth,
/// so that overload costs latency for a moment only (controlled delay, after "Fail at Scale", ACM Queue 13(8), 2015).
pub(crate) struct Limiter {
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    max_wait: Duration,
    base: Instant,
    /// Milliseconds from `base` to the last call that found a free turn.
    last_idle_ms: AtomicU64,
}

impl Limiter {
    pub(crate) fn new(max_in_flight: usize, max_wait: Duration) -> Self {
        let max_in_flight = max_in_flight.clamp(1, Semaphore::MAX_PERMITS / MAX_WAITING_FACTOR);
        Self {
            turns: Arc::new(Semaphore::new(max_in_flight)),
            waiting: Arc::new(Semaphore::new(max_in_flight * MAX_WAITING_FACTOR)),
            max_wait,
            base: Instant::now(),
            last_idle_ms: AtomicU64::new(0),
        }
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

/// Gives every call a turn, or refuses it with RESOURCE_EXHAUSTED. A turn lasts until the head of the answer: an open stream
/// holds none.
pub(crate) struct Shed<S> {
    inner: S,
    limiter: Arc<Limiter>,
    part: &'static str,
    meters: Meters,
}

impl<S> Shed<S> {
    pub(crate) fn new(inner: S, limiter: Arc<Limiter>, part: &'static str, meters: Meters) -> Self {
        Self {
            inner,
            limiter,
            part,
            meters,
        }
    }
}

impl<S: Serve + Clone> Serve for Shed<S> {
    fn serve(&self, request: Request<Body>) -> Answer {
        if let Some(turn) = self.limiter.try_turn() {
            let answer = self.inner.serve(request);
            return Box::pin(async move {
                let answer = answer.await;
                drop(turn);
                answer
            });
        }
        let limiter = Arc::clone(&self.limiter);
        let (part, meters) = (self.part, self.meters.clone());
        let inner = self.inner.clone();
        Box::pin(async move {
            match limiter.wait().await {
                Some(_turn) => inner.serve(request).await,
                None => {
                    meters.record(Metric::RpcShed, 1.0, &[Label::Service(part)]);
                    refuse(sextant_wire::status::overloaded(RETRY_AFTER)).await
                },
            }
        })
    }
}

#[cfg(test)]
mod tests;
