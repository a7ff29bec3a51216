use std::collections::BTreeMap;

use prost::Message;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{ExternalId, PayloadHash, RecordIdentity};
use sextant_domain::money::Currency;
use sextant_domain::mrr::{MetricPolicy, Preset, monthly_list_minor};
use sextant_domain::subscription::{AccountBilling, SubscriptionVersion};
use sextant_domain::time::{DAY_US, Instant, Zone};
use sextant_proto::common::v1::{ErrorReason, Money};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind;

use crate::read::external_id;
use crate::record::amount::{MAX_MINOR, converted, money, part, rate};
use crate::record::fact::{self, TIME_ZONE_TRAIT};
use crate::status::Problem;
use crate::time;

/// Most records of one batch.
pub const MAX_BATCH_RECORDS: usize = 10_000;
/// How far a record's time may lie ahead of the clock, in microseconds.
const MAX_AHEAD_US: i64 = DAY_US;
const MAX_VALUES: usize = 200;
const MAX_TEXT_BYTES: usize = 8_192;
const MAX_ITEMS: usize = 1_000;
const MAX_NAME_BYTES: usize = 200;
/// Largest record, encoded: whoever follows the feed can take it in, and who reads it can be answered.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// What the door knows when a record comes.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The tenant's evaluation clock: the future begins behind it.
    pub now: Instant,
    /// The real moment at which the record came, to correct the source's clock.
    pub received_at: Instant,
    /// Records older than this many days are refused.
    pub retention_days: u32,
    /// Amounts in another currency must bring their rate.
    pub base_currency: Currency,
}

/// A record that may be stored.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What makes two deliveries the same record.
    pub identity: RecordIdentity,
    /// Hash of `encoded`.
    pub payload: PayloadHash,
    /// What kind of fact it holds.
    pub kind: FactKind,
    /// The account that it is about.
    pub account: Option<ExternalId>,
    /// Its time, corrected for a wrong source clock.
    pub occurred_at: Instant,
    /// The encoded record, without `sent_at`, which differs between two deliveries of one record.
    pub encoded: Vec<u8>,
}

/// Checks a record at the door.
///
/// # Errors
/// The first thing that is wrong with it, naming the field, the reason and the fix.
pub fn check(record: &mut pb::Record, door: &Door) -> Result<Checked, Problem> {
    external_id(&record.source, "source")?;
    external_id(&record.id, "id")?;
    let own_time = time::required(record.time.as_ref(), "time")?;
    let sent_at = time::optional(record.sent_at.take().as_ref(), "sent_at")?;
    let occurred_at = corrected(own_time, sent_at, door)?;
    let (kind, account) = check_fact(record.fact.as_ref(), door.base_currency)?;
    let encoded = record.encode_to_vec();
    if encoded.len() > MAX_RECORD_BYTES {
        let message = format!(
            "makes a record of {} bytes, at most {MAX_RECORD_BYTES} are allowed; leave out what segments do not depend on",
            encoded.len()
        );
        return Err(Problem::field(
            ErrorReason::FieldTooLong,
            kind.field(),
            message,
        ));
    }
    Ok(Checked {
        identity: RecordIdentity::new(&record.source, &record.id, own_time),
        payload: PayloadHash::of(&encoded),
        kind,
        account,
        occurred_at,
        encoded,
    })
}

/// The record's time as it would read on a right clock. Only an offset of more than a minute counts as a wrong clock:
/// less is the way through the network.
fn corrected(own_time: Instant, sent_at: Option<Instant>, door: &Door) -> Result<Instant, Problem> {
    const TOLERANCE_US: i64 = 60_000_000;
    let offset = sent_at.map_or(0, |sent_at| door.received_at.0.saturating_sub(sent_at.0));
    let at = if offset.abs() > TOLERANCE_US {
        own_time.plus_us(offset)
    } else {
        own_time
    };
    if own_time.0 < 0 || at.0 < 0 {
        return Err(Problem::field(
            ErrorReason::TimeBefore1970,
            "time",
            "is before 1970; check the unit of the source's clock",
        ));
    }
    if at.0 > door.now.0.saturating_add(MAX_AHEAD_US) {
        let message = format!(
            "{at} is more than 24 hours ahead of {}; mend the source's clock and send the record again",
            door.now
        );
        return Err(Problem::field(ErrorReason::TimeInFuture, "time", message));
    }
    let oldest = door
        .now
        .0
        .saturating_sub(i64::from(door.retention_days).saturating_mul(DAY_US));
    let old = own_time.min(at);
    if old.0 < oldest {
        let message = format!(
            "{old} is more than {} days before the tenant's clock, the age up to which records are taken",
            door.retention_days
        );
        return Err(Problem::field(ErrorReason::TooOld, "time", message));
    }
    Ok(at)
}

