//! How revenue got from the start of each month to its end.

use sextant_domain::mrr::{Movement, Mrr, Waterfall, WaterfallError, Window};
use sextant_domain::time::{Day, Instant, Zone};
use sextant_proto::common::v1::{Date, ErrorReason};
use sextant_proto::metrics::v1 as pb;
use sextant_wire::status::Problem;
use sextant_wire::time;

use crate::figures::exact;
use crate::state::{Moment, TenantState};

mod segments;

pub(crate) use self::segments::by_segment;

const DEFAULT_MONTHS: u32 = 6;
const MAX_MONTHS: u32 = 120;

/// One calendar month of the tenant's zone, as far as it has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) first_day: Day,
    pub(crate) window: Window,
    /// It is not over.
    pub(crate) to_date: bool,
}

/// The months that a request asks for, oldest first.
///
/// # Errors
/// FIELD_INVALID: too many months, no calendar day, or a last month that has not begun.
pub(crate) fn months(
    last_month: Option<&Date>,
    n_months: u32,
    as_of: Instant,
    zone: &Zone,
) -> Result<Vec<Month>, Problem> {
    let n_months = match n_months {
        0 => DEFAULT_MONTHS,
        1..=MAX_MONTHS => n_months,
        _ => {
            return Err(Problem::field(
                ErrorReason::FieldInvalid,
                "months",
                format!("must be at most {MAX_MONTHS}"),
            ));
        },
    };
    let last = match last_month {
        Some(date) => time::day(date)
            .map_err(|problem| problem.below("last_month"))?
            .month(),
        // A month that has only just begun has nothing to show yet.
        None => zone.day_of(as_of.plus_us(-1)).month(),
    };
    let current = zone.day_of(as_of).month();
    if last > current {
        let message = format!(
            "must not be after {}, the month that the answer is about",
            Day::first_of_month(current)
        );
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "last_month",
            message,
        ));
    }
    let n_before = i32::try_from(n_months).unwrap_or(1) - 1;
    Ok((last - n_before..=last)
        .map(|month| one_month(month, as_of, zone))
        .collect())
}

fn one_month(month: i32, as_of: Instant, zone: &Zone) -> Month {
    let first_day = Day::first_of_month(month);
    let end = zone.start_of(Day::first_of_month(month + 1));
    let passed = passed(end, as_of);
    Month {
        first_day,
        window: Window::spanning(zone.start_of(first_day), passed),
        to_date: passed < end,
    }
}

/// The part of a window that has passed at `as_of`, that instant included: `end`, or the first instant after `as_of`.
pub(crate) fn passed(end: Instant, as_of: Instant) -> Instant {
    end.min(as_of.plus_us(1))
}

/// The waterfall of a month over accounts, each given by its movements: one movement for each account and month, first
/// against last state.
///
/// # Errors
/// The books contradict themselves.
pub(crate) fn month<'a>(
    accounts: impl Iterator<Item = &'a [Movement]>,
    month: Month,
    known_at: Instant,
) -> Result<pb::WaterfallMonth, Problem> {
    let waterfall = Waterfall::net(accounts, month.window, known_at).map_err(unbalanced)?;
    to_wire(month, &waterfall, Mrr(0))
}

fn unbalanced(error: WaterfallError) -> Problem {
    Problem::new(ErrorReason::Internal, error.to_string())
}

fn to_wire(
    month: Month,
    waterfall: &Waterfall,
    transfer: Mrr,
) -> Result<pb::WaterfallMonth, Problem> {
    let flows = waterfall.flows();
    Ok(pb::WaterfallMonth {
        month: Some(time::date(month.first_day)),
        start_exact: exact(waterfall.start())?,
        new_exact: exact(flows.new)?,
        reactivation_exact: exact(flows.reactivation)?,
        expansion_exact: exact(flows.expansion)?,
        contraction_exact: exact(flows.contraction)?,
        churn_exact: exact(flows.churn)?,
        fx_revaluation_exact: exact(flows.fx_revaluation)?,
        restatement_exact: exact(flows.restatement)?,
        end_exact: exact(Mrr(waterfall.end().0 + transfer.0))?,
        transfer_exact: exact(transfer)?,
        to_date: month.to_date,
    })
}

/// The waterfalls of a tenant.
pub(crate) fn waterfalls(
    state: &TenantState,
    months: &[Month],
    moment: Moment,
) -> Result<Vec<pb::WaterfallMonth>, Problem> {
    let accounts = state.accounts.values();
    let books: Vec<_> = accounts
        .map(|account| account.movements(&state.settings, moment.as_of))
        .collect();
    months
        .iter()
        .map(|one| month(books.iter().map(AsRef::as_ref), *one, moment.known_at))
        .collect()
}

#[cfg(test)]
mod tests;
