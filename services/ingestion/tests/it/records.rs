//! Records as sources send them.

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{EntityKind, EntityRef, Money};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_wire::time::timestamp;

use crate::world::NOW;

pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn record(id: &str, at: Instant, fact: Fact) -> pb::Record {
    pb::Record {
        source: "web".into(),
        id: id.into(),
        time: Some(timestamp(at)),
        fact: Some(fact),
        ..pb::Record::default()
    }
}

pub(crate) fn account_at(id: &str, account: &str, name: &str, at: Instant) -> pb::Record {
    let fact = pb::AccountFact {
        account_id: account.into(),
        name: name.into(),
        ..pb::AccountFact::default()
    };
    record(id, at, Fact::Account(fact))
}

/// An account that is stated an hour ago.
pub(crate) fn account(id: &str, account: &str) -> pb::Record {
    account_at(id, account, account, NOW.plus_us(-HOUR))
}

pub(crate) fn event_at(id: &str, account: &str, at: Instant) -> pb::Record {
    let fact = pb::EventFact {
        account_id: account.into(),
        r#type: "session.start".into(),
        ..pb::EventFact::default()
    };
    record(id, at, Fact::Event(fact))
}

/// An event of half an hour ago.
pub(crate) fn event(id: &str, account: &str) -> pb::Record {
    event_at(id, account, NOW.plus_us(-HOUR / 2))
}

pub(crate) fn events(prefix: &str, account: &str, n_events: usize) -> Vec<pb::Record> {
    (0..n_events)
        .map(|number| event(&format!("{prefix}{number}"), account))
        .collect()
}

pub(crate) fn payment(id: &str, account: &str, minor: i64, currency: &str) -> pb::Record {
    let fact = pb::PaymentFact {
        account_id: account.into(),
        payment_id: id.into(),
        status: pb::PaymentStatus::Succeeded.into(),
        amount: Some(Money {
            minor,
            currency: currency.into(),
        }),
        ..pb::PaymentFact::default()
    };
    record(id, NOW.plus_us(-HOUR), Fact::Payment(fact))
}

/// A state of an invoice from a moment on.
pub(crate) fn invoice(
    id: &str,
    account: &str,
    status: pb::InvoiceStatus,
    time: Instant,
) -> pb::Record {
    let fact = pb::InvoiceFact {
        account_id: account.into(),
        invoice_id: id.into(),
        status: status.into(),
        total: Some(Money {
            minor: 1_190,
            currency: "USD".into(),
        }),
        tax_minor: 190,
        ..pb::InvoiceFact::default()
    };
    record(&format!("{id} {status:?}"), time, Fact::Invoice(fact))
}

pub(crate) fn number(number: f64) -> pb::Value {
    pb::Value {
        kind: Some(Kind::Number(number)),
    }
}

pub(crate) fn account_ref(id: &str) -> Option<EntityRef> {
    Some(EntityRef {
        kind: EntityKind::Account.into(),
        id: id.into(),
    })
}

/// Changes the event of a record.
pub(crate) fn with_event(
    mut record: pb::Record,
    change: impl FnOnce(&mut pb::EventFact),
) -> pb::Record {
    if let Some(Fact::Event(event)) = &mut record.fact {
        change(event);
    }
    record
}