fn check_fact(
    fact: Option<&Fact>,
    base: Currency,
) -> Result<(FactKind, Option<ExternalId>), Problem> {
    let missing = || {
        Problem::field(
            ErrorReason::FieldMissing,
            "fact",
            "must be one of account, user, account_user, event, subscription, invoice, payment",
        )
    };
    let (kind, account) = match fact.ok_or_else(missing)? {
        Fact::Account(fact) => (FactKind::Account, account(fact).map(Some)),
        Fact::User(fact) => (FactKind::User, user(fact).map(|()| None)),
        Fact::AccountUser(fact) => (FactKind::AccountUser, account_user(fact).map(Some)),
        Fact::Event(fact) => (FactKind::Event, event(fact).map(Some)),
        Fact::Subscription(fact) => (FactKind::Subscription, subscription(fact, base).map(Some)),
        Fact::Invoice(fact) => (FactKind::Invoice, invoice(fact).map(Some)),
        Fact::Payment(fact) => (FactKind::Payment, payment(fact, base).map(Some)),
    };
    account
        .map(|account| (kind, account))
        .map_err(|problem| problem.below(kind.field()))
}

fn account(fact: &pb::AccountFact) -> Result<ExternalId, Problem> {
    let id = external_id(&fact.account_id, "account_id")?;
    text(&fact.name, "name")?;
    optional_id(&fact.owner_id, "owner_id")?;
    optional_id(&fact.parent_account_id, "parent_account_id")?;
    time::optional(fact.created_at.as_ref(), "created_at")?;
    values(&fact.traits, "traits")?;
    cleared(&fact.cleared_traits)?;
    time_zone(&fact.traits)?;
    Ok(id)
}

fn cleared(names: &[String]) -> Result<(), Problem> {
    at_most(names.len(), MAX_VALUES, "cleared_traits")?;
    let names = names.iter().enumerate();
    for (index, name) in names {
        value_name(name, || format!("cleared_traits[{index}]"))?;
    }
    Ok(())
}

fn value_name(name: &str, path: impl Fn() -> String) -> Result<(), Problem> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        let message = format!("must have a name of 1 to {MAX_NAME_BYTES} bytes");
        return Err(Problem::field(ErrorReason::FieldInvalid, path(), message));
    }
    Ok(())
}

fn time_zone(traits: &BTreeMap<String, pb::Value>) -> Result<(), Problem> {
    let kind = traits.get(TIME_ZONE_TRAIT).map(|value| &value.kind);
    match kind {
        None => Ok(()),
        Some(Some(Kind::Text(name))) if Zone::parse(name).is_ok() => Ok(()),
        Some(_) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            format!("traits[{TIME_ZONE_TRAIT:?}]"),
            "must be the IANA name of a time zone, such as Europe/Warsaw",
        )),
    }
}

fn user(fact: &pb::UserFact) -> Result<(), Problem> {
    external_id(&fact.user_id, "user_id")?;
    values(&fact.traits, "traits")?;
    cleared(&fact.cleared_traits)
}

fn account_user(fact: &pb::AccountUserFact) -> Result<ExternalId, Problem> {
    external_id(&fact.user_id, "user_id")?;
    external_id(&fact.account_id, "account_id")
}

fn event(fact: &pb::EventFact) -> Result<ExternalId, Problem> {
    let id = external_id(&fact.account_id, "account_id")?;
    optional_id(&fact.user_id, "user_id")?;
    external_id(&fact.r#type, "type")?;
    optional_id(&fact.feature_key, "feature_key")?;
    if fact.duration_ms < 0 {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            "duration_ms",
            "must not be negative",
        ));
    }
    values(&fact.data, "data")?;
    Ok(id)
}

