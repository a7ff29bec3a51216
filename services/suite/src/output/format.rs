//! Numbers, money and moments as text.

use sextant_domain::money::Currency;
use sextant_domain::time::{DAY_US, Day, Instant, Zone};

/// Ten-thousandths of a minor unit in a minor unit: the unit of `…_exact` numbers.
pub const EXACT_PER_MINOR: i64 = 10_000;

/// Digits in groups of three: 1234567 is "1,234,567".
#[must_use]
pub fn grouped(digits: &str) -> String {
    let length = digits.len();
    let mut out = String::with_capacity(length + length / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (length - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A whole number: -1234 is "-1,234".
#[must_use]
pub fn integer(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(&value.unsigned_abs().to_string()))
}

/// A count: 1234 is "1,234".
#[must_use]
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// An amount in minor units: 123456 of USD is "1,234.56 USD", of JPY "123,456 JPY". A currency that is not of ISO 4217 is
/// taken to have two places.
#[must_use]
pub fn money(minor: i64, currency: &str) -> String {
    let places = Currency::parse(currency).map_or(2, |currency| usize::from(currency.exponent()));
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    if part.is_empty() {
        format!("{sign}{} {currency}", grouped(whole))
    } else {
        format!("{sign}{}.{part} {currency}", grouped(whole))
    }
}

/// A part of a whole in percent with one decimal, rounded half away from zero: 1 of 3 is "33.3%". "-" where there is no whole: a
/// share of nothing is not zero.
#[must_use]
pub fn percent(numerator: i64, denominator: i64) -> String {
    if denominator == 0 {
        return "-".to_owned();
    }
    let (numerator, denominator) = (i128::from(numerator), i128::from(denominator));
    let negative = (numerator < 0) != (denominator < 0) && numerator != 0;
    let (part, whole) = (numerator.abs(), denominator.abs());
    let tenths = (part * 2_000 + whole) / (whole * 2);
    let sign = if negative && tenths > 0 { "-" } else { "" };
    format!(
        "{sign}{}.{}%",
        grouped(&(tenths / 10).to_string()),
        tenths % 10
    )
}

/// A moment to the second in a zone: "2026-01-01 09:30:00". In the first second of a day, and in its last one, which is when
/// days are closed, the day alone: "2026-01-01".
#[must_use]
pub fn moment(at: Instant, zone: &Zone) -> String {
    let day = zone.day_of(at);
    let begins = (0..1_000_000).contains(&(at.0 - zone.start_of(day).0));
    if begins || at_close(at, zone) {
        return day.to_string();
    }
    let seconds = zone.second_of_day(at);
    format!(
        "{day} {:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The same, but in the last second of a day that it is the close: "2026-01-01 close". So what a day's beginning, its hours and its
/// close said is read in this order.
#[must_use]
pub fn moment_or_close(at: Instant, zone: &Zone) -> String {
    let shown = moment(at, zone);
    if at_close(at, zone) {
        format!("{shown} close")
    } else {
        shown
    }
}

/// Whether a moment is in the last second of its day.
fn at_close(at: Instant, zone: &Zone) -> bool {
    const LAST_SECOND: i64 = 86_399;
    zone.second_of_day(at) == LAST_SECOND
}

/// The day of a moment in UTC.
#[must_use]
pub fn day_of(at: Instant) -> Day {
    Day(
        i32::try_from(at.0.div_euclid(DAY_US)).unwrap_or(if at.0 < 0 {
            i32::MIN
        } else {
            i32::MAX
        }),
    )
}

/// Exact amounts in whole minor units, rounded half away from zero.
#[must_use]
pub fn rounded(exact: i64) -> i64 {
    let half = if exact < 0 {
        -EXACT_PER_MINOR / 2
    } else {
        EXACT_PER_MINOR / 2
    };
    exact.saturating_add(half) / EXACT_PER_MINOR
}

/// Steps from `start` in whole minor units such that the printed row adds up: each is the difference of the rounded sums
/// before and after it, hence at most one unit from its own rounding.
#[must_use]
pub fn steps_that_add_up(start_exact: i64, steps_exact: &[i64]) -> Vec<i64> {
    let mut sum = start_exact;
    steps_exact
        .iter()
        .map(|step| {
            let before = rounded(sum);
            sum = sum.saturating_add(*step);
            rounded(sum) - before
        })
        .collect()
}

/// A sum of whole numbers that came as a floating-point number, back as a whole one; beyond 2^53 the nearest that there is.
#[must_use]
pub fn whole(sum: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates, and not-a-number gives zero"
    )]
    let whole = sum.round_ties_even() as i64;
    whole
}
