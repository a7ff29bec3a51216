//! The deadline of the call that is being served: read from `grpc-timeout`, carried in the task, forwarded by links.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

/// The gRPC header that carries the time a caller is willing to wait.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Kept back when a deadline is forwarded, so that the callee's answer still arrives in time to be used. A tenth of the
/// remaining time if that is less.
const MARGIN: Duration = Duration::from_millis(10);

/// The protocol allows at most eight digits.
const MAX_TIMEOUT_DIGITS: usize = 8;
const MAX_TIMEOUT_VALUE: u128 = 99_999_999;

tokio::task_local! {
    /// Set by the server's deadline layer.
    pub(crate) static DEADLINE: Deadline;
}

/// When a call ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deadline {
    /// Its caller stops waiting then.
    Given(Instant),
    /// The caller named none; only the head of the answer has to be there by then.
    Default(Instant),
}

/// When the caller of the current call stops waiting; `None` outside a call and in a call without a deadline.
#[must_use]
pub fn current() -> Option<Instant> {
    match DEADLINE.try_with(|deadline| *deadline).ok()? {
        Deadline::Given(at) => Some(at),
        Deadline::Default(_) => None,
    }
}

/// Time left until the head of the current call's answer has to be there, by whatever deadline; `None` outside a call.
pub(crate) fn remaining_for_head() -> Option<Duration> {
    let (Deadline::Given(at) | Deadline::Default(at)) =
        DEADLINE.try_with(|deadline| *deadline).ok()?;
    Some(at.saturating_duration_since(Instant::now()))
}

/// Time left until [`current`], zero once it has passed. Store calls take a slice of it.
#[must_use]
pub fn remaining() -> Option<Duration> {
    current().map(|at| at.saturating_duration_since(Instant::now()))
}

/// What a callee may use of `left`: all but a margin.
pub(crate) fn forwarded(left: Duration) -> Duration {
    left - MARGIN.min(left / 10)
}

/// The time a caller is willing to wait. An unreadable value counts as none, as the protocol's servers do.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty()
        || digits.len() > MAX_TIMEOUT_DIGITS
        || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3_600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// The header value for a wait of `left`, in the finest unit that fits eight digits.
pub(crate) fn to_header(left: Duration) -> Option<HeaderValue> {
    let nanos = left.as_nanos();
    let units: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| nanos / size <= MAX_TIMEOUT_VALUE)?;
    HeaderValue::try_from(format!("{}{unit}", nanos / size)).ok()
}

#[cfg(test)]
mod tests;
