//! Short ways to write what ingestion stored.

use prost::Message;
use prost_types::Timestamp;

use sextant_domain::id::AccountUid;
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::{Date, Money};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_wire::time;

/// `2026-03-15` or `2026-03-15 10:30`, in UTC.
pub(crate) fn instant(text: &str) -> Instant {
    let (day, clock) = text.split_once(' ').unwrap_or((text, "00:00"));
    Instant::parse(&format!("{day}T{clock}:00Z")).unwrap()
}

pub(crate) fn on(text: &str) -> Option<Timestamp> {
    Some(time::timestamp(instant(text)))
}

pub(crate) fn day(text: &str) -> Option<Date> {
    Some(time::date(Day::parse(text).unwrap()))
}

/// The uid of an account in these tests.
pub(crate) fn uid(account: &str) -> AccountUid {
    AccountUid(
        account
            .bytes()
            .fold(1, |uid, byte| uid * 257 + u128::from(byte)),
    )
}

fn stored(account: &str, at: &str, known_at: &str, fact: Fact) -> pb::StoredFact {
    let record = pb::Record {
        source: "billing".to_owned(),
        id: format!("{account} {at}"),
        time: on(at),
        fact: Some(fact),
        ..pb::Record::default()
    };
    pb::StoredFact {
        account_uid: sextant_wire::read::uid_bytes(uid(account)),
        occurred_at: on(at),
        known_at: on(known_at),
        historical: false,
        record: record.encode_to_vec().into(),
    }
}

pub(crate) fn account(account: &str, at: &str) -> pb::StoredFact {
    let fact = pb::AccountFact {
        account_id: account.to_owned(),
        name: account.to_uppercase(),
        ..pb::AccountFact::default()
    };
    stored(account, at, at, Fact::Account(fact))
}

/// Something that metrics does not keep.
pub(crate) fn event(account: &str, at: &str) -> pb::StoredFact {
    let fact = pb::EventFact {
        account_id: account.to_owned(),
        r#type: "session.start".to_owned(),
        ..pb::EventFact::default()
    };
    stored(account, at, at, Fact::Event(fact))
}

/// A subscription known at once.
pub(crate) fn since(at: &str, subscription: pb::SubscriptionFact) -> pb::StoredFact {
    learned(at, at, subscription)
}

/// A subscription known later.
pub(crate) fn learned(
    known_at: &str,
    at: &str,
    subscription: pb::SubscriptionFact,
) -> pb::StoredFact {
    stored(
        &subscription.account_id.clone(),
        at,
        known_at,
        Fact::Subscription(subscription),
    )
}

/// An active subscription in dollars.
pub(crate) fn active(
    account: &str,
    name: &str,
    items: Vec<pb::SubscriptionItem>,
) -> pb::SubscriptionFact {
    pb::SubscriptionFact {
        account_id: account.to_owned(),
        subscription_id: name.to_owned(),
        status: pb::SubscriptionStatus::Active.into(),
        items,
        ..pb::SubscriptionFact::default()
    }
}

pub(crate) fn with_status(
    status: pb::SubscriptionStatus,
    subscription: pb::SubscriptionFact,
) -> pb::SubscriptionFact {
    pb::SubscriptionFact {
        status: status.into(),
        ..subscription
    }
}

pub(crate) fn monthly(quantity: u64, unit_minor: i64) -> pb::SubscriptionItem {
    item(quantity, unit_minor, "USD", pb::BillingInterval::Month)
}

pub(crate) fn yearly(quantity: u64, unit_minor: i64) -> pb::SubscriptionItem {
    item(quantity, unit_minor, "USD", pb::BillingInterval::Year)
}

/// A monthly price in euros at a rate in millionths.
pub(crate) fn in_euro(unit_minor: i64, fx_rate_micros: i64) -> pb::SubscriptionItem {
    pb::SubscriptionItem {
        fx_rate_micros,
        ..item(1, unit_minor, "EUR", pb::BillingInterval::Month)
    }
}

fn item(
    quantity: u64,
    unit_minor: i64,
    currency: &str,
    interval: pb::BillingInterval,
) -> pb::SubscriptionItem {
    let price = pb::Price {
        price_id: "price".to_owned(),
        unit_amount: Some(Money {
            minor: unit_minor,
            currency: currency.to_owned(),
        }),
        interval: interval.into(),
        interval_count: 1,
        rank: 1,
        ..pb::Price::default()
    };
    pb::SubscriptionItem {
        item_id: "plan".to_owned(),
        price: Some(price),
        quantity,
        fx_rate_micros: 0,
        ..pb::SubscriptionItem::default()
    }
}

/// A percentage off, until a day or for ever.
pub(crate) fn coupon(percent: u32, ends: Option<&str>) -> pb::Discount {
    let duration = if ends.is_some() {
        pb::DiscountDuration::Repeating
    } else {
        pb::DiscountDuration::Forever
    };
    pb::Discount {
        percent_off_bps: percent * 100,
        amount_off: None,
        duration: duration.into(),
        ends_at: ends.and_then(on),
    }
}
