mod billing;

use serde_json::{Value as Json, json};

use sextant_domain::money::Currency;
use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_wire::record::{Checked, Door};
use sextant_wire::time::timestamp;

use self::billing::{charge, invoice, subscription};
use super::{Terms, read};
use crate::webhooks::Endpoint;

const CREATED: i64 = 1_768_476_600;

fn endpoint(more: &Json) -> Endpoint {
    let mut file = json!({"tenant": "acme", "signing_secrets": ["whsec_1"]});
    let more = more.as_object().unwrap().clone();
    file.as_object_mut().unwrap().extend(more);
    serde_json::from_value(file).unwrap()
}

fn event(kind: &str, object: &Json) -> Json {
    json!({
        "id": "evt_1", "object": "event", "api_version": "2025-03-31.basil", "created": CREATED,
        "type": kind, "livemode": true, "pending_webhooks": 1, "data": {"object": object}
    })
}

fn record_of(event: &Json, endpoint: &Endpoint) -> Result<pb::Record, String> {
    let base = Currency::parse("USD").unwrap();
    let record = read(event, Terms { endpoint, base });
    record.map_err(|problem| format!("{} {}", problem.field, problem.reason_name()))
}

/// The record of an object, which passes the check of all records.
fn taken(kind: &str, object: &Json) -> pb::Record {
    let mut record = record_of(&event(kind, object), &endpoint(&json!({}))).unwrap();
    let told = record.clone();
    checked(&mut record).unwrap();
    told
}

fn checked(record: &mut pb::Record) -> Result<Checked, String> {
    let now = Instant((CREATED + 1_800) * 1_000_000);
    let door = Door {
        now,
        received_at: now,
        retention_days: 395,
        base_currency: Currency::parse("USD").unwrap(),
    };
    let checked = sextant_wire::record::check(record, &door);
    checked.map_err(|problem| format!("{} {}", problem.field, problem.reason_name()))
}

fn seconds(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(timestamp(Instant(seconds * 1_000_000)))
}

fn of_stripe(id: &str) -> pb::ExternalId {
    pb::ExternalId {
        system: "stripe".to_owned(),
        id: id.to_owned(),
    }
}

#[test]
fn what_happens_in_one_second_is_ordered_by_how_far_it_is() {
    let at = |kind: &str, object: &Json| {
        let time = taken(kind, object).time.unwrap();
        assert_eq!(time.seconds, CREATED);
        time.nanos
    };
    let with_status = |status: &str| {
        let mut object = invoice(true);
        object["status"] = json!(status);
        object
    };
    let invoices = [
        at("invoice.created", &with_status("draft")),
        at("invoice.updated", &with_status("draft")),
        at("invoice.finalized", &with_status("open")),
        at("invoice.paid", &with_status("paid")),
    ];
    assert!(
        invoices.is_sorted_by(|one, next| one < next),
        "{invoices:?}"
    );
    let mut incomplete = subscription(true);
    incomplete["status"] = json!("incomplete");
    let subscriptions = [
        at("customer.subscription.created", &incomplete),
        at("customer.subscription.updated", &subscription(true)),
    ];
    assert!(subscriptions.is_sorted_by(|one, next| one < next));
}

fn payer() -> Json {
    json!({
        "id": "cus_1", "object": "customer", "name": "Acme", "email": "pay@acme.example", "created": 1_700_000_000,
        "currency": "usd", "delinquent": false,
        "address": {"city": "Bonn", "country": "DE", "line1": "1 Way", "postal_code": null, "state": null},
        "metadata": {"plan": "gold"}
    })
}

fn account_of(event: &Json, endpoint: &Endpoint) -> (Option<pb::ExternalId>, pb::AccountFact) {
    let mut record = record_of(event, endpoint).unwrap();
    let named = record.account_key.clone();
    checked(&mut record).unwrap();
    match record.fact {
        Some(Fact::Account(fact)) => (named, fact),
        other => panic!("{other:?}"),
    }
}

#[test]
fn payers_are_matched_made_accounts_or_named_by_their_metadata() {
    let named = |metadata: &Json, more: &Json| {
        let mut object = payer();
        object["metadata"] = metadata.clone();
        let (key, fact) = account_of(&event("customer.updated", &object), &endpoint(more));
        assert_eq!(fact.external_ids, [of_stripe("cus_1")]);
        (key, fact.account_id)
    };
    let key = Some(of_stripe("cus_1"));
    let create = json!({"accounts": "create"});
    let ours = json!({"account_id": "acme"});
    assert_eq!(named(&json!({}), &json!({})), (key, String::new()));
    assert_eq!(named(&json!({}), &create), (None, "cus_1".to_owned()));
    for more in [&json!({}), &create] {
        assert_eq!(named(&ours, more), (None, "acme".to_owned()));
    }
    let other = json!({"account_metadata": "team"});
    assert_eq!(
        named(&json!({"team": "t1"}), &other),
        (None, "t1".to_owned())
    );
}

