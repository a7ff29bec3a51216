//! Instants and days.

use prost_types::Timestamp;

use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::{Date, ErrorReason};

use crate::status::Problem;

/// An instant on the wire.
#[must_use]
pub fn timestamp(at: Instant) -> Timestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Timestamp {
        seconds: at.0.div_euclid(1_000_000),
        nanos,
    }
}

/// An instant from the wire, rounded down to microseconds.
///
/// # Errors
/// Outside the years 1 to 9999, or nanoseconds outside one second.
pub fn instant(stamp: &Timestamp) -> Result<Instant, Problem> {
    const YEAR_1: i64 = -62_135_596_800;
    const YEAR_10000: i64 = 253_402_300_800;
    if !(YEAR_1..YEAR_10000).contains(&stamp.seconds) || !(0..1_000_000_000).contains(&stamp.nanos)
    {
        return Err(Problem::new(
            ErrorReason::FieldInvalid,
            "is no moment between the years 1 and 9999",
        ));
    }
    Ok(Instant(
        stamp.seconds * 1_000_000 + i64::from(stamp.nanos) / 1_000,
    ))
}

/// An optional instant of a field.
///
/// # Errors
/// As [`instant`], naming the field.
pub fn optional(stamp: Option<&Timestamp>, field: &str) -> Result<Option<Instant>, Problem> {
    stamp
        .map(|stamp| instant(stamp).map_err(|problem| problem.below(field)))
        .transpose()
}

/// An instant that must be there.
///
/// # Errors
/// Absent, or as [`instant`], naming the field.
pub fn required(stamp: Option<&Timestamp>, field: &str) -> Result<Instant, Problem> {
    optional(stamp, field)?
        .ok_or_else(|| Problem::field(ErrorReason::FieldMissing, field, "must be set"))
}

/// A day on the wire.
#[must_use]
pub fn date(day: Day) -> Date {
    let (year, month, day) = day.ymd();
    Date {
        year: year.into(),
        month: month.into(),
        day: day.into(),
    }
}

/// A day from the wire.
///
/// # Errors
/// No such calendar day.
pub fn day(date: &Date) -> Result<Day, Problem> {
    let parts = (
        i16::try_from(date.year),
        i8::try_from(date.month),
        i8::try_from(date.day),
    );
    let found = match parts {
        (Ok(year), Ok(month), Ok(day)) => Day::from_ymd(year, month, day),
        _ => None,
    };
    found.ok_or_else(|| {
        Problem::new(
            ErrorReason::FieldInvalid,
            format!(
                "{:04}-{:02}-{:02} is no calendar day",
                date.year, date.month, date.day
            ),
        )
    })
}
