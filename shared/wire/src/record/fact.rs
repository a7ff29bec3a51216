//! Stored records as the domain sees them. They were checked at the door, so what does not convert is damage.

use std::num::{NonZeroU32, NonZeroU64};

use prost::Message;

use sextant_domain::id::ExternalId;
use sextant_domain::money::{Currency, Rate};
use sextant_domain::profile::{Change, ProfileVersion};
use sextant_domain::purchase::{PaymentStatus, PaymentVersion};
use sextant_domain::subscription::{
    Cancellation, CancellationKind, Discount, DiscountDuration, DiscountOff, Interval, Item,
    ItemRole, PaidTerm, Status, Subscription, SubscriptionVersion, Trial, UsageType,
};
use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::{ErrorReason, Money};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::value::Kind;

use crate::status::Problem;
use crate::time;

/// The trait that names the zone of an account's contract dates.
pub(crate) const TIME_ZONE_TRAIT: &str = "timezone";

/// Reads a stored record.
///
/// # Errors
/// Damaged.
pub fn decode(bytes: &[u8]) -> Result<pb::Record, Problem> {
    pb::Record::decode(bytes).map_err(|error| damaged("record").caused_by(error))
}

fn damaged(what: &str) -> Problem {
    Problem::new(
        ErrorReason::Internal,
        format!("stored {what} is unreadable"),
    )
}

/// The user and the product feature of an event; empty where there is none.
#[must_use]
pub fn event(fact: &pb::EventFact) -> (&str, &str) {
    (&fact.user_id, &fact.feature_key)
}

/// What an account fact says of the account.
#[must_use]
pub fn account_profile(fact: &pb::AccountFact, at: Instant, known_at: Instant) -> ProfileVersion {
    ProfileVersion {
        at,
        known_at,
        created_at: fact
            .created_at
            .as_ref()
            .and_then(|stamp| time::instant(stamp).ok()),
        industry: change(fact, "industry", |kind| match kind {
            Kind::Text(text) => Some(text.as_str().into()),
            _ => None,
        }),
        employee_count: change(fact, "employee_count", count),
        renewal_at: change(fact, "renewal_at", |kind| match kind {
            Kind::Time(stamp) => time::instant(stamp).ok(),
            Kind::Text(text) => Instant::parse(text).ok(),
            _ => None,
        }),
        zone: change(fact, TIME_ZONE_TRAIT, |kind| match kind {
            Kind::Text(name) => Zone::parse(name).ok(),
            _ => None,
        }),
    }
}

/// A trait's change; a value of a type that the trait cannot have counts as none.
fn change<T>(
    fact: &pb::AccountFact,
    name: &str,
    read: impl Fn(&Kind) -> Option<T>,
) -> Option<Change<T>> {
    if fact.cleared_traits.iter().any(|cleared| cleared == name) {
        return Some(Change::Cleared);
    }
    let kind = fact.traits.get(name)?.kind.as_ref()?;
    Some(read(kind).map_or(Change::Cleared, Change::Set))
}

/// A number of people: a whole number, or text such as "120" or "11-50" (its lower end).
fn count(kind: &Kind) -> Option<i64> {
    match kind {
        Kind::Integer(count) => Some(*count),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates; a number of people has no fraction"
        )]
        Kind::Number(number) => Some(number.round() as i64),
        Kind::Text(text) => {
            let digits: String = text
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == ',')
                .filter(char::is_ascii_digit)
                .collect();
            digits.parse().ok()
        },
        Kind::Boolean(_) | Kind::Time(_) | Kind::List(_) => None,
    }
    .filter(|count| *count >= 0)
}

