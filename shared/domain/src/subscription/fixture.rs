//! Short ways to write subscriptions in tests.

use std::num::{NonZeroU32, NonZeroU64};

use crate::id::ExternalId;
use crate::money::{Currency, Rate};
use crate::mrr::{MetricPolicy, Movement, Preset};
use crate::subscription::{
    AccountBilling, Discount, DiscountDuration, DiscountOff, Interval, Item, ItemRole, Status,
    Subscription, SubscriptionVersion, UsageType,
};
use crate::time::{Instant, Zone};

/// `2026-03-15` or `2026-03-15 10:30`, in UTC.
pub(crate) fn on(text: &str) -> Instant {
    let (day, time) = text.split_once(' ').unwrap_or((text, "00:00"));
    Instant::parse(&format!("{day}T{time}:00Z")).unwrap()
}

pub(crate) fn id(text: &str) -> ExternalId {
    ExternalId::parse(text).unwrap()
}

/// Far enough to know everything.
pub(crate) const EVER: Instant = Instant(i64::MAX);

pub(crate) fn ours() -> MetricPolicy {
    MetricPolicy::preset(Preset::Sextant, Zone::utc())
}

pub(crate) fn times(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// A monthly plan in USD.
pub(crate) fn plan(quantity: u64, unit_amount_minor: i64) -> Item {
    Item {
        id: id("si_plan"),
        price_id: id("price"),
        role: ItemRole::Plan,
        plan_rank: None,
        quantity,
        unit_amount_minor,
        currency: Currency::USD,
        interval: Interval::Month,
        interval_count: times(1),
        usage_type: UsageType::Licensed,
        discounts: Vec::new(),
        rate: None,
    }
}

pub(crate) fn yearly(quantity: u64, unit_amount_minor: i64) -> Item {
    Item {
        interval: Interval::Year,
        ..plan(quantity, unit_amount_minor)
    }
}

/// A rate into dollars.
pub(crate) fn micros(micros: u64) -> Rate {
    Rate::from_micros(Currency::USD, NonZeroU64::new(micros).unwrap())
}

pub(crate) fn in_euro(item: Item, usd_per_100_euro: u32) -> Item {
    let rate = Some(micros(u64::from(usd_per_100_euro) * 10_000));
    Item {
        currency: Currency::EUR,
        rate,
        ..item
    }
}

pub(crate) fn percent(percent: u32, ends: Option<&str>) -> Discount {
    let duration = ends.map_or(DiscountDuration::Forever, |end| {
        DiscountDuration::Repeating { ends_at: on(end) }
    });
    Discount {
        off: DiscountOff::Percent {
            ppm: percent * 10_000,
        },
        duration,
    }
}

pub(crate) fn active(name: &str, items: Vec<Item>) -> Subscription {
    Subscription {
        id: id(name),
        status: Status::Active,
        items,
        discounts: Vec::new(),
        trial: None,
        current_period_end: None,
        cancel_at_period_end: false,
        cancel_at: None,
        canceled_at: None,
        ended_at: None,
        cancellation: None,
        pause: None,
        unpaid_since: None,
    }
}

pub(crate) fn with_status(status: Status, subscription: Subscription) -> Subscription {
    Subscription {
        status,
        ..subscription
    }
}

/// Known at once.
pub(crate) fn since(valid_from: &str, subscription: Subscription) -> SubscriptionVersion {
    SubscriptionVersion {
        valid_from: on(valid_from),
        known_from: on(valid_from),
        subscription,
    }
}

pub(crate) fn learned(known_from: &str, version: SubscriptionVersion) -> SubscriptionVersion {
    SubscriptionVersion {
        known_from: on(known_from),
        ..version
    }
}

pub(crate) fn billing(versions: Vec<SubscriptionVersion>) -> AccountBilling {
    AccountBilling::new(versions, &ours()).unwrap()
}

/// One line per movement that stands at the end: `2026-01-01 NEW +100.00 SEATS+PRICE`, parts in order of cause.
pub(crate) fn lines(movements: &[Movement]) -> Vec<String> {
    let mut standing: Vec<&Movement> = movements
        .iter()
        .filter(|movement| movement.is_known(EVER))
        .collect();
    standing.sort_by_key(|movement| {
        (
            movement.at,
            movement.kind == crate::mrr::MovementKind::FxRevaluation,
        )
    });
    standing.into_iter().map(line).collect()
}

fn line(movement: &Movement) -> String {
    let (minor, at) = (movement.delta.to_minor(), Zone::utc().day_of(movement.at));
    let sign = if minor < 0 { '-' } else { '+' };
    let amount = minor.unsigned_abs();
    let mut text = format!(
        "{at} {} {sign}{}.{:02}",
        movement.kind.as_str(),
        amount / 100,
        amount % 100
    );
    match (&*movement.parts, movement.cause) {
        ([], Some(cause)) => text += &format!(" {}", cause.as_str()),
        ([], None) => {},
        (parts, _) => {
            for part in parts {
                text += &format!(" {}:{}", part.cause.as_str(), part.delta.to_minor());
            }
        },
    }
    text
}
