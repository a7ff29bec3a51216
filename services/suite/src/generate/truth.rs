//! What is true of an account and stands in no record: the yardstick for models that guess it.

use sextant_domain::time::Day;

use crate::generate::billing::{unit_minor, volume_discount_bps};
use crate::generate::life::{Cause, End, Life, Month, Payment, Plan};
use crate::generate::profile::{Currency, Interval, Need, Profile, Tier};

#[cfg(test)]
mod tests;

/// How a month of a contract ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The account stays.
    Stays,
    /// It leaves because it wants to, at the month's end.
    LeavesVoluntarily,
    /// Its payments fail from the month's end on, and 21 days later it is gone.
    LeavesInvoluntarily,
}

/// One month of a contract that is paid for. Months on hold and months whose payment fails for good are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaidMonth {
    /// First day.
    pub starts_on: Day,
    /// First day that is no longer part of it.
    pub ends_on: Day,
    /// Seats at its start.
    pub seats: u32,
    /// Recurring revenue a month at its start, in USD cents at list rates.
    pub mrr_cents: f64,
    /// The same at its end, before anything that its end brings.
    pub mrr_after_cents: f64,
    /// Probability, drawn from, that the account leaves at its end: no model can know more.
    pub leaving_probability: f64,
    /// What came.
    pub fate: Fate,
}

/// The truth about one account.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// The tenant's id of the account.
    pub account_id: String,
    /// Size class.
    pub tier: Tier,
    /// What it wants the product for.
    pub need: Need,
    /// How often it pays.
    pub interval: Interval,
    /// Its months that are paid for and begin within the generated time, of all its contracts in order.
    pub months: Vec<PaidMonth>,
}

/// Collects the truth about an account.
pub(crate) fn of(account_id: String, profile: &Profile, life: &Life, start: Day) -> Truth {
    let mut months = Vec::new();
    for spell in &life.spells {
        for month in &spell.months {
            if month.starts_on >= start
                && matches!(month.payment, Payment::Prompt | Payment::Recovered(_))
            {
                months.push(paid_month(profile, month, spell.end));
            }
        }
    }
    Truth {
        account_id,
        tier: profile.tier,
        need: profile.need,
        interval: profile.interval,
        months,
    }
}

fn paid_month(profile: &Profile, month: &Month, end: Option<End>) -> PaidMonth {
    let fate = match end {
        Some(End {
            on,
            cause: Cause::Voluntary { .. },
        }) if on == month.ends_on => Fate::LeavesVoluntarily,
        Some(End {
            on,
            cause: Cause::Involuntary,
        }) if on == month.ends_on.plus(crate::generate::life::DUNNING_DAYS) => {
            Fate::LeavesInvoluntarily
        },
        _ => Fate::Stays,
    };
    PaidMonth {
        starts_on: month.starts_on,
        ends_on: month.ends_on,
        seats: month.plan.seats,
        mrr_cents: mrr_cents(profile, &month.plan),
        mrr_after_cents: mrr_cents(profile, &month.plan_on(month.ends_on)),
        leaving_probability: month.leaving,
        fate,
    }
}

fn mrr_cents(profile: &Profile, plan: &Plan) -> f64 {
    let unit = unit_minor(profile.tier, profile.interval, plan, Currency::Usd) as f64;
    let months = match profile.interval {
        Interval::Month => 1.0,
        Interval::Year => 12.0,
    };
    unit * f64::from(plan.seats) * (1.0 - f64::from(volume_discount_bps(plan.seats)) / 10_000.0)
        / months
}
