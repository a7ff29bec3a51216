//! Events of Stripe, as records: what an event carries is the state of its object at that moment, so customers become accounts,
//! subscriptions, invoices and payments what they are here, and every other event about a customer an event.
//!
//! Both shapes are read: that from the API's version 2025-03-31 ("basil") on, and the older one. Whichever an endpoint sends, of each
//! value the place that holds it counts.

mod billing;
mod object;

use serde_json::Value as Json;

use sextant_domain::money::Currency;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;

use crate::admission::Arrived;
use crate::doors::json;
use crate::doors::stripe::object::Object;
use crate::webhooks::{Accounts, Endpoint};

/// The system that accounts have the ids of customers of, among their external ids.
const SYSTEM: &str = "stripe";
/// What is kept of an object that has no facts of its own. What may open something, such as a client secret, is not among it.
const KEPT: [&str; 8] = [
    "id", "object", "status", "amount", "currency", "mode", "reason", "type",
];

/// How events of one endpoint are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'e> {
    pub(crate) endpoint: &'e Endpoint,
    /// What the tenant reports in.
    pub(crate) base: Currency,
}

impl Terms<'_> {
    /// Units of the base currency for one of a currency, in millionths. Where the endpoint names none, the check of the record asks for it.
    fn rate_micros(self, currency: &str) -> i64 {
        let rates = &self.endpoint.fx_rate_micros;
        let foreign = Some(currency).filter(|code| *code != self.base.code());
        foreign
            .and_then(|code| rates.get(code))
            .copied()
            .unwrap_or(0)
    }
}

/// An object as facts have it.
struct Said {
    /// Without an account of its own: that of the customer.
    fact: Fact,
    /// How far its state is on the way that such objects go: Stripe tells moments in seconds, and sends what happens in one second in
    /// any order. Below 1,000,000.
    progress: i64,
}

/// The record of an event; of what cannot be understood the one that is refused.
pub(crate) fn record(event: &Json, terms: Terms<'_>) -> Arrived {
    match read(event, terms) {
        Ok(record) => Arrived::of(record),
        Err(problem) => {
            let id = event.get("id").and_then(Json::as_str).unwrap_or_default();
            let record = pb::Record {
                source: terms.endpoint.source.clone(),
                id: id.to_owned(),
                original: without_secrets(event).to_string().into(),
                ..pb::Record::default()
            };
            Arrived::refused(record, problem)
        },
    }
}

fn read(json: &Json, terms: Terms<'_>) -> Result<pb::Record, Problem> {
    let event = Object::new(json, "");
    if event.text("object")? != "event" {
        let message = "must be \"event\": make the endpoint in Stripe one of snapshot events";
        return Err(event.invalid("object", message));
    }
    let seconds = event.integer("created")?;
    let micros = seconds.and_then(|seconds| seconds.checked_mul(1_000_000));
    let micros = micros.ok_or_else(|| missing("created"))?;
    let object = event
        .object("data.object")
        .ok_or_else(|| missing("data.object"))?;
    let kind = event.text("type")?;
    let payer = payer_of(&object)?;
    if payer.is_empty() {
        let message = format!(
            "must be set: events of type {kind:?} are about no customer, so take that type off the endpoint"
        );
        let field = object.place("customer");
        return Err(Problem::field(ErrorReason::FieldMissing, field, message));
    }
    let Said { fact, progress } = said(&event, &object, kind, payer, terms)?;
    let is_named = matches!(&fact, Fact::Account(fact) if !fact.account_id.is_empty());
    Ok(pb::Record {
        source: terms.endpoint.source.clone(),
        id: event.text("id")?.to_owned(),
        time: Some(timestamp(Instant(micros).plus_us(progress))),
        account_key: (!is_named).then(|| name_of(payer)),
        fact: Some(fact),
        ..pb::Record::default()
    })
}

/// An event as it came, without what opens something, such as the secret by which a client pays.
fn without_secrets(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !name.contains("secret"));
            Json::Object(
                kept.map(|(name, json)| (name.clone(), without_secrets(json)))
                    .collect(),
            )
        },
        Json::Array(elements) => elements.iter().map(without_secrets).collect(),
        plain => plain.clone(),
    }
}

