//! What a story adds up to, counted as plainly as can be from the published definitions, with nothing of the product.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sextant_proto::common::v1::{Date, Ratio};
use sextant_proto::metrics::v1::{Churn, MovementKind, WaterfallMonth};

use crate::worlds::story::{DAYS, Life, MONTHS, Standing, Terms};

/// Ten-thousandths of a cent.
const EXACT: i64 = 10_000;
/// The last day that is closed.
const CLOSED: usize = DAYS - 1;
/// Least amounts of `sextant.value_tiers` in cents, and how it is told of them.
const TIERS: [(&str, i64); 3] = [("strategic", 12_000), ("high", 8_000), ("medium", 5_000)];
const TIERS_CONFIG: &str = r#"{"mode": "cut_points", "strategic_from_minor": 12000, "high_from_minor": 8000, "medium_from_minor": 5000}"#;
/// Least shares of the paying accounts that have less, in percent.
const RANKS: [(&str, i64); 3] = [("strategic", 90), ("high", 70), ("medium", 40)];
const RANKS_CONFIG: &str = r#"{"mode": "quantile", "strategic_percentile": 90, "high_percentile": 70, "medium_percentile": 40}"#;
/// The segmentations by `sextant.value_tiers`.
pub(crate) const VALUES: [(&str, &str); 2] =
    [("value_tiers", TIERS_CONFIG), ("value_ranks", RANKS_CONFIG)];

/// The accounts, and the day on which the service has learned of a day.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) lives: Vec<Life>,
    known: fn(usize) -> usize,
}

/// An account that was in another stage at the close of a day than at the close before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moved {
    pub(crate) account: String,
    pub(crate) day: usize,
    pub(crate) stages: [String; 2],
    /// Whether a fact of that day made it move, of which the service learns after the close.
    pub(crate) is_late: bool,
}

/// One change of an account's recurring revenue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) account: String,
    pub(crate) day: usize,
    pub(crate) kind: i32,
    pub(crate) cause: String,
    pub(crate) delta_exact: i64,
}

impl Life {
    /// What was told last of the last midnight with news.
    fn told(&self, day: usize) -> Option<&Terms> {
        self.terms.iter().rfind(|terms| terms.day <= day)
    }

