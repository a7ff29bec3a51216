//! Subscriptions, invoices and payments.

use sextant_domain::money::Currency;
use sextant_domain::mrr::{MetricPolicy, Preset, monthly_list_minor};
use sextant_domain::subscription::{AccountBilling, SubscriptionVersion};
use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::{ErrorReason, Money};
use sextant_proto::ingestion::v1 as pb;

use crate::read::external_id;
use crate::record::amount::{MAX_MINOR, converted, minor, money, part, rate};
use crate::record::check::field::{at_most, ids, known, moments, optional_id, set, text};
use crate::record::fact;
use crate::status::Problem;
use crate::time;

const MAX_ITEMS: usize = 1_000;
const MAX_LIMITS: usize = 200;

pub(super) fn subscription(fact: &pb::SubscriptionFact, base: Currency) -> Result<(), Problem> {
    external_id(&fact.subscription_id, "subscription_id")?;
    set::<pb::SubscriptionStatus>(fact.status, "status")?;
    moments([
        (&fact.started_at, "started_at"),
        (&fact.trial_ends_at, "trial_ends_at"),
        (&fact.current_period_ends_at, "current_period_ends_at"),
        (&fact.canceled_at, "canceled_at"),
        (&fact.cancel_at, "cancel_at"),
        (&fact.ended_at, "ended_at"),
        (&fact.trial_starts_at, "trial_starts_at"),
        (&fact.resumes_at, "resumes_at"),
    ])?;
    known::<pb::CollectionMethod>(fact.collection_method, "collection_method")?;
    text(&fact.cancellation_reason, "cancellation_reason")?;
    text(&fact.cancellation_feedback, "cancellation_feedback")?;
    text(&fact.cancellation_comment, "cancellation_comment")?;
    if let Some(granted) = &fact.entitlement {
        entitlement(granted).map_err(|problem| problem.below("entitlement"))?;
    }
    at_most(fact.items.len(), MAX_ITEMS, "items")?;
    at_most(fact.discounts.len(), MAX_ITEMS, "discounts")?;
    let currency = one_currency(&fact.items)?;
    for (index, item) in fact.items.iter().enumerate() {
        check_item(item, base).map_err(|problem| problem.below(&format!("items[{index}]")))?;
    }
    for (index, discount) in fact.discounts.iter().enumerate() {
        check_discount(discount, currency)
            .map_err(|problem| problem.below(&format!("discounts[{index}]")))?;
    }
    adds_up(fact, base)?;
    Ok(())
}

/// Recurring revenue has to be known of everything that is taken in, and within bounds.
fn adds_up(fact: &pb::SubscriptionFact, base: Currency) -> Result<(), Problem> {
    let version = fact::subscription_version(fact, Instant(0), Instant(0), base)?;
    let mut sum = 0;
    for (index, item) in version.subscription.items.iter().enumerate() {
        let minor = monthly_list_minor(item);
        let Some(minor) = minor.filter(|minor| *minor <= MAX_MINOR.into()) else {
            let message = format!(
                "with its unit amount, interval and rate comes to more than {MAX_MINOR} minor units of {base} a month; check them"
            );
            let field = format!("items[{index}].quantity");
            return Err(Problem::field(ErrorReason::AmountOverflow, field, message));
        };
        sum += minor;
    }
    if sum > MAX_MINOR.into() {
        let message = format!(
            "come to {sum} minor units of {base} a month together, at most {MAX_MINOR} are taken; check their units"
        );
        return Err(Problem::field(
            ErrorReason::AmountOverflow,
            "items",
            message,
        ));
    }
    exactly(version)
}

/// The very computation of those who follow: what cannot be computed for one record is not taken in.
fn exactly(version: SubscriptionVersion) -> Result<(), Problem> {
    if version.subscription.discounts.is_empty() {
        return Ok(());
    }
    let policy = MetricPolicy::preset(Preset::Sextant, Zone::utc());
    AccountBilling::new([version], &policy).map_err(|error| {
        let message = "are too many and too odd for an exact sum; merge them into fewer";
        Problem::field(ErrorReason::AmountOverflow, "discounts", message).caused_by(error)
    })?;
    Ok(())
}

