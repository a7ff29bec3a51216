//! Population features: ranks and models over all accounts of a tenant, cut and fitted at the day close and then frozen, so
//! that a single account can be scored at any later moment without the others.

use std::collections::{BTreeMap, HashMap};

use super::{AccountFacts, Feature, Moment, Row, Value};
use crate::clv::{MonthlyDiscount, Months, Outlook, PurchaseModel};
use crate::money::Currency;
use crate::quantile;
use crate::rfm::{self, Activity, TiePolicy};
use crate::time::{Day, Zone};
use crate::{bgnbd, gamma_gamma};

/// Discount of future purchases, per year.
pub const YEARLY_DISCOUNT: f64 = 0.1;
/// Horizon of expected purchases.
pub const HORIZON: Months = Months(12);

/// Names of the models, as versions begin with them.
pub const RFM: &str = "rfm";
/// Percentiles of MRR.
pub const MRR_PERCENTILE: &str = "mrr_percentile";
/// Purchases and their value.
pub const CLV: &str = "clv";

/// What RFM is computed from, decided for the whole tenant at each close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RfmBasis {
    /// Payments: day of the last one, their number, their sum. For tenants whose accounts buy without subscriptions.
    Purchases,
    /// Use and MRR: day of the last event, active days of the last 28, MRR. For subscriptions, where payments follow the
    /// calendar.
    Usage,
}

impl RfmBasis {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchases => "purchases",
            Self::Usage => "usage",
        }
    }
}

/// The models of one close.
#[derive(Debug, Clone, PartialEq)]
pub struct Models {
    /// The close.
    pub closed_on: Day,
    /// Accounts that they were made from.
    pub n_accounts: u64,
    /// What RFM is computed from.
    pub rfm_basis: RfmBasis,
    /// Thresholds; `None` without any account that can be scored.
    pub rfm: Option<rfm::Model>,
    /// MRR of paying accounts at each percent from 1 to 100, as [`quantile::percentiles`] cuts it; empty where none pays.
    pub mrr_percentiles: Vec<f64>,
    /// How many accounts these are of.
    pub n_paying: u64,
    /// Purchase models, and the close that they were fitted at.
    pub purchases: Option<(Day, PurchaseModel)>,
    /// Why there is no purchase model, or what to know about it; empty where it is sound.
    pub purchase_warning: String,
}

/// Fixed thresholds of RFM for a population without quintiles. Ours, not published.
fn fixed(basis: RfmBasis, as_of: Day) -> rfm::Fixed {
    match basis {
        RfmBasis::Purchases => rfm::Fixed {
            within_days: [30, 90, 180, 365],
            as_of,
            frequency: [1.0, 2.0, 4.0, 8.0],
            monetary_minor: [2_500, 10_000, 25_000, 100_000],
        },
        RfmBasis::Usage => rfm::Fixed {
            within_days: [2, 7, 14, 28],
            as_of,
            frequency: [2.0, 6.0, 12.0, 18.0],
            monetary_minor: [2_500, 10_000, 50_000, 250_000],
        },
    }
}

/// When the purchase models are fitted anew: at the first close, at the first close of every quarter, and at a close that
/// somebody is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refit {
    /// Only when the quarter has changed since the last fit.
    Quarterly,
    /// Now.
    Now,
}

/// An account of a close: its id, its facts, and its own features at the close.
pub type Member<'a> = (&'a str, &'a AccountFacts, &'a Row);

