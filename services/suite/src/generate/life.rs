//! How an account's contract goes, month by month, up to the end of the generated time.
//!
//! The dynamics of usage, hazard, seats and plans are our own, calibrated so that churn, retention and the spread of
//! revenue come near published benchmarks; the tests of this module measure what they give.

use sextant_domain::time::Day;

use crate::generate::calendar::anniversary;
use crate::generate::draw::{Draw, logistic};
use crate::generate::profile::{Interval, Profile, TrialKind};

/// Length of a trial.
const TRIAL_DAYS: i32 = 14;
/// Days from the first failed payment of a lost account to its end.
pub(crate) const DUNNING_DAYS: i32 = 21;
/// Probability of leaving by failed payments at the renewal of an annual contract.
const INVOLUNTARY_AT_RENEWAL: f64 = 0.025;
/// Share of trials without conversion that are used once and never again.
const ONE_AND_DONE: f64 = 0.6;
/// Share of lost accounts that come back within a year; half of them within 90 days.
const REACTIVATION: f64 = 0.06;
/// Share of voluntary leavers whose usage falls beforehand.
const DIP: f64 = 0.7;
/// Monthly probability that an account on a monthly contract pauses.
const PAUSE: f64 = 0.002;
/// Probability that a payment fails first and succeeds on a retry.
const RECOVERED_PAYMENT: f64 = 0.02;

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) seats: u32,
    pub(crate) upgrades: u32,
    pub(crate) downgrades: u32,
    /// When the price was set, which locks its exchange rate.
    pub(crate) priced_on: Day,
}

/// A change of plan within a month.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) on: Day,
    pub(crate) plan: Plan,
}

/// How a month is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payment {
    /// At once.
    Prompt,
    /// After a failed attempt, this many days later.
    Recovered(i32),
    /// Never: the account is lost [`DUNNING_DAYS`] after the month's start.
    Exhausted,
    /// Not due: the contract is on hold.
    Paused,
}

/// One month of a contract.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Month {
    pub(crate) starts_on: Day,
    /// First day that is no longer part of it.
    pub(crate) ends_on: Day,
    /// Whole months since the contract began.
    pub(crate) age: i32,
    /// Latent usage.
    pub(crate) usage: f64,
    /// Probability of leaving at the end of this month, for whatever cause.
    pub(crate) leaving: f64,
    /// What is paid for when the month starts.
    pub(crate) plan: Plan,
    pub(crate) change: Option<Change>,
    pub(crate) payment: Payment,
}

impl Month {
    /// What is paid for on a day of this month.
    pub(crate) fn plan_on(&self, day: Day) -> Plan {
        match self.change {
            Some(change) if change.on <= day => change.plan,
            _ => self.plan,
        }
    }
}

/// Why a contract ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    /// Asked for; with the day from which usage fell, if it did.
    Voluntary {
        asked_on: Day,
        dips_from: Option<Day>,
    },
    /// Payments failed.
    Involuntary,
}

/// End of a contract.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) on: Day,
    pub(crate) cause: Cause,
}

/// What came of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Converted,
    Expired,
    OneAndDone,
}

/// A trial, before the contract's first month.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial {
    pub(crate) starts_on: Day,
    pub(crate) ends_on: Day,
    pub(crate) usage: f64,
    pub(crate) outcome: Outcome,
}

/// One contract from its beginning to its end.
#[derive(Debug, Clone)]
pub(crate) struct Spell {
    pub(crate) trial: Option<Trial>,
    /// Months in order; none if the trial did not convert.
    pub(crate) months: Vec<Month>,
    pub(crate) end: Option<End>,
}

impl Spell {
    /// Its first day.
    pub(crate) fn starts_on(&self) -> Option<Day> {
        match self.trial {
            Some(trial) => Some(trial.starts_on),
            None => self.months.first().map(|month| month.starts_on),
        }
    }
}

/// All contracts of an account in order; never empty.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) spells: Vec<Spell>,
}

