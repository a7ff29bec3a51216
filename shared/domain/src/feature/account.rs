use std::sync::Arc;

use super::{Feature, Row, Value};
use crate::history::History;
use crate::mrr::Mrr;
use crate::profile::Profile;
use crate::purchase::Purchases;
use crate::subscription::AccountBilling;
use crate::time::{Day, Instant, Zone};

/// The moment that an evaluation is about, and the knowledge that it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Facts up to and including this moment count.
    pub as_of: Instant,
    /// Facts known by then count.
    pub known_at: Instant,
    /// Day of `as_of` in the tenant's zone.
    pub day: Day,
    /// The last day that had ended by `known_at` in the tenant's zone: what became known up to its end counts, of facts whose
    /// knowledge is kept by the day. A day that had not ended could still grow, and with it an answer that was given.
    pub known_day: Day,
}

impl Moment {
    /// The moment `as_of`, with the knowledge of `known_at`; of the latest instant that there is: with all knowledge.
    #[must_use]
    pub fn new(as_of: Instant, known_at: Instant, zone: &Zone) -> Self {
        let known_day = if known_at.0 == i64::MAX {
            Day(i32::MAX)
        } else {
            zone.day_of(known_at.plus_us(1)).plus(-1)
        };
        Self {
            as_of,
            known_at,
            day: zone.day_of(as_of),
            known_day,
        }
    }

    /// The close of a day: its last microsecond in the tenant's zone, with the knowledge of that moment.
    #[must_use]
    pub fn close(day: Day, zone: &Zone) -> Self {
        let end = zone.start_of(day.plus(1)).plus_us(-1);
        Self {
            as_of: end,
            known_at: end,
            day,
            known_day: day,
        }
    }
}

/// All that is kept of one account.
#[derive(Debug, Clone, Default)]
pub struct AccountFacts {
    /// What it says of itself.
    pub profile: Profile,
    /// What it did.
    pub history: History,
    /// What it paid.
    pub purchases: Purchases,
    /// What it is subscribed to.
    pub billing: Option<AccountBilling>,
}

impl AccountFacts {
    /// Whether anything of the account had happened and was known at a moment. Before, there is no such account: it is in no
    /// count and no model, and has neither features nor a segment.
    #[must_use]
    pub fn exists_at(&self, moment: &Moment) -> bool {
        let (as_of, known_at) = (moment.as_of, moment.known_at);
        self.profile.is_known_at(as_of, known_at)
            || self.purchases.is_known_at(as_of, known_at)
            || self
                .history
                .is_known_at(moment.day, as_of, moment.known_day)
            || self
                .billing
                .as_ref()
                .is_some_and(|billing| billing.has_begun_at(as_of, known_at))
    }

    /// The day of the first fact in a zone.
    #[must_use]
    pub fn first_day(&self, zone: &Zone) -> Option<Day> {
        let billing = self.billing.as_ref().and_then(AccountBilling::first_at);
        let first_at = [self.profile.first_at(), self.purchases.first_at(), billing];
        let days = first_at.into_iter().flatten().map(|at| zone.day_of(at));
        days.chain(self.history.first_day()).min()
    }

    /// Day of the earliest fact that became known on a later day than its own: later than `after`, and not after `until`. The
    /// closes in between did not know it.
    #[must_use]
    pub fn first_late_day(&self, (after, until): (Day, Day), zone: &Zone) -> Option<Day> {
        let billing = self.billing.iter().flat_map(AccountBilling::times);
        let times = self.profile.times().chain(self.purchases.times());
        let days = times
            .chain(billing)
            .map(|(at, known_at)| (zone.day_of(at), zone.day_of(known_at)));
        days.chain(self.history.days())
            .filter(|(day, known)| known > day && *known > after && *known <= until)
            .map(|(day, _)| day)
            .min()
    }

    /// The account's own features at a moment. Population features stay unknown.
    #[must_use]
    pub fn features(&self, moment: &Moment, zone: &Zone) -> Row {
        let mut row = Row::default();
        self.profile_features(moment, zone, &mut row);
        self.usage_features(moment, &mut row);
        self.purchase_features(moment, zone, &mut row);
        self.billing_features(moment, zone, &mut row);
        row
    }

    fn profile_features(&self, moment: &Moment, zone: &Zone, row: &mut Row) {
        let view = self.profile.view(moment.as_of, moment.known_at);
        let age = view
            .created_at
            .map(|at| zone.day_of(at).days_until(moment.day).max(0).into());
        row.integer(Feature::AccountAgeDays, age);
        row.set(
            Feature::FirmoIndustry,
            view.industry
                .map(|industry| Value::Text(Arc::clone(industry))),
        );
        row.integer(Feature::FirmoEmployeeCount, view.employee_count);
        let zone = view.zone.unwrap_or(zone);
        let renewal = view
            .renewal_at
            .map(|at| i64::from(zone.day_of(moment.as_of).days_until(zone.day_of(at))))
            .filter(|days| *days >= 0);
        row.integer(Feature::ContractDaysToRenewal, renewal);
    }