/// A payment's version in the tenant's base currency.
///
/// # Errors
/// Damaged.
pub fn payment(
    fact: &pb::PaymentFact,
    at: Instant,
    known_at: Instant,
    base: Currency,
) -> Result<PaymentVersion, Problem> {
    let amount = fact.amount.as_ref().ok_or_else(|| damaged("payment"))?;
    let status = match fact.status() {
        pb::PaymentStatus::Unspecified => return Err(damaged("payment")),
        pb::PaymentStatus::Processing | pb::PaymentStatus::RequiresAction => {
            PaymentStatus::Processing
        },
        pb::PaymentStatus::Succeeded => PaymentStatus::Succeeded,
        pb::PaymentStatus::Failed => PaymentStatus::Failed,
        pb::PaymentStatus::Refunded => PaymentStatus::Refunded,
        pb::PaymentStatus::Disputed => PaymentStatus::Disputed,
    };
    let net = amount.minor.saturating_sub(fact.refunded_minor);
    Ok(PaymentVersion {
        payment: fact.payment_id.as_str().into(),
        at,
        known_at,
        status,
        net_minor: base_minor(net, currency(amount)?, fact.fx_rate_micros, base)
            .ok_or_else(|| damaged("payment"))?,
    })
}

/// An amount in minor units of the base currency; `None` if it does not fit, or has no rate and needs one.
pub(crate) fn base_minor(
    minor: i64,
    currency: Currency,
    fx_rate_micros: i64,
    base: Currency,
) -> Option<i64> {
    if currency == base {
        return Some(minor);
    }
    rate(fx_rate_micros, base)?.convert(minor, currency)
}

/// A subscription's version.
///
/// # Errors
/// Damaged.
pub fn subscription_version(
    fact: &pb::SubscriptionFact,
    at: Instant,
    known_at: Instant,
    base: Currency,
) -> Result<SubscriptionVersion, Problem> {
    let moment =
        |stamp: &Option<prost_types::Timestamp>| stamp.as_ref().map(time::instant).transpose();
    let started = moment(&fact.started_at)?.unwrap_or(at);
    let ended_at = moment(&fact.ended_at)?;
    let cancel_at = moment(&fact.cancel_at)?;
    let kind = match fact.cancellation() {
        pb::CancellationKind::Unspecified => None,
        pb::CancellationKind::Voluntary => Some(CancellationKind::Voluntary),
        pb::CancellationKind::Involuntary => Some(CancellationKind::Involuntary),
    };
    let subscription = Subscription {
        id: id(&fact.subscription_id, "subscription")?,
        status: status(fact.status())?,
        items: items(&fact.items, base)?,
        discounts: fact
            .discounts
            .iter()
            .filter_map(discount)
            .collect::<Result<_, _>>()?,
        trial: moment(&fact.trial_ends_at)?.map(|end| Trial {
            start: started,
            end,
        }),
        current_period_end: moment(&fact.current_period_ends_at)?,
        cancel_at_period_end: false,
        cancel_at,
        canceled_at: moment(&fact.canceled_at)?,
        ended_at,
        cancellation: kind.map(|kind| Cancellation {
            kind,
            paid_term: PaidTerm::Served,
        }),
        pause: None,
        unpaid_since: None,
    };
    Ok(SubscriptionVersion {
        valid_from: at,
        known_from: known_at,
        subscription,
    })
}

fn id(text: &str, what: &str) -> Result<ExternalId, Problem> {
    ExternalId::parse(text).map_err(|_not_an_id| damaged(what))
}

fn status(status: pb::SubscriptionStatus) -> Result<Status, Problem> {
    Ok(match status {
        pb::SubscriptionStatus::Unspecified => return Err(damaged("subscription")),
        pb::SubscriptionStatus::Incomplete => Status::Incomplete,
        pb::SubscriptionStatus::IncompleteExpired => Status::IncompleteExpired,
        pb::SubscriptionStatus::Trialing => Status::Trialing,
        pb::SubscriptionStatus::Active => Status::Active,
        pb::SubscriptionStatus::PastDue => Status::PastDue,
        pb::SubscriptionStatus::Unpaid => Status::Unpaid,
        pb::SubscriptionStatus::Paused => Status::Paused,
        pb::SubscriptionStatus::Canceled => Status::Canceled,
    })
}

fn items(items: &[pb::SubscriptionItem], base: Currency) -> Result<Vec<Item>, Problem> {
    let items = items.iter().map(|one| item(one, base));
    let mut items: Vec<Item> = items.collect::<Result<_, _>>()?;
    // A source that names products and ranks none sells a plan all the same: first of all.
    let licensed = |item: &Item| item.usage_type == UsageType::Licensed;
    let is_seats = |item: &Item| licensed(item) && item.role == ItemRole::Plan;
    if !items.iter().any(is_seats)
        && let Some(first) = items.iter_mut().find(|item| licensed(item))
    {
        first.role = ItemRole::Plan;
    }
    Ok(items)
}