/// MRR of a subscription is a sum, so its items speak one currency.
fn one_currency(items: &[pb::SubscriptionItem]) -> Result<Option<&str>, Problem> {
    fn currency(item: &pb::SubscriptionItem) -> Option<&str> {
        let amount = item.price.as_ref()?.unit_amount.as_ref()?;
        Some(&amount.currency)
    }
    let first = items.iter().find_map(currency);
    for (index, item) in items.iter().enumerate() {
        if currency(item).is_some() && currency(item) != first {
            let field = format!("items[{index}].price.unit_amount.currency");
            let message =
                "differs from that of the items before it; send one subscription per currency";
            return Err(Problem::field(ErrorReason::FieldInvalid, field, message));
        }
    }
    Ok(first)
}

fn check_item(item: &pb::SubscriptionItem, base: Currency) -> Result<(), Problem> {
    let price = item
        .price
        .as_ref()
        .ok_or_else(|| Problem::field(ErrorReason::FieldMissing, "price", "must be set"))?;
    optional_id(&item.item_id, "item_id")?;
    external_id(&price.price_id, "price.price_id")?;
    optional_id(&price.product_id, "price.product_id")?;
    money(
        price.unit_amount.as_ref(),
        "price.unit_amount",
        "send a price of 0 or more, and what is taken off as a discount",
    )?;
    set::<pb::BillingInterval>(price.interval, "price.interval")?;
    moments([
        (&item.current_period_starts_at, "current_period_starts_at"),
        (&item.current_period_ends_at, "current_period_ends_at"),
    ])?;
    rate(item.fx_rate_micros, price.unit_amount.as_ref(), base)
}

fn entitlement(granted: &pb::Entitlement) -> Result<(), Problem> {
    ids(&granted.feature_keys, MAX_ITEMS, "feature_keys")?;
    at_most(granted.limits.len(), MAX_LIMITS, "limits")?;
    for (name, limit) in &granted.limits {
        let path = format!("limits[{:?}]", name.chars().take(40).collect::<String>());
        external_id(name, &path)?;
        if *limit < 0 {
            let message = "must not be negative; leave out what is not limited";
            return Err(Problem::field(ErrorReason::FieldInvalid, path, message));
        }
    }
    Ok(())
}

fn check_discount(discount: &pb::Discount, currency: Option<&str>) -> Result<(), Problem> {
    if discount.percent_off_bps > 10_000 {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "percent_off_bps",
            "must be at most 10000 (100 percent)",
        ));
    }
    match (&discount.amount_off, discount.percent_off_bps) {
        (None, 0) => {
            return Err(Problem::field(
                ErrorReason::FieldMissing,
                "percent_off_bps",
                "or amount_off must be set",
            ));
        },
        (Some(_), 1..) => {
            return Err(Problem::field(
                ErrorReason::FieldInvalid,
                "amount_off",
                "must not be set beside percent_off_bps",
            ));
        },
        (Some(amount), 0) => amount_off(amount, currency)?,
        (None, 1..) => {},
    }
    set::<pb::DiscountDuration>(discount.duration, "duration")?;
    let ends_at = time::optional(discount.ends_at.as_ref(), "ends_at")?;
    if discount.duration() == pb::DiscountDuration::Repeating && ends_at.is_none() {
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            "ends_at",
            "must be set for a repeating discount",
        ));
    }
    Ok(())
}

/// `currency`: that of the items, from which it is taken.
fn amount_off(amount: &Money, currency: Option<&str>) -> Result<(), Problem> {
    money(
        Some(amount),
        "amount_off",
        "send what is taken off as a positive amount",
    )?;
    match currency {
        Some(currency) if currency != amount.currency => {
            let message = format!(
                "is {}, but the items are priced in {currency}; send what is taken off in {currency}",
                amount.currency
            );
            Err(Problem::field(
                ErrorReason::FieldInvalid,
                "amount_off.currency",
                message,
            ))
        },
        Some(_) | None => Ok(()),
    }
}

pub(super) fn invoice(fact: &pb::InvoiceFact) -> Result<(), Problem> {
    external_id(&fact.invoice_id, "invoice_id")?;
    optional_id(&fact.subscription_id, "subscription_id")?;
    set::<pb::InvoiceStatus>(fact.status, "status")?;
    let total = money(
        fact.total.as_ref(),
        "total",
        "a credit note is no invoice: send what was paid back with its payment, as refunded_minor",
    )?;
    part(fact.tax_minor, total, "tax_minor")?;
    invoice_rest(fact)?;
    Ok(())
}