    fn usage_features(&self, moment: &Moment, row: &mut Row) {
        let usage = self
            .history
            .usage(moment.day, moment.as_of, moment.known_day);
        let Some(last_active) = usage.last_active else {
            return;
        };
        row.integer(
            Feature::UsageActiveDays28d,
            Some(usage.active_days_28d.into()),
        );
        row.integer(
            Feature::UsageActiveUsers28d,
            Some(usage.active_users_28d.into()),
        );
        row.integer(
            Feature::UsageEvents28d,
            i64::try_from(usage.events_28d).ok(),
        );
        row.number(
            Feature::UsageTrend28d,
            trend(usage.events_28d, usage.events_previous_28d),
        );
        row.integer(
            Feature::UsageProductFeatures28d,
            Some(usage.product_features_28d.into()),
        );
        row.number(Feature::UsageRegularity90d, usage.regularity_90d);
        row.integer(
            Feature::UsageDaysSinceActive,
            Some(last_active.days_until(moment.day).into()),
        );
    }

    fn purchase_features(&self, moment: &Moment, zone: &Zone, row: &mut Row) {
        let purchases = self.purchases.visible(moment.as_of, moment.known_at);
        let (Some(first), Some(last)) = (purchases.first(), purchases.last()) else {
            return;
        };
        row.integer(Feature::PurchaseCount, i64::try_from(purchases.len()).ok());
        let total = purchases.iter().fold(0_i64, |sum, purchase| {
            sum.saturating_add(purchase.net_minor)
        });
        row.integer(Feature::PurchaseTotalMinor, Some(total));
        row.set(Feature::PurchaseFirstAt, Some(Value::Time(first.at)));
        row.set(Feature::PurchaseLastAt, Some(Value::Time(last.at)));
        row.integer(
            Feature::PurchaseDaysSinceLast,
            Some(zone.day_of(last.at).days_until(moment.day).into()),
        );
    }

    fn billing_features(&self, moment: &Moment, zone: &Zone, row: &mut Row) {
        // A subscription that began or became known later must not show, not even as revenue of zero.
        let (as_of, known_at) = (moment.as_of, moment.known_at);
        let known = |billing: &&AccountBilling| billing.has_begun_at(as_of, known_at);
        let Some(billing) = self.billing.as_ref().filter(known) else {
            row.set(Feature::SubscriptionStatus, Some(Value::Word("none")));
            return;
        };
        let summary = billing.summary_at(moment.as_of, moment.known_at);
        let days_since = |at: Instant| i64::from(zone.day_of(at).days_until(moment.day));
        row.recurring(Feature::RevenueMrrMinor, summary.mrr);
        row.recurring(Feature::RevenueArrMinor, Mrr(summary.mrr.0 * 12));
        let day_before = zone.start_of(moment.day.plus(-89)).plus_us(-1);
        let before = billing.mrr_at(day_before, moment.known_at);
        row.recurring(
            Feature::RevenueMrrChange90dMinor,
            Mrr(summary.mrr.0 - before.0),
        );
        row.integer(Feature::RevenueSeats, i64::try_from(summary.seats).ok());
        row.number(
            Feature::UsageSeatShare,
            share(row.as_number(Feature::UsageActiveUsers28d), summary.seats),
        );
        row.set(
            Feature::SubscriptionStatus,
            Some(Value::Word(summary.status.as_str())),
        );
        row.integer(
            Feature::SubscriptionPayingDays,
            summary.paying_since.map(days_since),
        );
        row.integer(
            Feature::SubscriptionDaysSinceChurn,
            summary.churned.map(|churned| days_since(churned.at)),
        );
        row.set(
            Feature::SubscriptionChurnKind,
            summary
                .churned
                .map(|churned| Value::Word(churned.kind.as_str())),
        );
        let profile = self.profile.view(as_of, known_at);
        if let Some(days) = summary.days_to_renewal(profile.zone.unwrap_or(zone)) {
            row.integer(Feature::ContractDaysToRenewal, Some(days.into()));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of events stay far below 2^53"
)]
fn trend(now: u64, before: u64) -> Option<f64> {
    (before > 0).then(|| now as f64 / before as f64 - 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "seats stay far below 2^53")]
fn share(active_users: Option<f64>, seats: u64) -> Option<f64> {
    active_users
        .filter(|_| seats > 0)
        .map(|active_users| active_users / seats as f64)
}
