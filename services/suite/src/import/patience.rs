//! How long an import waits for a service that is away, and how it comes back to it.
//!
//! Records carry their identity, so what was not acknowledged may be sent again without being counted twice. A service that
//! restarts, or whose store does, is therefore no reason to end an import.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tonic::Status;

use sextant_wire::status::retry_after;

use crate::error::Exit;

/// Time without any progress after which an import gives up.
pub const LONGEST: Duration = Duration::from_secs(60);
/// First wait, doubled with every further one.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
/// Longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What an import tells of on its way.
#[derive(Debug, Clone, Copy)]
pub enum News<'n> {
    /// More records have been judged.
    Judged,
    /// The service is away, for this reason; it is waited for.
    Away(&'n str),
    /// It is back.
    Back,
}

/// Waits between tries, until there was no progress for too long.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Since when there was none; `None` while all is well.
    since: Option<Instant>,
    wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            since: None,
            wait: SHORTEST_WAIT,
        }
    }
}

impl Patience {
    /// Something was done. Whether the service was away before.
    pub(crate) fn progress(&mut self) -> bool {
        let was_away = self.since.is_some();
        *self = Self::default();
        was_away
    }

    /// Whether the service is away.
    pub(crate) fn is_away(&self) -> bool {
        self.since.is_some()
    }

    /// How long to wait before the next try, at least as long as the service asks for; `None`: it was away for too long.
    pub(crate) fn next_wait(&mut self, now: Instant, asked: Option<Duration>) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) >= LONGEST {
            return None;
        }
        let wait = self.wait.max(asked.unwrap_or_default()).min(LONGEST);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Some(wait)
    }

    /// Waits before the next try. Whether there is to be one: the service may be back for it, and was not away for too long.
    pub(crate) async fn bear(&mut self, status: Option<&Status>) -> bool {
        if !status.is_none_or(may_come_back) {
            return false;
        }
        let asked = status.and_then(retry_after);
        let Some(wait) = self.next_wait(Instant::now(), asked) else {
            return false;
        };
        sleep(wait).await;
        true
    }
}

/// Whether the same call may succeed later.
pub(crate) fn may_come_back(status: &Status) -> bool {
    Exit::of_status(status) == Exit::Unavailable
}

/// Repeats a call that may be repeated for as long as its service is away, but not for ever.
///
/// # Errors
/// Any other refusal, and the last one when it was away for too long.
pub async fn persist<T>(
    mut tell: impl FnMut(News<'_>) + Send,
    mut call: impl FnMut() -> BoxFuture<'static, Result<T, Status>> + Send,
) -> Result<T, Status> {
    let mut patience = Patience::default();
    loop {
        match call().await {
            Err(status) => {
                if !patience.is_away() && may_come_back(&status) {
                    tell(News::Away(status.message()));
                }
                if !patience.bear(Some(&status)).await {
                    return Err(status);
                }
            },
            Ok(answer) => {
                if patience.progress() {
                    tell(News::Back);
                }
                return Ok(answer);
            },
        }
    }
}

#[cfg(test)]
mod tests;