    /// The `subscription.status` on a day. Trials and cancelled terms end by themselves.
    fn status(&self, day: usize) -> &'static str {
        match self.told(day).map(|terms| terms.standing) {
            None => "none",
            Some(Standing::Trial { ends }) if ends <= day => "trial_expired",
            Some(Standing::Trial { .. }) => "trialing",
            Some(Standing::Paying) => "active",
            Some(Standing::Leaving { ends }) if ends > day => "cancel_scheduled",
            Some(Standing::Paused) => "paused",
            Some(Standing::Leaving { .. } | Standing::Left) => "canceled",
        }
    }

    /// Ten-thousandths of a cent a month on a day, by the locked rate.
    fn mrr_exact(&self, day: usize) -> i64 {
        let counts = matches!(self.status(day), "active" | "cancel_scheduled");
        let terms = self.told(day).filter(|_| counts);
        terms.map_or(0, |terms| terms.seats * terms.cents * terms.rate)
    }

    /// `None`: it has never subscribed.
    pub(crate) fn mrr_minor(&self, day: usize) -> Option<i64> {
        self.told(day).map(|_| rounded(self.mrr_exact(day)))
    }

    fn pays(&self, day: usize) -> bool {
        self.mrr_exact(day) > 0
    }

    /// Since which day it has paid without a gap; `None`: it does not pay on this day.
    fn paying_since(&self, day: usize) -> Option<usize> {
        (0..=day).rev().take_while(|day| self.pays(*day)).last()
    }

    /// Days since it last stopped paying.
    fn days_since_churn(&self, day: usize) -> usize {
        (0..day).rev().take_while(|day| !self.pays(*day)).count()
    }

    /// Whether it can be lost: it pays, or has paid and is paused, in this story always for less than 90 days.
    fn is_there(&self, day: usize) -> bool {
        self.pays(day) || self.status(day) == "paused"
    }

    /// Events of the last 28 days.
    fn uses_28d(&self, day: usize) -> impl Iterator<Item = &(usize, usize)> {
        let within = move |at: usize| at <= day && at + 28 > day;
        self.uses.iter().filter(move |(at, _)| within(*at))
    }

    pub(crate) fn events_28d(&self, day: usize) -> i64 {
        whole(self.uses_28d(day).count())
    }

    pub(crate) fn active_days_28d(&self, day: usize) -> i64 {
        let days: BTreeSet<usize> = self.uses_28d(day).map(|(at, _)| *at).collect();
        whole(days.len())
    }

    pub(crate) fn active_users_28d(&self, day: usize) -> i64 {
        let users: BTreeSet<usize> = self.uses_28d(day).map(|(_, user)| *user).collect();
        whole(users.len())
    }

    /// Days since the last use at the end of the story, active days and MRR of a subscriber; `None` if one of them is unknown.
    fn activity(&self, day: usize) -> Option<[i64; 3]> {
        let last = self.uses.iter().rfind(|(at, _)| *at <= day)?.0;
        Some([
            whole(DAYS - last),
            self.active_days_28d(day),
            self.mrr_minor(day)?,
        ])
    }

    /// The stage of `sextant.lifecycle` on a day after another one. Two months are too short to be established, and for a pause
    /// to count as churn. Who returns from a pause does not start over.
    fn stage_after(&self, previous: &str, day: usize) -> &'static str {
        let Some(since) = self.paying_since(day) else {
            return match self.status(day) {
                "none" => "prospect",
                "trialing" => "trial",
                "canceled" => "churned_voluntary",
                other => other,
            };
        };
        let has_returned = matches!(previous, "churned_voluntary" | "won_back");
        match day - since {
            _ if self.status(day) == "cancel_scheduled" => "cancel_scheduled",
            ..30 if has_returned => "won_back",
            ..30 if !matches!(previous, "adopting" | "paused") => "onboarding",
            _ => "adopting",
        }
    }

    /// The stage at the close of a day, which follows from that of the close before.
    pub(crate) fn stage_at_close(&self, day: usize) -> &'static str {
        (0..=day).fold("", |previous, day| self.stage_after(previous, day))
    }

    /// The stage of the present.
    pub(crate) fn stage(&self) -> &'static str {
        self.stage_after(self.stage_at_close(CLOSED), DAYS)
    }

    /// The tier of `sextant.value_tiers` by amount; `None`: it cannot be judged.
    pub(crate) fn tier(&self) -> Option<&'static str> {
        match self.mrr_minor(DAYS)? {
            ..=0 => Some("not_paying"),
            mrr_minor => Some(tier(&TIERS, mrr_minor)),
        }
    }

    /// What has to be among the reasons for a stage on a day: features and their values.
    pub(crate) fn reasons(&self, stage: &str, day: usize) -> Vec<(&'static str, String)> {
        let status = ("subscription.status", self.status(day).to_owned());
        let days = self.days_since_churn(day).to_string();
        let since_churn = ("subscription.days_since_churn", days);
        match stage {
            "prospect" | "trial" | "trial_expired" | "cancel_scheduled" => vec![status],
            "paused" => vec![status, since_churn],
            "churned_voluntary" => {
                let kind = ("subscription.churn_kind", "voluntary".to_owned());
                vec![kind, since_churn]
            },
            _ => {
                let days = day - self.paying_since(day).unwrap();
                let active = self.active_days_28d(day);
                vec![
                    ("subscription.paying_days", days.to_string()),
                    ("usage.active_days_28d", active.to_string()),
                ]
            },
        }
    }
}

impl Oracle {
    pub(crate) fn new(lives: Vec<Life>, known: fn(usize) -> usize) -> Self {
        Self { lives, known }
    }

    /// The three digits of each account that can be scored: quintiles over what was known at the last close, of type 7. A
    /// value passes the thresholds below it; recency is 6 less that score of the days since the last use.
    pub(crate) fn bands(&self) -> BTreeMap<String, String> {
        let population: Vec<[i64; 3]> = self
            .lives
            .iter()
            .filter_map(|life| self.as_known_at_the_close(life).activity(CLOSED))
            .collect();
        assert!(population.len() >= 50, "too few for quintiles");
        let sorted = [0, 1, 2].map(|dimension| {
            let mut values: Vec<i64> = population.iter().map(|values| values[dimension]).collect();
            values.sort_unstable();
            values
        });
        let band = |life: &Life| {
            let activity = life.activity(DAYS)?;
            let passed = [0, 1, 2].map(|place| passed(&sorted[place], activity[place]));
            let digits = [6 - (1 + passed[0]), 1 + passed[1], 1 + passed[2]];
            let digits = digits.iter().map(usize::to_string);
            Some((life.name.clone(), digits.collect()))
        };
        self.lives.iter().filter_map(band).collect()
    }

