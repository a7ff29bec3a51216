//! The owner of every task: how they start, how they are told to stop, and what happens when one of them breaks.

mod signals;
mod watchdog;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::lifecycle::signals::{Signal, Signals};
pub use crate::lifecycle::watchdog::Expiry;
use crate::lifecycle::watchdog::Watchdog;

/// Time that tasks have to be dropped once they are aborted, and that the process then has to exit.
const ABORT_GRACE: Duration = Duration::from_secs(2);

/// An error of any kind, with its chain.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Owns all tasks of a process. Clones share the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tracker: TaskTracker,
    draining: CancellationToken,
    stop: CancellationToken,
    abort: CancellationToken,
    crashed: CancellationToken,
    crash: Mutex<Option<Crash>>,
    running: Mutex<BTreeMap<u64, &'static str>>,
    started: AtomicU64,
}

/// The first task that broke, and how.
#[derive(Debug)]
pub struct Crash {
    /// Its name.
    pub task: &'static str,
    /// Its error, or the text of its panic.
    pub error: BoxError,
}

/// How long each phase of a shutdown may take.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// After SIGTERM: time between "not ready" and refusing work, for load balancers to notice.
    pub notice: Duration,
    /// Time for tasks to finish after they were told to stop; then they are dropped.
    pub deadline: Duration,
    /// What the watchdog does if even dropping them does not end the process.
    pub on_expiry: Expiry,
}

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A signal.
    Signal(Signal),
    /// [`Lifecycle::shut_down`] was called.
    Requested,
    /// A task broke.
    Crashed,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// What started the shutdown.
    pub cause: Cause,
    /// The first task that broke, before or during the shutdown.
    pub crash: Option<Crash>,
    /// Tasks that did not finish in time and were dropped.
    pub unfinished: Vec<&'static str>,
}

impl Ended {
    /// 1 if a task broke, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(self.crash.is_some())
    }
}

/// What a task may return: nothing, or a result.
pub trait TaskOutcome: Send {
    /// The outcome as a result.
    ///
    /// # Errors
    /// The task broke.
    fn into_result(self) -> Result<(), BoxError>;
}

impl TaskOutcome for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError> + Send> TaskOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

impl Lifecycle {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process is about to stop: answer "not ready", take no new leases, but serve.
    #[must_use]
    pub fn draining(&self) -> &CancellationToken {
        &self.shared.draining
    }

    /// Cancelled when tasks should finish what they are doing and return.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.shared.stop
    }

    /// Starts a task. It gets the stop token; if it breaks (error or panic), the process drains and exits with 1.
    pub fn spawn<F>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output: TaskOutcome> + Send + 'static,
    {
        let future = task(self.shared.stop.clone());
        self.own(name, Box::pin(async move { future.await.into_result() }));
    }

    fn own(&self, name: &'static str, task: BoxFuture<'static, Result<(), BoxError>>) {
        let shared = Arc::clone(&self.shared);
        let id = shared.started.fetch_add(1, Ordering::Relaxed);
        locked(&shared.running).insert(id, name);
        self.shared.tracker.spawn(async move {
            let ended = tokio::select! {
                biased;
                ended = AssertUnwindSafe(task).catch_unwind() => Some(ended),
                () = shared.abort.cancelled() => None,
            };
            match ended {
                Some(Ok(Ok(()))) => {},
                Some(Ok(Err(error))) => shared.record(Crash { task: name, error }),
                Some(Err(panic)) => shared.record(Crash {
                    task: name,
                    error: Box::new(Panicked::from(&*panic)),
                }),
                // Stays listed as running: it did not finish.
                None => return,
            }
            locked(&shared.running).remove(&id);
        });
    }

    /// Starts the shutdown as a signal would, without the notice.
    pub fn shut_down(&self) {
        self.shared.draining.cancel();
    }

    /// Runs until a signal, a crash or [`Lifecycle::shut_down`], then drains: not ready → notice → stop → wait → abort. A
    /// second signal aborts at once. The watchdog stays armed afterwards, for what comes between here and the exit.
    pub async fn run(&self, plan: DrainPlan, mut signals: Signals) -> Ended {
        let shared = &self.shared;
        let cause = tokio::select! {
            biased;
            () = shared.crashed.cancelled() => Cause::Crashed,
            () = shared.draining.cancelled() => Cause::Requested,
            signal = signals.next() => Cause::Signal(signal),
        };
        tracing::info!(%cause, "shutting down");
        let code = i32::from(cause == Cause::Crashed);
        Watchdog::arm(
            plan.notice + plan.deadline + ABORT_GRACE * 2,
            plan.on_expiry,
            code,
        );
        shared.draining.cancel();
        shared.tracker.close();
        let graceful = async {
            if cause == Cause::Signal(Signal::Terminate) {
                tokio::time::sleep(plan.notice).await;
            }
            shared.stop.cancel();
            tokio::time::timeout(plan.deadline, shared.tracker.wait())
                .await
                .is_ok()
        };
        let finished = tokio::select! {
            biased;
            finished = graceful => finished,
            signal = signals.next() => {
                tracing::info!(%signal, "second signal, stopping at once");
                false
            },
        };
        if !finished {
            self.abort().await;
        }
        let unfinished = locked(&shared.running).values().copied().collect();
        let crash = locked(&shared.crash).take();
        Ended {
            cause,
            crash,
            unfinished,
        }
    }

    async fn abort(&self) {
        let tasks: Vec<&str> = locked(&self.shared.running).values().copied().collect();
        tracing::warn!(?tasks, "tasks did not finish in time and are dropped");
        self.shared.stop.cancel();
        self.shared.abort.cancel();
        if tokio::time::timeout(ABORT_GRACE, self.shared.tracker.wait())
            .await
            .is_err()
        {
            tracing::error!("a task blocks its thread and cannot be dropped");
        }
    }
}

impl Shared {
    fn record(&self, crash: Crash) {
        tracing::error!(task = crash.task, error = %Chain(&*crash.error), "task broke");
        locked(&self.crash).get_or_insert(crash);
        self.crashed.cancel();
    }
}

/// A lock whose holders cannot panic between two states.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with its whole chain on one line.
pub(crate) struct Chain<'e>(pub(crate) &'e (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Panicked(String);

impl From<&(dyn std::any::Any + Send)> for Panicked {
    fn from(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        Self(
            text.or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no text".to_owned()),
        )
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::Requested => f.write_str("requested"),
            Self::Crashed => f.write_str("a task broke"),
        }
    }
}

#[cfg(test)]
mod tests;
