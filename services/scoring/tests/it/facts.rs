//! Short ways to write what ingestion stored.

use prost::Message;
use prost_types::Timestamp;

use sextant_domain::id::AccountUid;
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::{Date, Money};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_wire::time;

/// `2027-03-15` or `2027-03-15 10:30`, in UTC.
pub(crate) fn instant(text: &str) -> Instant {
    let (day, clock) = text.split_once(' ').unwrap_or((text, "00:00"));
    Instant::parse(&format!("{day}T{clock}:00Z")).unwrap()
}

pub(crate) fn on(text: &str) -> Option<Timestamp> {
    Some(time::timestamp(instant(text)))
}

pub(crate) fn day(text: &str) -> Date {
    time::date(Day::parse(text).unwrap())
}

/// The uid of an account in these tests.
pub(crate) fn uid(account: &str) -> AccountUid {
    let bytes = account.bytes().map(u128::from);
    AccountUid(bytes.fold(1_u128, |uid, byte| uid.wrapping_mul(257).wrapping_add(byte)))
}

/// A fact that is assumed to have been known when it happened.
fn stored(account: &str, at: &str, fact: Fact) -> pb::StoredFact {
    let record = pb::Record {
        source: "test".to_owned(),
        id: format!("{account} {at}"),
        time: on(at),
        fact: Some(fact),
        ..pb::Record::default()
    };
    pb::StoredFact {
        account_uid: sextant_wire::read::uid_bytes(uid(account)),
        occurred_at: on(at),
        known_at: on(at),
        historical: true,
        record: record.encode_to_vec().into(),
    }
}

/// The same fact as news of another moment.
pub(crate) fn known(at: &str, fact: pb::StoredFact) -> pb::StoredFact {
    pb::StoredFact {
        known_at: on(at),
        historical: false,
        ..fact
    }
}

pub(crate) fn account(account: &str, at: &str) -> pb::StoredFact {
    let fact = pb::AccountFact {
        account_id: account.to_owned(),
        name: account.to_uppercase(),
        ..pb::AccountFact::default()
    };
    stored(account, at, Fact::Account(fact))
}

/// The same account, which says that it came at another time.
pub(crate) fn since(created: &str, account: pb::StoredFact) -> pb::StoredFact {
    changed(account, |fact| fact.created_at = on(created))
}

/// The same account by another name.
pub(crate) fn called(name: &str, account: pb::StoredFact) -> pb::StoredFact {
    changed(account, |fact| name.clone_into(&mut fact.name))
}

fn changed(account: pb::StoredFact, change: impl Fn(&mut pb::AccountFact)) -> pb::StoredFact {
    let mut record = pb::Record::decode(account.record.clone()).unwrap();
    if let Some(Fact::Account(fact)) = &mut record.fact {
        change(fact);
    }
    pb::StoredFact {
        record: record.encode_to_vec().into(),
        ..account
    }
}

pub(crate) fn event(account: &str, user: &str, at: &str) -> pb::StoredFact {
    let fact = pb::EventFact {
        account_id: account.to_owned(),
        user_id: user.to_owned(),
        r#type: "feature.used".to_owned(),
        feature_key: "reports".to_owned(),
        ..pb::EventFact::default()
    };
    stored(account, at, Fact::Event(fact))
}

pub(crate) fn payment(account: &str, at: &str, minor: i64) -> pb::StoredFact {
    let fact = pb::PaymentFact {
        account_id: account.to_owned(),
        payment_id: at.to_owned(),
        status: pb::PaymentStatus::Succeeded.into(),
        amount: Some(usd(minor)),
        ..pb::PaymentFact::default()
    };
    stored(account, at, Fact::Payment(fact))
}

/// An active subscription of some seats, billed by the month.
pub(crate) fn subscription(account: &str, at: &str, seats: u64, unit_minor: i64) -> pb::StoredFact {
    let price = pb::Price {
        price_id: "seat".to_owned(),
        unit_amount: Some(usd(unit_minor)),
        interval: pb::BillingInterval::Month.into(),
        interval_count: 1,
        rank: 1,
        ..pb::Price::default()
    };
    let item = pb::SubscriptionItem {
        item_id: "plan".to_owned(),
        price: Some(price),
        quantity: seats,
        fx_rate_micros: 0,
        ..pb::SubscriptionItem::default()
    };
    let fact = pb::SubscriptionFact {
        account_id: account.to_owned(),
        subscription_id: format!("{account} plan"),
        status: pb::SubscriptionStatus::Active.into(),
        items: vec![item],
        ..pb::SubscriptionFact::default()
    };
    stored(account, at, Fact::Subscription(fact))
}

fn usd(minor: i64) -> Money {
    Money {
        minor,
        currency: "USD".to_owned(),
    }
}