    /// Of the accounts that paid at the last close, as was known then, the share with less than this one pays now, in whole
    /// percents; `None`: it does not pay.
    pub(crate) fn percentile(&self, life: &Life) -> Option<i64> {
        let own = life.mrr_exact(DAYS);
        let all = self.lives.iter();
        let paid = all.map(|life| self.as_known_at_the_close(life).mrr_exact(CLOSED));
        let paid: Vec<i64> = paid.filter(|mrr_exact| *mrr_exact > 0).collect();
        let n_less = paid.iter().filter(|mrr_exact| **mrr_exact < own).count();
        (own > 0).then(|| whole(100 * n_less / paid.len()))
    }

    /// The tier of `sextant.value_tiers` by that share; `None`: it cannot be judged.
    pub(crate) fn rank(&self, life: &Life) -> Option<&'static str> {
        life.mrr_minor(DAYS)?;
        let percentile = self.percentile(life);
        Some(percentile.map_or("not_paying", |percent| tier(&RANKS, percent)))
    }

    fn as_known_at_the_close(&self, life: &Life) -> Life {
        let is_known = |day: usize| (self.known)(day) <= CLOSED;
        let mut life = life.clone();
        life.uses.retain(|(day, _)| is_known(*day));
        life.terms.retain(|terms| is_known(terms.day));
        life
    }

    /// Every move on some days.
    pub(crate) fn moves(&self, days: Range<usize>) -> Vec<Moved> {
        let mut moves = Vec::new();
        for life in &self.lives {
            for day in days.clone() {
                let stages = [day - 1, day].map(|day| life.stage_at_close(day).to_owned());
                if stages[0] != stages[1] {
                    moves.push(Moved {
                        account: life.name.clone(),
                        day,
                        stages,
                        is_late: life.terms.iter().any(|terms| terms.day == day)
                            && (self.known)(day) > day,
                    });
                }
            }
        }
        moves.sort();
        moves
    }

    /// Every change in the books. What was learned five days after the end of its month or later is a restatement, at the
    /// beginning of the first month that was open then.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for life in &self.lives {
            for day in 1..=DAYS {
                let delta_exact = life.mrr_exact(day) - life.mrr_exact(day - 1);
                if delta_exact == 0 {
                    continue;
                }
                let told = life.told(day).unwrap().day;
                let known = (self.known)(told).max(day);
                let first_open = month(known.saturating_sub(5));
                let is_late = first_open > month(day);
                let (kind, cause) = match is_late {
                    true => (MovementKind::Restatement, "LATE_DATA"),
                    false => change(life, day, delta_exact),
                };
                changes.push(Change {
                    account: life.name.clone(),
                    day: if is_late { MONTHS[first_open] } else { day },
                    kind: kind.into(),
                    cause: cause.to_owned(),
                    delta_exact,
                });
            }
        }
        changes.sort();
        changes
    }

    /// The three months, each account's first against its last state.
    pub(crate) fn waterfall(&self) -> Vec<WaterfallMonth> {
        let changes = self.changes();
        (0..3)
            .map(|number| {
                let mut line = WaterfallMonth {
                    month: Some(Date {
                        year: 2026,
                        month: i32::try_from(number).unwrap() + 1,
                        day: 1,
                    }),
                    // The story ends within the last one.
                    to_date: number == 2,
                    ..WaterfallMonth::default()
                };
                for life in &self.lives {
                    let own = changes.iter().filter(|change| change.account == life.name);
                    add_to_month(&mut line, own, number);
                }
                line
            })
            .collect()
    }

    /// Churn of the last month by stage just before it, in descending order of what was paid; the first is the total.
    pub(crate) fn churn(&self) -> Vec<Churn> {
        // Accounts and revenue at the start, accounts and revenue lost, and revenue gained.
        let mut sums: BTreeMap<&str, [i64; 5]> = BTreeMap::new();
        for life in &self.lives {
            if !life.is_there(MONTHS[2] - 1) {
                continue;
            }
            let (before, after) = (life.mrr_exact(MONTHS[2] - 1), life.mrr_exact(DAYS));
            let (lost, gained) = ((before - after).max(0), (after - before).max(0));
            for key in ["", life.stage_at_close(MONTHS[2] - 1)] {
                let sums = sums.entry(key).or_default();
                let own = [1, before, i64::from(!life.is_there(DAYS)), lost, gained];
                *sums = std::array::from_fn(|place| sums[place] + own[place]);
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(key, [_, start, ..])| (!key.is_empty(), Reverse(*start)));
        let ratio = |numerator, denominator| {
            (denominator > 0).then_some(Ratio {
                numerator,
                denominator,
            })
        };
        let churn = |(key, [accounts, start, left, lost, gained]): (&str, [i64; 5])| Churn {
            segment: key.to_owned(),
            logo_churn: ratio(left, accounts),
            gross_revenue_churn: ratio(lost, start),
            net_revenue_churn: ratio(lost - gained, start),
        };
        sums.into_iter().map(churn).collect()
    }

    pub(crate) fn mrr_minor(&self) -> i64 {
        let accounts = self.lives.iter();
        rounded(accounts.map(|life| life.mrr_exact(DAYS)).sum())
    }
}

