//! Records that are refused, and why.

use sextant_proto::ingestion::v1 as pb;

use crate::records::{DAY, HOUR, account, event, event_at, number, payment, with_event};
use crate::world::NOW;

/// A bad record, and what its sender is told.
pub(crate) type Bad = (pb::Record, &'static str);

/// Every way in which a record can be bad.
pub(crate) fn bad_records() -> Vec<Bad> {
    [
        bad_identities(),
        bad_amounts(),
        bad_times(),
        bad_values(),
        too_large(),
    ]
    .concat()
}

fn bad_identities() -> Vec<Bad> {
    vec![
        (
            pb::Record {
                id: String::new(),
                ..event("1", "acme")
            },
            "id FIELD_MISSING",
        ),
        (
            pb::Record {
                source: String::new(),
                ..event("2", "acme")
            },
            "source FIELD_MISSING",
        ),
        (event(&"x".repeat(201), "acme"), "id FIELD_TOO_LONG"),
        (event("a\nb", "acme"), "id FIELD_INVALID"),
        (
            pb::Record {
                time: None,
                ..event("3", "acme")
            },
            "time FIELD_MISSING",
        ),
        (
            pb::Record {
                fact: None,
                ..event("4", "acme")
            },
            "fact FIELD_MISSING",
        ),
        (event("5", ""), "event.account_id FIELD_MISSING"),
        (
            event("6", &"x".repeat(201)),
            "event.account_id FIELD_TOO_LONG",
        ),
    ]
}

fn bad_amounts() -> Vec<Bad> {
    vec![
        (
            payment("7", "acme", -1, "USD"),
            "payment.amount.minor AMOUNT_NEGATIVE",
        ),
        (
            payment("8", "acme", i64::MAX, "USD"),
            "payment.amount.minor AMOUNT_OVERFLOW",
        ),
        (
            payment("9", "acme", 1, "XYZ"),
            "payment.amount.currency CURRENCY_UNKNOWN",
        ),
        (
            payment("10", "acme", 1, "usd"),
            "payment.amount.currency CURRENCY_UNKNOWN",
        ),
        (
            payment("11", "acme", 1, "EUR"),
            "payment.fx_rate_micros FIELD_MISSING",
        ),
    ]
}

fn bad_times() -> Vec<Bad> {
    vec![
        (
            event_at("12", "acme", sextant_domain::time::Instant(-1)),
            "time TIME_BEFORE_1970",
        ),
        (
            event_at("13", "acme", NOW.plus_us(24 * HOUR + 1)),
            "time TIME_IN_FUTURE",
        ),
        (
            event_at("14", "acme", NOW.plus_us(-395 * DAY - 1)),
            "time TOO_OLD",
        ),
    ]
}

fn bad_values() -> Vec<Bad> {
    let with = |id, value| {
        let load = |event: &mut pb::EventFact| drop(event.data.insert("load".into(), value));
        with_event(event(id, "acme"), load)
    };
    vec![
        (
            with("15", number(f64::NAN)),
            "event.data[\"load\"] NUMBER_NOT_FINITE",
        ),
        (
            with("16", number(f64::INFINITY)),
            "event.data[\"load\"] NUMBER_NOT_FINITE",
        ),
        (
            with("17", pb::Value::default()),
            "event.data[\"load\"] FIELD_MISSING",
        ),
    ]
}

pub(crate) fn text(n_bytes: usize) -> pb::Value {
    pb::Value {
        kind: Some(pb::value::Kind::Text("x".repeat(n_bytes))),
    }
}

pub(crate) fn with_state(id: &str, change: impl FnOnce(&mut pb::AccountFact)) -> pb::Record {
    let mut record = account(id, "acme");
    if let Some(pb::record::Fact::Account(state)) = &mut record.fact {
        change(state);
    }
    record
}

fn too_large() -> Vec<Bad> {
    let clearing =
        |id: &str, names: Vec<String>| with_state(id, |account| account.cleared_traits = names);
    let full = with_state("20", |account| {
        let traits = (0..180).map(|number| (format!("trait {number}"), text(6_000)));
        account.traits = traits.collect();
    });
    vec![
        (
            clearing("18", vec!["plan".to_owned(); 201]),
            "account.cleared_traits FIELD_TOO_LONG",
        ),
        (
            clearing("19", vec!["plan".to_owned(), "x".repeat(201)]),
            "account.cleared_traits[1] FIELD_INVALID",
        ),
        (full, "account FIELD_TOO_LONG"),
    ]
}