/// Draws the life of an account that comes on a day, up to `until` (not included).
pub(crate) fn simulate(profile: &Profile, joined_on: Day, until: Day, draw: &mut Draw) -> Life {
    let kind = TrialKind::draw(draw);
    let first = match kind {
        Some(kind) => with_trial(profile, kind, joined_on, until, draw),
        None => contract(profile, opening_plan(profile.seats, joined_on), until, draw),
    };
    let mut life = Life {
        spells: vec![first],
    };
    continue_after_loss(profile, &mut life, until, draw);
    life
}

/// Draws the life of an account that has paid since `joined_on` and must still be there on `alive_on`; `None` if chance
/// had it leave before.
pub(crate) fn survive(
    profile: &Profile,
    joined_on: Day,
    alive_on: Day,
    until: Day,
    draw: &mut Draw,
) -> Option<Life> {
    let spell = contract(profile, opening_plan(profile.seats, joined_on), until, draw);
    if spell.end.is_some_and(|end| end.on <= alive_on) {
        return None;
    }
    let mut life = Life {
        spells: vec![spell],
    };
    continue_after_loss(profile, &mut life, until, draw);
    Some(life)
}

fn opening_plan(seats: u32, priced_on: Day) -> Plan {
    Plan {
        seats,
        upgrades: 0,
        downgrades: 0,
        priced_on,
    }
}

fn with_trial(
    profile: &Profile,
    kind: TrialKind,
    joined_on: Day,
    until: Day,
    draw: &mut Draw,
) -> Spell {
    let ends_on = joined_on.plus(TRIAL_DAYS);
    let outcome = match (draw.chance(kind.conversion()), draw.chance(ONE_AND_DONE)) {
        (true, _) => Outcome::Converted,
        (false, true) => Outcome::OneAndDone,
        (false, false) => Outcome::Expired,
    };
    let trial = Trial {
        starts_on: joined_on,
        ends_on,
        usage: first_usage(profile, draw),
        outcome,
    };
    let mut spell = match outcome {
        Outcome::Converted => contract(profile, opening_plan(profile.seats, ends_on), until, draw),
        Outcome::Expired | Outcome::OneAndDone => Spell {
            trial: None,
            months: Vec::new(),
            end: None,
        },
    };
    spell.trial = Some(trial);
    spell
}

fn continue_after_loss(profile: &Profile, life: &mut Life, until: Day, draw: &mut Draw) {
    loop {
        let Some(last) = life.spells.last() else {
            return;
        };
        let (Some(end), Some(month)) = (last.end, last.months.last()) else {
            return;
        };
        if !draw.chance(REACTIVATION) {
            return;
        }
        let away = if draw.chance(0.5) {
            draw.days(7, 90)
        } else {
            draw.days(91, 365)
        };
        let returns_on = end.on.plus(away);
        if returns_on >= until {
            return;
        }
        let seats = month.plan_on(end.on).seats;
        life.spells.push(contract(
            profile,
            opening_plan(seats, returns_on),
            until,
            draw,
        ));
    }
}

/// A contract that begins on the day its plan was priced.
fn contract(profile: &Profile, plan: Plan, until: Day, draw: &mut Draw) -> Spell {
    let begins_on = plan.priced_on;
    let mut spell = Spell {
        trial: None,
        months: Vec::new(),
        end: None,
    };
    let mut usage = first_usage(profile, draw);
    let mut plan = plan;
    let mut paused_months = 0;
    for age in 0.. {
        let starts_on = anniversary(begins_on, age);
        if starts_on >= until {
            break;
        }
        let ends_on = anniversary(begins_on, age + 1);
        if paused_months > 0 {
            paused_months -= 1;
            let month = Month {
                starts_on,
                ends_on,
                age,
                usage,
                leaving: 0.0,
                plan,
                change: None,
                payment: Payment::Paused,
            };
            spell.months.push(month);
            continue;
        }
        usage = 0.85 * usage + 0.15 * 0.9 * profile.fit + 0.28 * draw.normal() - 0.01;
        let risk = Risk::at(profile, usage, age);
        let change = change(usage, plan, (starts_on, ends_on), draw);
        let payment = if draw.chance(RECOVERED_PAYMENT) {
            Payment::Recovered(draw.days(1, 9))
        } else {
            Payment::Prompt
        };
        spell.months.push(Month {
            starts_on,
            ends_on,
            age,
            usage,
            leaving: risk.either(),
            plan,
            change,
            payment,
        });
        plan = change.map_or(plan, |change| change.plan);
        if draw.chance(risk.voluntary) {
            let cause = voluntary(profile.interval, starts_on, ends_on, draw);
            spell.end = Some(End { on: ends_on, cause });
            break;
        }
        if draw.chance(risk.involuntary) {
            let lost_on = ends_on.plus(DUNNING_DAYS);
            let month = Month {
                starts_on: ends_on,
                ends_on: lost_on,
                age: age + 1,
                usage,
                leaving: 0.0,
                plan,
                change: None,
                payment: Payment::Exhausted,
            };
            spell.months.push(month);
            spell.end = Some(End {
                on: lost_on,
                cause: Cause::Involuntary,
            });
            break;
        }
        if profile.interval == Interval::Month && draw.chance(PAUSE) {
            paused_months = draw.days(1, 2);
        }
    }
    spell
}

