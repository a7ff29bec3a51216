//! What the billing system reports of a contract: subscription versions, invoices and payments.

use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{
    BillingInterval, CancellationKind, Discount, DiscountDuration, InvoiceFact, InvoiceStatus,
    PaymentFact, PaymentStatus, Price, SubscriptionFact, SubscriptionItem, SubscriptionStatus,
    UsageType,
};

use crate::generate::calendar::{anniversary, midnight, timestamp};
use crate::generate::draw::nearest;
use crate::generate::life::{Cause, DUNNING_DAYS, Month, Outcome, Payment, Plan, Spell};
use crate::generate::profile::{Currency, Interval, Tier};

const HOUR_US: i64 = 3_600_000_000;
/// Days after the first attempt on which a failing payment is tried again.
const RETRY_DAYS: [i32; 3] = [3, 7, 14];
const REASONS: [&str; 5] = [
    "missing_features",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
];

impl Currency {
    /// ISO 4217 code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
        }
    }

    /// USD for one unit in price lists, which are set once.
    fn list_rate(self) -> f64 {
        match self {
            Self::Usd => 1.0,
            Self::Eur => 1.08,
            Self::Gbp => 1.27,
        }
    }

    /// Rate into USD of the month of a day, in millionths; 0 for USD itself. It wanders within 2 % of the list rate.
    fn rate_micros(self, day: Day) -> i64 {
        let drift = i64::from((day.month() * 17).rem_euclid(41) - 20) * 1_000;
        match self {
            Self::Usd => 0,
            Self::Eur => 1_080_000 + drift,
            Self::Gbp => 1_270_000 + drift,
        }
    }

    fn tax_bps(self) -> i64 {
        match self {
            Self::Usd => 0,
            Self::Eur | Self::Gbp => 2_000,
        }
    }
}

/// Discount for volume: 3.5 % for every doubling of seats, at most 40 %.
pub(crate) fn volume_discount_bps(seats: u32) -> u32 {
    let share = (0.035 * f64::from(seats.max(1)).log2()).min(0.4);
    u32::try_from(nearest(share * 10_000.0)).unwrap_or(0)
}

/// Price of one seat for one billing period, in minor units.
pub(crate) fn unit_minor(tier: Tier, interval: Interval, plan: &Plan, currency: Currency) -> i64 {
    let ups = i32::try_from(plan.upgrades).unwrap_or(0);
    let downs = i32::try_from(plan.downgrades).unwrap_or(0);
    let monthly = tier.parameters().list_price_cents * 1.6_f64.powi(ups) * 0.65_f64.powi(downs);
    let local = monthly / currency.list_rate();
    match interval {
        Interval::Month => nearest(local),
        Interval::Year => nearest(local * 12.0 * 0.83),
    }
}

/// Who pays and what for: all that the facts of one contract have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contract<'a> {
    pub(crate) account: u32,
    pub(crate) account_id: &'a str,
    pub(crate) tier: Tier,
    pub(crate) interval: Interval,
    pub(crate) currency: Currency,
    /// Time of day at which this account is billed, in microseconds.
    pub(crate) hour_us: i64,
    /// Number of the contract within the account, from 1.
    pub(crate) number: usize,
    pub(crate) spell: &'a Spell,
}

/// Facts with the moments from which they hold.
pub(crate) type Facts = Vec<(Instant, Fact)>;

