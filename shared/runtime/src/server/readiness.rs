//! Whether the process wants work, and the one watch over the store that it cannot work without.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use sextant_domain::store::Error;

use crate::lifecycle::{Chain, Lifecycle};

/// How often the store is asked.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Longest wait for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Failures in a row after which the store counts as lost.
const FAILURES: u32 = 3;
/// Successes in a row after which it counts as back.
const SUCCESSES: u32 = 2;

/// Whether the process wants work: true from [`crate::server::Server::start`] until it drains, but for the time in which its
/// store cannot be written, or another service refuses its key. `/readyz` and the health service say so; calls are served all
/// the same.
#[derive(Debug, Clone)]
pub struct Readiness {
    state: watch::Sender<State>,
    draining: CancellationToken,
}

#[derive(Debug)]
struct State {
    serving: bool,
    store: Store,
    /// Which key each service refuses that does.
    refused: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Writable,
    Lost,
}

impl Readiness {
    /// Not ready yet. Until it is watched, the store counts as writable.
    #[must_use]
    pub fn new(lifecycle: &Lifecycle) -> Self {
        Self {
            state: watch::Sender::new(State {
                serving: false,
                store: Store::Writable,
                refused: BTreeMap::new(),
            }),
            draining: lifecycle.draining().clone(),
        }
    }

    /// What `/readyz` answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.obstacle().is_none()
    }

    /// Why it is not ready, with the fix where there is one; `None`: it is.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        let state = self.state.borrow();
        if self.draining.is_cancelled() {
            Some("it stops".to_owned())
        } else if !state.serving {
            Some("it does not serve yet".to_owned())
        } else if state.store == Store::Lost {
            Some("the store cannot be written".to_owned())
        } else {
            let (peer, key) = state.refused.first_key_value()?;
            Some(refusal(peer, key))
        }
    }

    /// A service refuses the key of this process: whatever is asked of it, it will not answer.
    pub(crate) fn refused_by(&self, peer: &str, key: &str) {
        let is_news = self.state.send_if_modified(|state| {
            let before = state.refused.insert(peer.to_owned(), key.to_owned());
            before.is_none()
        });
        if is_news {
            tracing::error!("not ready: {}", refusal(peer, key));
        }
    }

    /// A service takes the key of this process. Told of every answer, so the common case only reads.
    pub(crate) fn taken_by(&self, peer: &str) {
        if !self.state.borrow().refused.contains_key(peer) {
            return;
        }
        let is_news = self
            .state
            .send_if_modified(|state| state.refused.remove(peer).is_some());
        if is_news {
            tracing::info!("{peer} takes the key of this process now");
        }
    }

    /// The port listens.
    pub(crate) fn serves(&self) {
        self.state.send_modify(|state| state.serving = true);
    }

    /// Returns when [`Readiness::is_ready`] is no longer so, or no longer not so.
    pub(crate) async fn changed(&self, was_ready: bool) {
        let mut state = self.state.subscribe();
        while self.is_ready() == was_ready {
            tokio::select! {
                // The sender is ours, so there is always a next state.
                _ = state.changed() => {},
                // Once it is not ready, a drain changes nothing.
                () = self.draining.cancelled(), if was_ready => {},
            }
        }
    }

    /// Asks the store every two seconds, until the lifecycle stops, whether it can be written. After three failures in a row the
    /// process is not ready, after two successes in a row it is again. No answer within two seconds is a failure.
    pub fn watch_store<F>(&self, lifecycle: &Lifecycle, ask: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let state = self.state.clone();
        lifecycle.spawn("store-watch", |stop| async move {
            stop.run_until_cancelled(watch_store(&state, ask)).await;
        });
    }
}

fn refusal(peer: &str, key: &str) -> String {
    format!("{peer} refuses {key}: give both processes the same key")
}

async fn watch_store<F>(state: &watch::Sender<State>, ask: impl Fn() -> F)
where
    F: Future<Output = Result<(), Error>>,
{
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = Count::default();
    loop {
        ticks.tick().await;
        let answer = timeout(ANSWER_WITHIN, ask()).await;
        let answer = answer.unwrap_or_else(|late| Err(Error::unavailable("asking it", late)));
        let before = count.store;
        count.note(&answer);
        if count.store == before {
            continue;
        }
        match &answer {
            Ok(()) => tracing::info!("the store can be written again: ready"),
            Err(error) => {
                tracing::warn!(error = %Chain(error), "the store cannot be written: not ready until it can");
            },
        }
        state.send_modify(|state| state.store = count.store);
    }
}

/// What the answers of the store add up to.
#[derive(Debug)]
struct Count {
    store: Store,
    /// Newest answers in a row that say otherwise.
    against: u32,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            store: Store::Writable,
            against: 0,
        }
    }
}

impl Count {
    fn note(&mut self, answer: &Result<(), Error>) {
        let (says, needed) = match answer {
            Ok(()) => (Store::Writable, SUCCESSES),
            Err(_) => (Store::Lost, FAILURES),
        };
        self.against = if says == self.store {
            0
        } else {
            self.against + 1
        };
        if self.against == needed {
            *self = Self {
                store: says,
                against: 0,
            };
        }
    }
}

#[cfg(test)]
mod tests;