/// Cuts and fits the models of a close from the accounts' own features at that close.
#[must_use]
pub fn fit(
    moment: &Moment,
    zone: &Zone,
    (currency, ties): (Currency, TiePolicy),
    accounts: &[Member<'_>],
    last: Option<&Models>,
    refit: Refit,
) -> Models {
    let rfm_basis = basis(accounts, moment);
    let activities: Vec<Activity<'_>> = accounts
        .iter()
        .filter_map(|(id, _, row)| activity(rfm_basis, id, row, moment.day))
        .collect();
    let rfm = if activities.is_empty() {
        None
    } else {
        let fixed = fixed(rfm_basis, moment.day);
        rfm::Model::of_population(&activities, ties, &fixed, currency).ok()
    };
    let paying = paying(accounts);
    let mut models = Models {
        closed_on: moment.day,
        n_accounts: u64::try_from(accounts.len()).unwrap_or(u64::MAX),
        rfm_basis,
        rfm,
        mrr_percentiles: quantile::percentiles(&paying),
        n_paying: u64::try_from(paying.len()).unwrap_or(u64::MAX),
        purchases: last.and_then(|last| last.purchases),
        purchase_warning: last.map_or(String::new(), |last| last.purchase_warning.clone()),
    };
    if rfm_basis == RfmBasis::Usage {
        models.purchases = None;
        "accounts pay by subscription, so purchases are not a model of their value"
            .clone_into(&mut models.purchase_warning);
    } else if refit == Refit::Now
        || models
            .purchases
            .is_none_or(|(fitted, _)| quarter(fitted) != quarter(moment.day))
    {
        fit_purchases(moment, zone, currency, accounts, &mut models);
    }
    models
}

fn quarter(day: Day) -> i32 {
    day.month().div_euclid(3)
}

/// Accounts with a subscription are at least half of those that subscribed or ever paid: usage. As everything of a close,
/// it is decided by what was known then.
fn basis(accounts: &[Member<'_>], moment: &Moment) -> RfmBasis {
    let (mut n_subscribed, mut n_buying) = (0_usize, 0_usize);
    for (_, facts, row) in accounts {
        let subscribed = facts
            .billing
            .as_ref()
            .is_some_and(|billing| billing.has_begun_at(moment.as_of, moment.known_at));
        if subscribed {
            n_subscribed += 1;
        } else if row.get(Feature::PurchaseCount).is_some() {
            n_buying += 1;
        }
    }
    if n_buying > n_subscribed {
        RfmBasis::Purchases
    } else {
        RfmBasis::Usage
    }
}

fn activity<'a>(basis: RfmBasis, account: &'a str, row: &Row, day: Day) -> Option<Activity<'a>> {
    let days_ago = |feature| {
        row.as_integer(feature)
            .and_then(|days| i32::try_from(days).ok())
            .map(|days: i32| day.plus(-days))
    };
    match basis {
        RfmBasis::Purchases => Some(Activity {
            account,
            last_day: days_ago(Feature::PurchaseDaysSinceLast)?,
            frequency: row.as_number(Feature::PurchaseCount)?,
            monetary_minor: row.as_integer(Feature::PurchaseTotalMinor)?,
        }),
        RfmBasis::Usage => Some(Activity {
            account,
            last_day: days_ago(Feature::UsageDaysSinceActive)?,
            frequency: row.as_number(Feature::UsageActiveDays28d)?,
            monetary_minor: row.as_integer(Feature::RevenueMrrMinor)?,
        }),
    }
}

/// MRR of the accounts that pay, ascending.
fn paying(accounts: &[Member<'_>]) -> Vec<f64> {
    let mut paying: Vec<f64> = accounts
        .iter()
        .filter_map(|(_, _, row)| row.as_number(Feature::RevenueMrrMinor))
        .filter(|mrr| *mrr > 0.0)
        .collect();
    paying.sort_unstable_by(f64::total_cmp);
    paying
}

fn fit_purchases(
    moment: &Moment,
    zone: &Zone,
    currency: Currency,
    accounts: &[Member<'_>],
    models: &mut Models,
) {
    let mut histories = Vec::new();
    let mut spends = Vec::new();
    for (_, facts, _) in accounts {
        let Some((history, spend)) = purchase_history(facts, moment, zone) else {
            continue;
        };
        histories.push(history);
        spends.extend(spend);
    }
    let last = models.purchases.map(|(_, model)| model);
    let counts = bgnbd::fit(
        &histories,
        last.map_or(bgnbd::Start::Cold, |model| bgnbd::Start::Warm(model.counts)),
    );
    let values = gamma_gamma::fit(
        &spends,
        last.map_or(gamma_gamma::Start::Cold, |model| {
            gamma_gamma::Start::Warm(model.values)
        }),
    );
    match (counts, values) {
        (Ok(counts), Ok(values)) => {
            models.purchases = Some((
                moment.day,
                PurchaseModel::from_fits(&counts, &values, currency),
            ));
            models.purchase_warning = values
                .warning
                .map_or(String::new(), |warning| warning.to_string());
        },
        (Err(error), _) => models.purchase_warning = error.to_string(),
        (_, Err(error)) => models.purchase_warning = error.to_string(),
    }
}

/// The account's purchases as the models need them: purchases of one day count as one, the first day is not a repeat.
fn purchase_history(
    facts: &AccountFacts,
    moment: &Moment,
    zone: &Zone,
) -> Option<(bgnbd::History, Option<gamma_gamma::Spend>)> {
    let mut by_day: BTreeMap<Day, i128> = BTreeMap::new();
    for purchase in facts.purchases.visible(moment.as_of, moment.known_at) {
        *by_day.entry(zone.day_of(purchase.at)).or_default() += i128::from(purchase.net_minor);
    }
    let days: Vec<Day> = by_day.keys().copied().collect();
    let history = bgnbd::History::from_days(&days, moment.day)?;
    let repeats: Vec<i128> = by_day.values().skip(1).copied().collect();
    #[expect(clippy::cast_precision_loss, reason = "a mean for a statistical model")]
    let mean = repeats.iter().sum::<i128>() as f64 / repeats.len().max(1) as f64;
    Some((
        history,
        gamma_gamma::Spend::new(history.repeats(), mean).ok(),
    ))
}

impl Models {
    /// Version of one of the models, such as "rfm/2025-12-31": its name and its close. Nowhere is it spelled otherwise.
    #[must_use]
    pub fn version(&self, model: &str) -> String {
        format!("{model}/{}", self.closed_on)
    }

    /// Versions of the models that there are.
    #[must_use]
    pub fn versions(&self) -> Vec<String> {
        let present = [
            (RFM, self.rfm.is_some()),
            (MRR_PERCENTILE, !self.mrr_percentiles.is_empty()),
            (CLV, self.purchases.is_some()),
        ];
        let names = present.into_iter().filter(|(_, present)| *present);
        names.map(|(name, _)| self.version(name)).collect()
    }

    /// What adds the population features to rows of a moment.
    #[must_use]
    pub fn at<'a>(&'a self, moment: &'a Moment, zone: &'a Zone) -> Applied<'a> {
        Applied {
            models: self,
            moment,
            zone,
            outlooks: HashMap::new(),
        }
    }

    /// The three scores of an account's row of a day, and those that it could have as well.
    fn rfm_scores(&self, id: &str, row: &Row, day: Day) -> Option<(rfm::Scores, rfm::Near)> {
        let activity = activity(self.rfm_basis, id, row, day)?;
        let model = self.rfm.as_ref()?;
        Some((model.score(&activity), model.near(&activity)))
    }

    /// Of the accounts that paid at the close, the share with less MRR, in percent, rounded down to a whole percent. So it is
    /// for any amount, also for one that no account paid then.
    fn mrr_percentile(&self, mrr: f64) -> Option<f64> {
        let below = self.mrr_percentiles.partition_point(|cut| *cut < mrr);
        let percent = u32::try_from(below).ok()?;
        (!self.mrr_percentiles.is_empty()).then(|| f64::from(percent))
    }
}