/// What kind of change an account made on a day, and why: in this story nothing but seats and rates changes for who pays.
fn change(life: &Life, day: usize, delta_exact: i64) -> (MovementKind, &'static str) {
    let [rate, new_rate] = [day - 1, day].map(|day| life.told(day).map(|terms| terms.rate));
    match [day - 1, day].map(|day| life.pays(day)) {
        [false, _] if life.status(day - 1) == "paused" => (MovementKind::Reactivation, "RESUME"),
        [false, _] if (0..day).any(|day| life.pays(day)) => (MovementKind::Reactivation, ""),
        [false, _] => (MovementKind::New, ""),
        [_, false] if life.status(day) == "paused" => (MovementKind::Churn, "PAUSE"),
        [_, false] => (MovementKind::Churn, "CANCEL_VOLUNTARY"),
        _ if rate != new_rate => (MovementKind::FxRevaluation, "FX"),
        _ if delta_exact > 0 => (MovementKind::Expansion, "SEATS"),
        _ => (MovementKind::Contraction, "SEATS"),
    }
}

/// Adds what an account did in a month.
fn add_to_month<'a>(
    line: &mut WaterfallMonth,
    changes: impl Iterator<Item = &'a Change>,
    number: usize,
) {
    let (mut start, mut restated, mut revalued, mut net) = (0, 0, 0, 0);
    let mut has_paid = false;
    for change in changes {
        let kind = MovementKind::try_from(change.kind).unwrap();
        let sum = match (month(change.day).cmp(&number), kind) {
            (Ordering::Less, _) => &mut start,
            (Ordering::Equal, MovementKind::Restatement) => &mut restated,
            (Ordering::Equal, MovementKind::FxRevaluation) => &mut revalued,
            (Ordering::Equal, _) => &mut net,
            (Ordering::Greater, _) => continue,
        };
        *sum += change.delta_exact;
        has_paid |= month(change.day) < number;
    }
    let end = start + restated + revalued + net;
    line.start_exact += start;
    line.restatement_exact += restated;
    line.fx_revaluation_exact += revalued;
    match (start + restated, end) {
        (0, _) if has_paid => line.reactivation_exact += net,
        (0, _) => line.new_exact += net,
        (_, 0) => line.churn_exact -= net,
        _ if net > 0 => line.expansion_exact += net,
        _ => line.contraction_exact -= net,
    }
    line.end_exact += end;
}

/// Whole cents, half to even.
fn rounded(exact: i64) -> i64 {
    let (cents, rest) = (exact.div_euclid(EXACT), exact.rem_euclid(EXACT));
    cents + i64::from(2 * rest > EXACT || (2 * rest == EXACT && cents % 2 == 1))
}

/// The tier that a paying account reaches.
fn tier(least: &[(&'static str, i64); 3], value: i64) -> &'static str {
    let reached = least.iter().find(|(_, least)| value >= *least);
    reached.map_or("low", |(tier, _)| tier)
}

/// How many of the four quintiles of ascending values lie below a value, in whole numbers.
fn passed(sorted: &[i64], value: i64) -> usize {
    let below = |percent: usize| {
        let position = (sorted.len() - 1) * percent;
        let (lower, share) = (sorted[position / 100], whole(position % 100));
        let upper = *sorted.get(position / 100 + 1).unwrap_or(&lower);
        100 * value > (100 - share) * lower + share * upper
    };
    [20, 40, 60, 80]
        .into_iter()
        .filter(|percent| below(*percent))
        .count()
}

fn month(day: usize) -> usize {
    MONTHS.partition_point(|first| *first <= day) - 1
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}
