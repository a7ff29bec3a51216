//! Flaws of real deliveries: records twice, late, from wrong clocks, broken, or of accounts that nobody knows.

use sextant_domain::time::Instant;

use crate::generate::delivery::{Content, Pending};
use crate::generate::draw::{Draw, nearest};

const HOUR_US: i64 = 3_600_000_000;
/// Share of records of every kind that come a second time, with the same id, time and content.
const DUPLICATE: f64 = 0.01;
/// Shares of events, each event having one flaw at most.
const CONFLICT: f64 = 0.0002;
const LATE: f64 = 0.018;
const VERY_LATE: f64 = 0.002;
const FUTURE: f64 = 0.001;
const MALFORMED: f64 = 0.0005;
const UNKNOWN_ACCOUNT: f64 = 0.005;
/// Share of the records from a future clock whose clock is ahead by less than a day.
const WITHIN_A_DAY: f64 = 0.125;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Duplicate,
    Conflict,
    Late,
    VeryLate,
    FutureWithinDay,
    FutureBeyondDay,
    Malformed(Breakage),
    /// With the number of an account that does not exist.
    UnknownAccount(u32),
}

/// How a sender broke an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakage {
    NoTime,
    NoFact,
    NoType,
    /// The account's id is longer than 200 bytes.
    LongAccount,
}

/// Draws the flaw of a record, applies it to `first`, and returns a second delivery if there is one.
///
/// Times that lie ahead do so as seen from `end`, when all has been delivered: only then can a receiver know.
pub(crate) fn spoil(first: &mut Pending, end: Instant, draw: &mut Draw) -> Option<Pending> {
    let part = draw.unit();
    if part < DUPLICATE {
        return Some(again(first, Flaw::Duplicate, draw));
    }
    if matches!(first.content, Content::State(_)) {
        return None;
    }
    let mut edge = DUPLICATE;
    let mut within = |share: f64| {
        edge += share;
        part < edge
    };
    if within(CONFLICT) {
        return Some(again(first, Flaw::Conflict, draw));
    } else if within(LATE) {
        first.flaw = Flaw::Late;
        delay(first, draw.between(1.05_f64.ln(), 168.0_f64.ln()).exp());
    } else if within(VERY_LATE) {
        first.flaw = Flaw::VeryLate;
        delay(first, draw.between(169.0, 45.0 * 24.0));
    } else if within(FUTURE) {
        future(first, end, draw);
    } else if within(MALFORMED) {
        let ways = [
            Breakage::NoTime,
            Breakage::NoFact,
            Breakage::NoType,
            Breakage::LongAccount,
        ];
        first.flaw = Flaw::Malformed(draw.pick(&ways));
    } else if within(UNKNOWN_ACCOUNT) {
        first.flaw = Flaw::UnknownAccount(draw.below(200));
    }
    None
}

/// A second delivery, half a minute to two days after the first.
fn again(first: &Pending, flaw: Flaw, draw: &mut Draw) -> Pending {
    let delay_us = nearest(draw.between(30.0_f64.ln(), 172_800.0_f64.ln()).exp()) * 1_000_000;
    Pending {
        at: first.at.plus_us(delay_us),
        flaw,
        ..first.clone()
    }
}

/// Holds a record back at its source.
fn delay(pending: &mut Pending, hours: f64) {
    pending.at = pending.at.plus_us(nearest(hours * 3_600.0) * 1_000_000);
}

/// Gives a record the time of a clock that runs ahead.
fn future(pending: &mut Pending, end: Instant, draw: &mut Draw) {
    let ahead_us = if draw.chance(WITHIN_A_DAY) {
        pending.flaw = Flaw::FutureWithinDay;
        nearest(draw.between(60.0, 86_000.0)) * 1_000_000
    } else {
        pending.flaw = Flaw::FutureBeyondDay;
        nearest(draw.between(25.0, 700.0 * 24.0)) * HOUR_US
    };
    pending.time = end.plus_us(ahead_us);
}