fn item(item: &pb::SubscriptionItem, base: Currency) -> Result<Item, Problem> {
    let price = item
        .price
        .as_ref()
        .ok_or_else(|| damaged("subscription item"))?;
    let amount = price.unit_amount.as_ref().ok_or_else(|| damaged("price"))?;
    let currency = currency(amount)?;
    Ok(Item {
        id: id(
            if item.item_id.is_empty() {
                &price.price_id
            } else {
                &item.item_id
            },
            "subscription item",
        )?,
        price_id: id(&price.price_id, "price")?,
        role: if price.rank > 0 || price.product_id.is_empty() {
            ItemRole::Plan
        } else {
            ItemRole::ExtraProduct
        },
        plan_rank: (price.rank > 0).then_some(price.rank),
        quantity: item.quantity,
        unit_amount_minor: amount.minor,
        currency,
        interval: match price.interval() {
            pb::BillingInterval::Unspecified => return Err(damaged("price")),
            pb::BillingInterval::Day => Interval::Day,
            pb::BillingInterval::Week => Interval::Week,
            pb::BillingInterval::Month => Interval::Month,
            pb::BillingInterval::Year => Interval::Year,
        },
        interval_count: NonZeroU32::new(price.interval_count).unwrap_or(NonZeroU32::MIN),
        usage_type: match price.usage_type() {
            pb::UsageType::Unspecified | pb::UsageType::Licensed => UsageType::Licensed,
            pb::UsageType::Metered => UsageType::Metered,
        },
        discounts: Vec::new(),
        rate: if currency == base {
            None
        } else {
            Some(rate(item.fx_rate_micros, base).ok_or_else(|| damaged("exchange rate"))?)
        },
    })
}

fn rate(micros: i64, base: Currency) -> Option<Rate> {
    let micros = u64::try_from(micros).ok().and_then(NonZeroU64::new)?;
    Some(Rate::from_micros(base, micros))
}

fn currency(money: &Money) -> Result<Currency, Problem> {
    Currency::parse(&money.currency).map_err(|_unknown| damaged("currency"))
}

/// `None`: it is on a single invoice, so none on recurring revenue.
fn discount(discount: &pb::Discount) -> Option<Result<Discount, Problem>> {
    let duration = match discount.duration() {
        pb::DiscountDuration::Once => return None,
        pb::DiscountDuration::Forever => Ok(DiscountDuration::Forever),
        pb::DiscountDuration::Repeating => repeating(discount),
        pb::DiscountDuration::Unspecified => Err(damaged("discount")),
    };
    Some(duration.and_then(|duration| {
        Ok(Discount {
            off: off(discount)?,
            duration,
        })
    }))
}

fn repeating(discount: &pb::Discount) -> Result<DiscountDuration, Problem> {
    let ends_at = discount
        .ends_at
        .as_ref()
        .ok_or_else(|| damaged("discount"))?;
    Ok(DiscountDuration::Repeating {
        ends_at: time::instant(ends_at)?,
    })
}

fn off(discount: &pb::Discount) -> Result<DiscountOff, Problem> {
    Ok(match &discount.amount_off {
        Some(amount) => DiscountOff::Amount {
            minor: u64::try_from(amount.minor).map_err(|_negative| damaged("discount"))?,
        },
        None => DiscountOff::Percent {
            ppm: discount.percent_off_bps.saturating_mul(100),
        },
    })
}

/// The type of a stored event, without reading the rest of it; `None`: it is none.
#[must_use]
pub fn event_type(record: &[u8]) -> Option<String> {
    let fact = OfType::decode(record).ok()?;
    Some(fact.event?.r#type)
}

/// The part of a record that says the type of an event.
#[derive(Clone, PartialEq, Message)]
struct OfType {
    #[prost(message, optional, tag = "13")]
    event: Option<EventOfType>,
}

#[derive(Clone, PartialEq, Message)]
struct EventOfType {
    #[prost(string, tag = "3")]
    r#type: String,
}