fn first_usage(profile: &Profile, draw: &mut Draw) -> f64 {
    0.5 * profile.fit + 0.4 * draw.normal()
}

/// Probabilities of leaving at the end of a month.
struct Risk {
    voluntary: f64,
    involuntary: f64,
}

impl Risk {
    /// Monthly contracts carry the hazard every month. Annual ones carry it only at renewal, as nine months of three
    /// quarters of it.
    fn at(profile: &Profile, usage: f64, age: i32) -> Self {
        let parameters = profile.tier.parameters();
        let level = usage.clamp(-4.0, 4.0);
        let surprise = (usage - 0.9 * profile.fit).clamp(-3.0, 3.0);
        let youth = 0.9 * (-f64::from(age) / 3.0).exp();
        let hazard = logistic(parameters.hazard_base - 0.85 * level - 0.55 * surprise + youth);
        match profile.interval {
            Interval::Month => Self {
                voluntary: hazard,
                involuntary: parameters.involuntary,
            },
            Interval::Year if age % 12 == 11 => Self {
                voluntary: 1.0 - (1.0 - 0.75 * hazard).powi(9),
                involuntary: INVOLUNTARY_AT_RENEWAL,
            },
            Interval::Year => Self {
                voluntary: 0.0,
                involuntary: 0.0,
            },
        }
    }

    fn either(&self) -> f64 {
        1.0 - (1.0 - self.voluntary) * (1.0 - self.involuntary)
    }
}

/// Growth, shrinkage, upgrade and downgrade of one month, taken together on one day.
fn change(
    usage: f64,
    plan: Plan,
    (starts_on, ends_on): (Day, Day),
    draw: &mut Draw,
) -> Option<Change> {
    let level = usage.clamp(-2.0, 2.0);
    let on = starts_on.plus(draw.days(1, starts_on.days_until(ends_on) - 1));
    let mut next = plan;
    let seats = f64::from(plan.seats);
    if draw.chance(0.055 * (0.35 * level).exp()) {
        next.seats = next.seats.saturating_add(draw.poisson(0.14 * seats).max(1));
    }
    if draw.chance(0.022 * (-0.5 * level).exp()) {
        next.seats = next
            .seats
            .saturating_sub(draw.poisson(0.11 * seats).max(1))
            .max(1);
    }
    let repriced = match (draw.chance(0.004 * (0.4 * level).exp()), draw.chance(0.002)) {
        (true, _) => {
            next.upgrades += 1;
            true
        },
        (false, true) => {
            next.downgrades += 1;
            true
        },
        (false, false) => false,
    };
    if repriced {
        next.priced_on = on;
    }
    (next != plan).then_some(Change { on, plan: next })
}

fn voluntary(interval: Interval, starts_on: Day, ends_on: Day, draw: &mut Draw) -> Cause {
    let notice_days = match interval {
        Interval::Month => draw.days(1, starts_on.days_until(ends_on).min(20) - 1),
        Interval::Year => draw.days(1, 60),
    };
    let dips = draw.chance(DIP);
    let dip_days = draw.days(21, 56);
    Cause::Voluntary {
        asked_on: ends_on.plus(-notice_days),
        dips_from: dips.then(|| ends_on.plus(-dip_days)),
    }
}