pub(super) fn payment(fact: &pb::PaymentFact, base: Currency) -> Result<(), Problem> {
    external_id(&fact.payment_id, "payment_id")?;
    optional_id(&fact.invoice_id, "invoice_id")?;
    set::<pb::PaymentStatus>(fact.status, "status")?;
    let amount = money(
        fact.amount.as_ref(),
        "amount",
        "send what was paid back with the payment that it belongs to, as refunded_minor",
    )?;
    part(fact.refunded_minor, amount, "refunded_minor")?;
    optional_id(&fact.failure_code, "failure_code")?;
    optional_id(&fact.decline_code, "decline_code")?;
    optional_id(&fact.method_type, "method_type")?;
    known::<pb::DisputeStatus>(fact.dispute, "dispute")?;
    if fact.card_expiry_month > 12 {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "card_expiry_month",
            "must be 1 to 12",
        ));
    }
    rate(fact.fx_rate_micros, fact.amount.as_ref(), base)?;
    converted(fact.amount.as_ref(), fact.fx_rate_micros, base)?;
    Ok(())
}

/// What an invoice may say beyond its sum and its status.
fn invoice_rest(fact: &pb::InvoiceFact) -> Result<(), Problem> {
    optional_id(&fact.number, "number")?;
    optional_id(&fact.billing_reason, "billing_reason")?;
    optional_id(&fact.quote_id, "quote_id")?;
    known::<pb::CollectionMethod>(fact.collection_method, "collection_method")?;
    for (amount, field) in [
        (fact.subtotal_minor, "subtotal_minor"),
        (fact.due_minor, "due_minor"),
        (fact.paid_minor, "paid_minor"),
        (fact.remaining_minor, "remaining_minor"),
    ] {
        minor(amount, 0, field)?;
    }
    moments([
        (&fact.due_at, "due_at"),
        (&fact.created_at, "created_at"),
        (&fact.period_starts_at, "period_starts_at"),
        (&fact.period_ends_at, "period_ends_at"),
        (&fact.finalized_at, "finalized_at"),
        (&fact.paid_at, "paid_at"),
        (&fact.voided_at, "voided_at"),
        (&fact.uncollectible_at, "uncollectible_at"),
        (&fact.next_attempt_at, "next_attempt_at"),
    ])?;
    at_most(fact.lines.len(), MAX_ITEMS, "lines")?;
    let mut lines = fact.lines.iter().enumerate();
    lines.try_for_each(|(at, line)| {
        invoice_line(line).map_err(|problem| problem.below(&format!("lines[{at}]")))
    })
}

fn invoice_line(line: &pb::InvoiceLine) -> Result<(), Problem> {
    optional_id(&line.price_id, "price_id")?;
    // A credit is negative.
    minor(line.amount_minor, -MAX_MINOR, "amount_minor")?;
    moments([
        (&line.period_starts_at, "period_starts_at"),
        (&line.period_ends_at, "period_ends_at"),
    ])
}

pub(super) fn dunning(fact: &pb::DunningFact) -> Result<(), Problem> {
    external_id(&fact.invoice_id, "invoice_id")?;
    optional_id(&fact.campaign_id, "campaign_id")?;
    set::<pb::DunningOutcome>(fact.outcome, "outcome")?;
    moments([
        (&fact.started_at, "started_at"),
        (&fact.next_retry_at, "next_retry_at"),
        (&fact.recovered_at, "recovered_at"),
    ])?;
    Ok(())
}

pub(super) fn cost(fact: &pb::CostFact, base: Currency) -> Result<(), Problem> {
    external_id(&fact.cost_id, "cost_id")?;
    set::<pb::CostKind>(fact.kind, "kind")?;
    set::<pb::CostAllocation>(fact.allocation, "allocation")?;
    let instead = "send what was paid back as a later state of the cost";
    money(fact.amount.as_ref(), "amount", instead)?;
    rate(fact.fx_rate_micros, fact.amount.as_ref(), base)?;
    converted(fact.amount.as_ref(), fact.fx_rate_micros, base)?;
    let begins = time::required(fact.period_starts_at.as_ref(), "period_starts_at")?;
    let ends = time::required(fact.period_ends_at.as_ref(), "period_ends_at")?;
    if ends <= begins {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "period_ends_at",
            "must be after period_starts_at",
        ));
    }
    Ok(())
}

/// A cost that is spread over accounts is of none.
pub(super) fn spread(fact: &pb::CostFact) -> Result<(), Problem> {
    if fact.account_id.is_empty() {
        return Ok(());
    }
    let message = "must be empty where a cost is spread over accounts; allocate it directly, or leave the account out";
    Err(Problem::field(
        ErrorReason::FieldInvalid,
        "account_id",
        message,
    ))
}