/// The models of a close, applied to accounts at a moment.
///
/// Most accounts of a base have few purchases, so many share one history (number of repeats, day of the last, age): what
/// the models expect of a history is computed once.
#[derive(Debug)]
pub struct Applied<'a> {
    models: &'a Models,
    moment: &'a Moment,
    zone: &'a Zone,
    outlooks: HashMap<(u32, u64, u64), Outlook>,
}

impl Applied<'_> {
    /// Adds the population features to the row of the account of an id.
    pub fn add(&mut self, id: &str, facts: &AccountFacts, row: &mut Row) {
        let models = self.models;
        let mrr = row
            .as_number(Feature::RevenueMrrMinor)
            .filter(|mrr| *mrr > 0.0);
        row.number(
            Feature::RevenueMrrPercentile,
            mrr.and_then(|mrr| models.mrr_percentile(mrr)),
        );
        row.integer(
            Feature::RevenuePayingAccounts,
            i64::try_from(models.n_paying).ok(),
        );
        if models.rfm.is_some() {
            row.set(
                Feature::RfmBasis,
                Some(Value::Word(models.rfm_basis.as_str())),
            );
        }
        if let Some((scores, near)) = models.rfm_scores(id, row, self.moment.day) {
            let beside = |score: Option<rfm::Score>| score.map(|score| score.get().into());
            row.integer(Feature::RfmRecency, Some(scores.recency.get().into()));
            row.integer(Feature::RfmFrequency, Some(scores.frequency.get().into()));
            row.integer(Feature::RfmMonetary, Some(scores.monetary.get().into()));
            row.integer(Feature::RfmRecencyNear, beside(near.recency));
            row.integer(Feature::RfmFrequencyNear, beside(near.frequency));
            row.integer(Feature::RfmMonetaryNear, beside(near.monetary));
        }
        if let Some((_, model)) = &models.purchases {
            self.add_purchases(model, facts, row);
        }
    }

    fn add_purchases(&mut self, model: &PurchaseModel, facts: &AccountFacts, row: &mut Row) {
        let Some((history, spend)) = purchase_history(facts, self.moment, self.zone) else {
            return;
        };
        let key = (
            history.repeats(),
            history.last().get().to_bits(),
            history.observed().get().to_bits(),
        );
        let outlook = *self
            .outlooks
            .entry(key)
            .or_insert_with(|| model.outlook(&history, HORIZON, discount()));
        row.number(Feature::ClvAliveProbability, Some(outlook.alive));
        row.number(Feature::ClvExpectedPurchases12m, Some(outlook.purchases));
        // Repeat purchases that were all paid back say nothing of what a purchase is worth.
        if spend.is_none() && history.repeats() > 0 {
            return;
        }
        let spend_minor = model.values.expected_value(spend.as_ref());
        row.integer(Feature::ClvExpectedSpendMinor, Some(whole(spend_minor)));
        let value_minor = outlook.discounted_purchases * spend_minor;
        row.integer(Feature::ClvValue12mMinor, Some(whole(value_minor)));
    }
}

fn whole(minor: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an amount for people; saturates far above any account's worth"
    )]
    let whole = minor.round() as i64;
    whole
}

fn discount() -> MonthlyDiscount {
    MonthlyDiscount::from_yearly(YEARLY_DISCOUNT).unwrap_or(MonthlyDiscount::ZERO)
}

#[cfg(test)]
mod tests;