#[test]
fn what_a_payer_is_becomes_traits_and_what_is_gone_is_cleared() {
    let mut updated = event("customer.updated", &payer());
    updated["data"]["previous_attributes"] =
        json!({"metadata": {"plan": "silver", "coach": "ann"}});
    let (_, fact) = account_of(&updated, &endpoint(&json!({})));
    assert_eq!(fact.name, "Acme");
    assert_eq!(fact.created_at, seconds(1_700_000_000));
    let text = |text: &str| Kind::Text(text.to_owned());
    let expected = [
        ("billing_city", text("Bonn")),
        ("billing_country", text("DE")),
        ("billing_currency", text("usd")),
        ("billing_deleted", Kind::Boolean(false)),
        ("billing_delinquent", Kind::Boolean(false)),
        ("billing_email", text("pay@acme.example")),
        ("metadata.plan", text("gold")),
    ];
    let traits: Vec<_> = fact
        .traits
        .iter()
        .map(|(name, value)| (name.as_str(), value.kind.clone().unwrap()))
        .collect();
    assert_eq!(traits, expected);
    assert_eq!(
        fact.cleared_traits,
        ["billing_state", "billing_postal_code", "metadata.coach"]
    );
    let (_, gone) = account_of(&event("customer.deleted", &payer()), &endpoint(&json!({})));
    assert_eq!(
        gone.traits["billing_deleted"].kind,
        Some(Kind::Boolean(true))
    );
}

#[test]
fn other_events_of_payers_are_kept_without_what_opens_something() {
    let object = json!({
        "id": "seti_1", "object": "setup_intent", "customer": "cus_1", "status": "succeeded", "client_secret": "seti_1_secret"
    });
    let record = taken("setup_intent.succeeded", &object);
    let Some(Fact::Event(fact)) = record.fact else {
        panic!("{record:?}");
    };
    assert_eq!(fact.r#type, "setup_intent.succeeded");
    let names: Vec<&str> = fact.data.keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "object", "status"]);
    let mut foreseen = invoice(true);
    foreseen.as_object_mut().unwrap().shift_remove("id");
    let foreseen = taken("invoice.upcoming", &foreseen);
    assert!(
        matches!(foreseen.fact, Some(Fact::Event(_))),
        "{foreseen:?}"
    );
}

#[test]
fn amounts_have_the_decimals_of_iso_4217() {
    for (currency, amount, minor) in [
        ("jpy", 500, 500),
        ("isk", 50_000, 500),
        ("ugx", 50_000, 500),
        ("mga", 500, 50_000),
        ("kwd", 5_120, 5_120),
    ] {
        let mut object = charge();
        object["currency"] = json!(currency);
        object["amount"] = json!(amount);
        let rates = json!({"fx_rate_micros": {currency.to_uppercase(): 7_000}});
        let mut record = record_of(&event("charge.succeeded", &object), &endpoint(&rates)).unwrap();
        checked(&mut record).unwrap();
        let Some(Fact::Payment(fact)) = record.fact else {
            panic!("{currency}");
        };
        assert_eq!(fact.amount.unwrap().minor, minor, "{currency}");
        assert_eq!(fact.fx_rate_micros, 7_000);
    }
}

#[test]
fn what_is_no_event_of_a_payer_is_refused_with_its_field() {
    let terms = endpoint(&json!({}));
    let refused = |event: &Json| record_of(event, &terms).unwrap_err();
    assert_eq!(refused(&json!([])), "object FIELD_INVALID");
    assert_eq!(
        refused(&json!({"object": "v2.core.event", "id": "evt_1"})),
        "object FIELD_INVALID"
    );
    assert_eq!(
        refused(&event(
            "product.created",
            &json!({"id": "prod_1", "object": "product"})
        )),
        "data.object.customer FIELD_MISSING"
    );
    let changed = |path: &str, to: Json| {
        let mut event = event("customer.subscription.updated", &subscription(true));
        *event.pointer_mut(path).unwrap() = to;
        refused(&event)
    };
    for (path, to, told) in [
        ("/created", json!("today"), "created FIELD_INVALID"),
        ("/created", json!(i64::MAX), "created FIELD_MISSING"),
        ("/id", json!(1), "id FIELD_INVALID"),
        ("/data/object", json!("sub_1"), "data.object FIELD_MISSING"),
        (
            "/data/object/customer",
            json!(1),
            "data.object.customer FIELD_INVALID",
        ),
        (
            "/data/object/status",
            json!("asleep"),
            "data.object.status FIELD_INVALID",
        ),
        (
            "/data/object/start_date",
            json!("2026"),
            "data.object.start_date FIELD_INVALID",
        ),
        (
            "/data/object/items",
            json!(1),
            "data.object.items FIELD_INVALID",
        ),
        (
            "/data/object/items/data/0/price",
            Json::Null,
            "data.object.items[0].price FIELD_MISSING",
        ),
        (
            "/data/object/items/data/0/quantity",
            json!(-1),
            "data.object.items[0].quantity FIELD_INVALID",
        ),
        (
            "/data/object/items/data/0/price/recurring/interval",
            json!("fortnight"),
            "data.object.items[0].price.recurring.interval FIELD_INVALID",
        ),
    ] {
        assert_eq!(changed(path, to.clone()), told, "{path} {to}");
    }
    let mut tiered = event("customer.subscription.updated", &subscription(true));
    tiered["data"]["object"]["items"]["data"][0]["price"]["unit_amount"] = Json::Null;
    tiered["data"]["object"]["items"]["data"][0]["price"]["unit_amount_decimal"] = Json::Null;
    assert_eq!(
        refused(&tiered),
        "data.object.items[0].price.unit_amount FIELD_MISSING"
    );
}

#[test]
fn what_is_refused_is_kept_without_what_opens_something() {
    let object = json!({
        "id": "pi_1", "object": "payment_intent", "customer": null, "client_secret": "pi_1_secret_x",
        "charges": [{"id": "ch_1", "client_secret": "ch_1_secret_x"}]
    });
    let endpoint = endpoint(&json!({}));
    let kept = super::without_secrets(&event("payment_intent.created", &object));
    assert!(!kept.to_string().contains("secret"), "{kept}");
    assert_eq!(kept["data"]["object"]["charges"][0]["id"], "ch_1");
    assert!(record_of(&kept, &endpoint).is_err());
}
