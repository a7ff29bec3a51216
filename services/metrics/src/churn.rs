//! Accounts and revenue lost over a period, by the segment at its start.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sextant_domain::mrr::{MetricPolicy, Window};
use sextant_domain::retention::{AccountPeriod, Retention};
use sextant_domain::time::{Day, Instant, Zone};
use sextant_proto::common::v1::{Date, ErrorReason};
use sextant_proto::metrics::v1 as pb;
use sextant_wire::status::Problem;
use sextant_wire::time;

use crate::figures::ratio;
use crate::state::{Breakdown, Moment, TenantState};
use crate::waterfall::passed;

/// The period between two days of the tenant's zone, both included, as far as it has passed.
///
/// # Errors
/// A day that is missing or none, days in the wrong order, or a period that has not begun.
pub(crate) fn period(
    first_day: Option<&Date>,
    last_day: Option<&Date>,
    as_of: Instant,
    zone: &Zone,
) -> Result<Window, Problem> {
    let (first, last) = (day(first_day, "first_day")?, day(last_day, "last_day")?);
    if last < first {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "last_day",
            format!("must not be before first_day, {first}"),
        ));
    }
    let (from, end) = (zone.start_of(first), zone.start_of(last.plus(1)));
    if from > as_of {
        let message = format!(
            "must not be after {}, the day that the answer is about",
            zone.day_of(as_of)
        );
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "first_day",
            message,
        ));
    }
    let newest = zone.day_of(as_of);
    if last > newest {
        let message = format!("must not be after {newest}, the day that the answer is about");
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "last_day",
            message,
        ));
    }
    Ok(Window::spanning(from, passed(end, as_of)))
}

fn day(date: Option<&Date>, field: &str) -> Result<Day, Problem> {
    let date =
        date.ok_or_else(|| Problem::field(ErrorReason::FieldMissing, field, "must be set"))?;
    time::day(date).map_err(|problem| problem.below(field))
}

/// Retention of accounts, given by segment (empty: in none) and period: in total, and of each segment that had an account
/// to lose, in descending order of revenue at the start, then by key.
pub(crate) fn retention<'a>(
    accounts: impl IntoIterator<Item = (&'a str, AccountPeriod)>,
    policy: &MetricPolicy,
) -> (Retention, Vec<(&'a str, Retention)>) {
    let mut groups: BTreeMap<&str, Vec<AccountPeriod>> = BTreeMap::new();
    for (segment, account) in accounts {
        groups.entry(segment).or_default().push(account);
    }
    let total = Retention::of(groups.values().flatten(), policy);
    let segments = groups
        .into_iter()
        .map(|(segment, accounts)| (segment, Retention::of(&accounts, policy)));
    let mut segments: Vec<_> = segments
        .filter(|(_, retention)| retention.n_opening > 0)
        .collect();
    segments.sort_by_key(|(segment, retention)| (Reverse(retention.opening), *segment));
    (total, segments)
}

/// Churn of a tenant over a period.
pub(crate) fn churn(
    state: &TenantState,
    breakdown: &Breakdown,
    window: Window,
    known_at: Instant,
) -> Result<(pb::Churn, Vec<pb::Churn>), Problem> {
    let start = Moment {
        as_of: window.from().plus_us(-1),
        known_at,
    };
    let accounts = state
        .by_segment(breakdown, start)
        .filter_map(|(segment, account)| {
            let billing = account.billing(&state.settings)?;
            Some((segment, AccountPeriod::of(billing, window, known_at)))
        });
    let (total, segments) = retention(accounts, &state.settings.policy);
    let segments = match breakdown {
        Breakdown::Total => Vec::new(),
        Breakdown::BySegment(_) => segments,
    };
    let segments: Result<Vec<_>, _> = segments
        .iter()
        .map(|(segment, retention)| to_wire(segment, retention))
        .collect();
    Ok((to_wire("", &total)?, segments?))
}

fn to_wire(segment: &str, retention: &Retention) -> Result<pb::Churn, Problem> {
    Ok(pb::Churn {
        segment: segment.to_owned(),
        logo_churn: ratio(retention.logo_churn())?,
        gross_revenue_churn: ratio(retention.gross_revenue_churn())?,
        net_revenue_churn: ratio(retention.net_revenue_churn())?,
    })
}

#[cfg(test)]
mod tests;
