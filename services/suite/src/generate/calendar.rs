//! When a company's users work: weekdays, seasons, hours, and the anniversaries of contracts.

use prost_types::Timestamp;

use sextant_domain::time::{DAY_US, Day, Instant};

#[cfg(test)]
mod tests;

/// Activity of Monday to Sunday relative to Monday.
const WEEKDAY: [f64; 7] = [1.0, 1.08, 1.08, 1.05, 0.92, 0.18, 0.15];
/// Sum of weekday factors over an average month of 365.25 / 12 days.
pub(crate) const MONTH_WEIGHT: f64 = 5.46 / 7.0 * 30.4375;
/// Activity by hour of the account's own day: peaks at 10–12 and 14–16, lunch at half of that.
pub(crate) const HOURS: [f64; 24] = [
    0.02, 0.01, 0.01, 0.01, 0.02, 0.04, 0.1, 0.3, 0.7, 1.1, 1.4, 1.3, 0.7, 0.9, 1.4, 1.3, 1.1, 0.8,
    0.4, 0.25, 0.2, 0.15, 0.08, 0.04,
];

/// The day `months` after an anchor, on the same day of the month or the month's last.
pub(crate) fn anniversary(anchor: Day, months: i32) -> Day {
    let (_, _, day_of_month) = anchor.ymd();
    let month = anchor.month() + months;
    let first = Day::first_of_month(month);
    let length = first.days_until(Day::first_of_month(month + 1));
    first.plus(i32::from(day_of_month).min(length) - 1)
}

/// Activity of a day relative to an ordinary Monday: weekday, August × 0.85, 20 December to 3 January × 0.35.
pub(crate) fn activity(day: Day) -> f64 {
    let season = match day.ymd() {
        (_, 12, 20..) | (_, 1, ..=3) => 0.35,
        (_, 8, _) => 0.85,
        _ => 1.0,
    };
    WEEKDAY[usize::from(day.weekday() % 7)] * season
}

/// Whether a day is among the last ten of a quarter, when reports are made.
pub(crate) fn closes_quarter(day: Day) -> bool {
    let (_, month, _) = day.ymd();
    let ahead = day.plus(10).ymd().1;
    month % 3 == 0 && ahead != month
}

/// The moment at which a day begins in UTC.
pub(crate) fn midnight(day: Day) -> Instant {
    Instant(i64::from(day.0) * DAY_US)
}

/// A moment as the contract writes it.
pub(crate) fn timestamp(at: Instant) -> Timestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Timestamp {
        seconds: at.0.div_euclid(1_000_000),
        nanos,
    }
}