fn missing(path: &str) -> Problem {
    Problem::field(ErrorReason::FieldMissing, path, "must be set")
}

fn name_of(payer: &str) -> pb::ExternalId {
    pb::ExternalId {
        system: SYSTEM.to_owned(),
        id: payer.to_owned(),
    }
}

fn payer_of<'j>(object: &Object<'j>) -> Result<&'j str, Problem> {
    if object.text("object")? == "customer" {
        object.text("id")
    } else {
        object.id("customer")
    }
}

fn said(
    event: &Object<'_>,
    object: &Object<'_>,
    kind: &str,
    payer: &str,
    terms: Terms<'_>,
) -> Result<Said, Problem> {
    let has_id = object.has("id");
    match object.text("object")? {
        "customer" => {
            let fact = account(event, object, payer, terms)?;
            let progress = match kind {
                "customer.created" => 0,
                "customer.deleted" => 2,
                _ => 1,
            };
            Ok(Said {
                fact: Fact::Account(fact),
                progress,
            })
        },
        "subscription" => billing::subscription(object, kind, terms),
        // An invoice that is only foreseen has no id, or one that nothing else has.
        "invoice" if has_id && kind != "invoice.upcoming" => billing::invoice(object, kind),
        "charge" => billing::charge(object, terms),
        "payment_intent" => billing::payment_intent(object, terms),
        _ => Ok(Said {
            fact: Fact::Event(other(object, kind)?),
            progress: 0,
        }),
    }
}

/// A customer as an account. The one that its metadata names, else a new one of its own where the endpoint makes such, else the one
/// that has it among its external ids.
fn account(
    event: &Object<'_>,
    payer: &Object<'_>,
    id: &str,
    terms: Terms<'_>,
) -> Result<pb::AccountFact, Problem> {
    let metadata = payer.get("metadata").and_then(Json::as_object);
    let named = metadata.and_then(|metadata| metadata.get(&terms.endpoint.account_metadata));
    let named = named.and_then(Json::as_str).unwrap_or_default();
    let account_id = match terms.endpoint.accounts {
        _ if !named.is_empty() => named,
        Accounts::Create => id,
        Accounts::Match => "",
    };
    // Names of billing's own: what it does not know, another system may.
    let mut traits = serde_json::Map::new();
    for (name, path) in [
        ("billing_email", "email"),
        ("billing_currency", "currency"),
        ("billing_delinquent", "delinquent"),
        ("billing_country", "address.country"),
        ("billing_city", "address.city"),
        ("billing_state", "address.state"),
        ("billing_postal_code", "address.postal_code"),
    ] {
        traits.insert(name.to_owned(), payer.get(path).cloned().into());
    }
    let is_deleted = payer.flag("deleted")? || event.text("type")? == "customer.deleted";
    traits.insert("billing_deleted".to_owned(), is_deleted.into());
    // What was taken out of the metadata is only told as what was there before.
    let before = event.get("data.previous_attributes.metadata");
    for name in before
        .and_then(Json::as_object)
        .into_iter()
        .flat_map(|one| one.keys())
    {
        traits.insert(format!("metadata.{name}"), Json::Null);
    }
    for (name, value) in metadata.into_iter().flatten() {
        traits.insert(format!("metadata.{name}"), value.clone());
    }
    let traits = json::values(&traits);
    Ok(pb::AccountFact {
        account_id: account_id.to_owned(),
        name: payer.text("name")?.to_owned(),
        created_at: payer.moment("created")?,
        traits: traits.set,
        cleared_traits: traits.cleared,
        origin: pb::TraitOrigin::System.into(),
        external_ids: vec![name_of(id)],
        ..pb::AccountFact::default()
    })
}

/// An event that has no facts of its own.
fn other(object: &Object<'_>, kind: &str) -> Result<pb::EventFact, Problem> {
    let mut kept = serde_json::Map::new();
    for name in KEPT {
        let value = object
            .get(name)
            .filter(|value| !value.is_object() && !value.is_array());
        if let Some(value) = value {
            kept.insert(name.to_owned(), value.clone());
        }
    }
    Ok(pb::EventFact {
        r#type: kind.to_owned(),
        data: json::values(&kept).set,
        ..pb::EventFact::default()
    })
}

#[cfg(test)]
mod tests;