fn subscription(fact: &pb::SubscriptionFact, base: Currency) -> Result<ExternalId, Problem> {
    let id = external_id(&fact.account_id, "account_id")?;
    external_id(&fact.subscription_id, "subscription_id")?;
    set(
        fact.status,
        pb::SubscriptionStatus::try_from(fact.status).is_ok(),
        "status",
    )?;
    let moments = [
        (&fact.started_at, "started_at"),
        (&fact.trial_ends_at, "trial_ends_at"),
        (&fact.current_period_ends_at, "current_period_ends_at"),
        (&fact.canceled_at, "canceled_at"),
        (&fact.cancel_at, "cancel_at"),
        (&fact.ended_at, "ended_at"),
    ];
    for (moment, field) in moments {
        time::optional(moment.as_ref(), field)?;
    }
    text(&fact.cancellation_reason, "cancellation_reason")?;
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
    Ok(id)
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
    set(
        price.interval,
        pb::BillingInterval::try_from(price.interval).is_ok(),
        "price.interval",
    )?;
    rate(item.fx_rate_micros, price.unit_amount.as_ref(), base)
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
    set(
        discount.duration,
        pb::DiscountDuration::try_from(discount.duration).is_ok(),
        "duration",
    )?;
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

fn invoice(fact: &pb::InvoiceFact) -> Result<ExternalId, Problem> {
    let id = external_id(&fact.account_id, "account_id")?;
    external_id(&fact.invoice_id, "invoice_id")?;
    optional_id(&fact.subscription_id, "subscription_id")?;
    set(
        fact.status,
        pb::InvoiceStatus::try_from(fact.status).is_ok(),
        "status",
    )?;
    let total = money(
        fact.total.as_ref(),
        "total",
        "a credit note is no invoice: send what was paid back with its payment, as refunded_minor",
    )?;
    part(fact.tax_minor, total, "tax_minor")?;
    time::optional(fact.due_at.as_ref(), "due_at")?;
    Ok(id)
}

fn payment(fact: &pb::PaymentFact, base: Currency) -> Result<ExternalId, Problem> {
    let id = external_id(&fact.account_id, "account_id")?;
    external_id(&fact.payment_id, "payment_id")?;
    optional_id(&fact.invoice_id, "invoice_id")?;
    set(
        fact.status,
        pb::PaymentStatus::try_from(fact.status).is_ok(),
        "status",
    )?;
    let amount = money(
        fact.amount.as_ref(),
        "amount",
        "send what was paid back with the payment that it belongs to, as refunded_minor",
    )?;
    part(fact.refunded_minor, amount, "refunded_minor")?;
    optional_id(&fact.failure_code, "failure_code")?;
    rate(fact.fx_rate_micros, fact.amount.as_ref(), base)?;
    converted(fact.amount.as_ref(), fact.fx_rate_micros, base)?;
    Ok(id)
}

fn set(value: i32, known: bool, field: &str) -> Result<(), Problem> {
    match (value, known) {
        (0, _) => Err(Problem::field(
            ErrorReason::FieldMissing,
            field,
            "must be set",
        )),
        (_, false) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            field,
            format!("{value} is no value of this field"),
        )),
        (_, true) => Ok(()),
    }
}

fn optional_id(id: &str, field: &str) -> Result<(), Problem> {
    if id.is_empty() {
        Ok(())
    } else {
        external_id(id, field).map(drop)
    }
}

fn text(text: &str, field: &str) -> Result<(), Problem> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "has {} bytes, at most {MAX_TEXT_BYTES} are allowed",
            text.len()
        );
        return Err(Problem::field(ErrorReason::FieldTooLong, field, message));
    }
    Ok(())
}

fn at_most(count: usize, limit: usize, field: &str) -> Result<(), Problem> {
    if count > limit {
        return Err(Problem::field(
            ErrorReason::FieldTooLong,
            field,
            format!("has {count} entries, at most {limit} are allowed"),
        ));
    }
    Ok(())
}

fn values(values: &BTreeMap<String, pb::Value>, field: &str) -> Result<(), Problem> {
    at_most(values.len(), MAX_VALUES, field)?;
    for (name, value) in values {
        let path = || {
            let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
            format!("{field}[{shown:?}]")
        };
        value_name(name, path)?;
        match &value.kind {
            None => {
                return Err(Problem::field(
                    ErrorReason::FieldMissing,
                    path(),
                    "has no value; leave it out instead",
                ));
            },
            Some(Kind::Number(number)) if !number.is_finite() => {
                return Err(Problem::field(
                    ErrorReason::NumberNotFinite,
                    path(),
                    format!("{number} is not a finite number"),
                ));
            },
            Some(Kind::Text(value)) => text(value, &path())?,
            Some(Kind::Time(stamp)) => {
                time::instant(stamp).map_err(|problem| problem.below(&path()))?;
            },
            Some(Kind::Number(_) | Kind::Integer(_) | Kind::Boolean(_)) => {},
        }
    }
    Ok(())
}