impl Contract<'_> {
    /// The moment of a day at which billing happens.
    pub(crate) fn at(&self, day: Day) -> Instant {
        midnight(day).plus_us(self.hour_us)
    }

    /// End of the period that a month of the contract belongs to.
    pub(crate) fn term_end(&self, month: &Month) -> Day {
        let first = self
            .spell
            .months
            .first()
            .map_or(month.starts_on, |first| first.starts_on);
        match self.interval {
            Interval::Month => anniversary(first, month.age + 1),
            Interval::Year => anniversary(first, (month.age / 12 + 1) * 12),
        }
    }

    /// Whether an invoice is due at the start of a month.
    pub(crate) fn bills(&self, month: &Month) -> bool {
        match self.interval {
            Interval::Month => true,
            Interval::Year => month.age % 12 == 0,
        }
    }

    /// Facts of a trial: its start and, where it did not convert, its end. `plan` is what is tried.
    pub(crate) fn trial(&self, plan: &Plan) -> Facts {
        let Some(trial) = self.spell.trial else {
            return Facts::new();
        };
        let starts = self.at(trial.starts_on);
        let mut fact = self.subscription(SubscriptionStatus::Trialing, plan, trial.ends_on, starts);
        let mut facts = vec![(starts, Fact::Subscription(fact.clone()))];
        if trial.outcome != Outcome::Converted {
            let ends = self.at(trial.ends_on);
            fact.status = SubscriptionStatus::Canceled.into();
            fact.ended_at = Some(timestamp(ends));
            fact.canceled_at = Some(timestamp(ends));
            fact.cancellation = CancellationKind::Voluntary.into();
            "trial_expired".clone_into(&mut fact.cancellation_reason);
            facts.push((ends, Fact::Subscription(fact)));
        }
        facts
    }

    /// State of the subscription on a day inside a month, as known at the start of that day.
    pub(crate) fn state(&self, month: &Month, day: Day) -> SubscriptionFact {
        let status = match month.payment {
            Payment::Paused => SubscriptionStatus::Paused,
            Payment::Exhausted => SubscriptionStatus::PastDue,
            Payment::Prompt | Payment::Recovered(_) => SubscriptionStatus::Active,
        };
        self.subscription(
            status,
            &month.plan_on(day.plus(-1)),
            self.term_end(month),
            midnight(day),
        )
    }

    /// All facts of a month: renewal, change of plan, notice, loss, invoice and payments.
    pub(crate) fn month(&self, month: &Month) -> Facts {
        let mut facts = Facts::new();
        let starts = self.at(month.starts_on);
        let status = if month.payment == Payment::Paused {
            SubscriptionStatus::Paused
        } else {
            SubscriptionStatus::Active
        };
        if self.bills(month) {
            facts.push(self.version(status, month, &month.plan, starts));
        }
        if self.bills(month) && month.payment != Payment::Paused {
            self.charge(month, &mut facts);
        }
        if let Some(change) = month.change {
            facts.push(self.version(
                SubscriptionStatus::Active,
                month,
                &change.plan,
                self.at(change.on),
            ));
        }
        if let Some(end) = self.spell.end {
            if let Cause::Voluntary { asked_on, .. } = end.cause
                && month.starts_on <= asked_on
                && asked_on < month.ends_on
            {
                let asked = self.at(asked_on);
                facts.push(self.version(
                    SubscriptionStatus::Active,
                    month,
                    &month.plan_on(asked_on),
                    asked,
                ));
            }
            if end.on == month.ends_on {
                let ends = self.at(end.on);
                facts.push(self.version(
                    SubscriptionStatus::Canceled,
                    month,
                    &month.plan_on(end.on),
                    ends,
                ));
            }
        }
        facts
    }

    /// The invoice of a month and how it is paid, with what that does to the subscription.
    fn charge(&self, month: &Month, facts: &mut Facts) {
        let starts = self.at(month.starts_on);
        let invoice = format!("in-{:06}-{}-{}", self.account, self.number, month.age + 1);
        let total = self.total(&month.plan);
        let issue = |status: InvoiceStatus| {
            Fact::Invoice(InvoiceFact {
                account_id: self.account_id.to_owned(),
                invoice_id: invoice.clone(),
                subscription_id: self.subscription_id(),
                status: status.into(),
                total: Some(self.money(total.gross_minor)),
                tax_minor: total.tax_minor,
                due_at: Some(timestamp(starts)),
                ..InvoiceFact::default()
            })
        };
        let attempt = |number: usize, days: i32, status: PaymentStatus| {
            let failed = status == PaymentStatus::Failed;
            Fact::Payment(PaymentFact {
                account_id: self.account_id.to_owned(),
                payment_id: format!(
                    "pay-{:06}-{}-{}-{number}",
                    self.account,
                    self.number,
                    month.age + 1
                ),
                invoice_id: invoice.clone(),
                status: status.into(),
                amount: Some(self.money(total.gross_minor)),
                refunded_minor: 0,
                failure_code: if failed {
                    "insufficient_funds".to_owned()
                } else {
                    String::new()
                },
                fx_rate_micros: self.currency.rate_micros(month.starts_on.plus(days)),
                ..PaymentFact::default()
            })
        };
        facts.push((starts, issue(InvoiceStatus::Open)));
        let first = starts.plus_us(HOUR_US);
        match month.payment {
            Payment::Prompt | Payment::Paused => {
                facts.push((first, attempt(1, 0, PaymentStatus::Succeeded)));
                facts.push((first, issue(InvoiceStatus::Paid)));
            },
            Payment::Recovered(days) => {
                let retry_on = month.starts_on.plus(days);
                let retry = self.at(retry_on).plus_us(HOUR_US);
                facts.push((first, attempt(1, 0, PaymentStatus::Failed)));
                facts.push(self.version(SubscriptionStatus::PastDue, month, &month.plan, first));
                facts.push((retry, attempt(2, days, PaymentStatus::Succeeded)));
                facts.push((retry, issue(InvoiceStatus::Paid)));
                facts.push(self.version(
                    SubscriptionStatus::Active,
                    month,
                    &month.plan_on(retry_on),
                    retry,
                ));
            },
            Payment::Exhausted => {
                facts.push((first, attempt(1, 0, PaymentStatus::Failed)));
                facts.push(self.version(SubscriptionStatus::PastDue, month, &month.plan, first));
                for (index, days) in RETRY_DAYS.into_iter().enumerate() {
                    let retry = self.at(month.starts_on.plus(days)).plus_us(HOUR_US);
                    facts.push((retry, attempt(index + 2, days, PaymentStatus::Failed)));
                }
                facts.push((
                    self.at(month.starts_on.plus(DUNNING_DAYS)),
                    issue(InvoiceStatus::Uncollectible),
                ));
            },
        }
    }

    fn version(
        &self,
        status: SubscriptionStatus,
        month: &Month,
        plan: &Plan,
        at: Instant,
    ) -> (Instant, Fact) {
        (
            at,
            Fact::Subscription(self.subscription(status, plan, self.term_end(month), at)),
        )
    }

    fn subscription(
        &self,
        status: SubscriptionStatus,
        plan: &Plan,
        paid_until: Day,
        at: Instant,
    ) -> SubscriptionFact {
        let mut fact = SubscriptionFact {
            account_id: self.account_id.to_owned(),
            subscription_id: self.subscription_id(),
            status: status.into(),
            started_at: self.spell.starts_on().map(|day| timestamp(self.at(day))),
            trial_ends_at: self
                .spell
                .trial
                .map(|trial| timestamp(self.at(trial.ends_on))),
            current_period_ends_at: Some(timestamp(self.at(paid_until))),
            items: vec![self.item(plan)],
            ..SubscriptionFact::default()
        };
        let percent_off_bps = volume_discount_bps(plan.seats);
        if percent_off_bps > 0 {
            let duration = DiscountDuration::Forever.into();
            fact.discounts.push(Discount {
                percent_off_bps,
                duration,
                ..Discount::default()
            });
        }
        let Some(end) = self.spell.end else {
            return fact;
        };
        let ends = self.at(end.on);
        match end.cause {
            Cause::Voluntary { asked_on, .. } if self.at(asked_on) <= at => {
                fact.canceled_at = Some(timestamp(self.at(asked_on)));
                fact.cancel_at = Some(timestamp(ends));
                fact.cancellation = CancellationKind::Voluntary.into();
                let reason = usize::try_from(self.account).unwrap_or(0) % REASONS.len();
                REASONS[reason].clone_into(&mut fact.cancellation_reason);
            },
            Cause::Involuntary if ends <= at => {
                fact.canceled_at = Some(timestamp(ends));
                fact.cancellation = CancellationKind::Involuntary.into();
                "payment_failed".clone_into(&mut fact.cancellation_reason);
            },
            Cause::Voluntary { .. } | Cause::Involuntary => {},
        }
        if ends <= at {
            fact.ended_at = Some(timestamp(ends));
        }
        fact
    }

    fn item(&self, plan: &Plan) -> SubscriptionItem {
        let (period, interval) = match self.interval {
            Interval::Month => ("month", BillingInterval::Month),
            Interval::Year => ("year", BillingInterval::Year),
        };
        let product_id = format!(
            "{}-u{}d{}",
            self.tier.as_str(),
            plan.upgrades,
            plan.downgrades
        );
        let rank = self.tier.parameters().rank + plan.upgrades;
        SubscriptionItem {
            item_id: "seats".to_owned(),
            price: Some(Price {
                price_id: format!("{product_id}-{period}-{}", self.currency.code()),
                unit_amount: Some(self.money(unit_minor(
                    self.tier,
                    self.interval,
                    plan,
                    self.currency,
                ))),
                interval: interval.into(),
                interval_count: 1,
                usage_type: UsageType::Licensed.into(),
                product_id,
                rank: rank.saturating_sub(plan.downgrades).max(1),
            }),
            quantity: u64::from(plan.seats),
            fx_rate_micros: self.currency.rate_micros(plan.priced_on),
            ..SubscriptionItem::default()
        }
    }

    fn total(&self, plan: &Plan) -> Total {
        let list =
            unit_minor(self.tier, self.interval, plan, self.currency) * i64::from(plan.seats);
        let net = list * (10_000 - i64::from(volume_discount_bps(plan.seats))) / 10_000;
        let tax_minor = net * self.currency.tax_bps() / 10_000;
        Total {
            gross_minor: net + tax_minor,
            tax_minor,
        }
    }

    fn money(&self, minor: i64) -> Money {
        Money {
            minor,
            currency: self.currency.code().to_owned(),
        }
    }

    fn subscription_id(&self) -> String {
        format!("sub-{:06}-{}", self.account, self.number)
    }
}

/// Sum of an invoice.
struct Total {
    gross_minor: i64,
    tax_minor: i64,
}
