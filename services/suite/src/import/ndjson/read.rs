//! JSON to records.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use sextant_domain::time::Zone;
use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_proto::ingestion::v1::{
    AccountFact, AccountUserFact, AccountUserRole, BillingInterval, CancellationKind, Discount,
    DiscountDuration, EventFact, InvoiceFact, InvoiceStatus, PaymentFact, PaymentStatus, Price,
    Record, SubscriptionFact, SubscriptionItem, SubscriptionStatus, UsageType, UserFact, Value,
};

use crate::import::Fault;
use crate::import::ndjson::object::Object;

/// A record, as the contract has it; days begin in the zone. What it must hold is for the door to say.
pub(crate) fn record(value: Json, zone: &Zone) -> Result<Record, Fault> {
    let mut from = Object::new(value, String::new(), zone)?;
    let record = Record {
        source: from.text("source")?,
        id: from.text("id")?,
        time: from.time("time")?,
        sent_at: from.time("sent_at")?,
        fact: fact(&mut from)?,
    };
    from.finish(record)
}

fn fact(from: &mut Object<'_>) -> Result<Option<Fact>, Fault> {
    type Read = fn(Object<'_>) -> Result<Fact, Fault>;
    const KINDS: [(&str, Read); 7] = [
        ("account", |from| account(from).map(Fact::Account)),
        ("user", |from| user(from).map(Fact::User)),
        ("account_user", |from| {
            account_user(from).map(Fact::AccountUser)
        }),
        ("event", |from| event(from).map(Fact::Event)),
        ("subscription", |from| {
            subscription(from).map(Fact::Subscription)
        }),
        ("invoice", |from| invoice(from).map(Fact::Invoice)),
        ("payment", |from| payment(from).map(Fact::Payment)),
    ];
    let mut found = None;
    for (name, read) in KINDS {
        let Some(object) = from.object(name)? else {
            continue;
        };
        if found.is_some() {
            return Err(Fault::new(name, "is a second fact; a record holds one"));
        }
        found = Some(read(object)?);
    }
    Ok(found)
}

fn account(mut from: Object<'_>) -> Result<AccountFact, Fault> {
    let fact = AccountFact {
        account_id: from.text("account_id")?,
        name: from.text("name")?,
        created_at: from.time("created_at")?,
        owner_id: from.text("owner_id")?,
        parent_account_id: from.text("parent_account_id")?,
        traits: values(&mut from, "traits")?,
        cleared_traits: texts(&mut from, "cleared_traits")?,
    };
    from.finish(fact)
}

fn user(mut from: Object<'_>) -> Result<UserFact, Fault> {
    let fact = UserFact {
        user_id: from.text("user_id")?,
        traits: values(&mut from, "traits")?,
        cleared_traits: texts(&mut from, "cleared_traits")?,
    };
    from.finish(fact)
}

fn account_user(mut from: Object<'_>) -> Result<AccountUserFact, Fault> {
    let fact = AccountUserFact {
        account_id: from.text("account_id")?,
        user_id: from.text("user_id")?,
        role: from.word::<AccountUserRole>("role")?,
        left: from.flag("left")?,
    };
    from.finish(fact)
}

fn event(mut from: Object<'_>) -> Result<EventFact, Fault> {
    let fact = EventFact {
        account_id: from.text("account_id")?,
        user_id: from.text("user_id")?,
        r#type: from.text("type")?,
        feature_key: from.text("feature_key")?,
        quantity: from.integer("quantity")?,
        duration_ms: from.integer("duration_ms")?,
        data: values(&mut from, "data")?,
    };
    from.finish(fact)
}

fn subscription(mut from: Object<'_>) -> Result<SubscriptionFact, Fault> {
    let fact = SubscriptionFact {
        account_id: from.text("account_id")?,
        subscription_id: from.text("subscription_id")?,
        status: from.word::<SubscriptionStatus>("status")?,
        started_at: from.time("started_at")?,
        trial_ends_at: from.time("trial_ends_at")?,
        current_period_ends_at: from.time("current_period_ends_at")?,
        canceled_at: from.time("canceled_at")?,
        cancel_at: from.time("cancel_at")?,
        ended_at: from.time("ended_at")?,
        cancellation: from.word::<CancellationKind>("cancellation")?,
        cancellation_reason: from.text("cancellation_reason")?,
        items: each(&mut from, "items", item)?,
        discounts: each(&mut from, "discounts", discount)?,
    };
    from.finish(fact)
}

fn item(mut from: Object<'_>) -> Result<SubscriptionItem, Fault> {
    let item = SubscriptionItem {
        item_id: from.text("item_id")?,
        price: from.object("price")?.map(price).transpose()?,
        quantity: from.integer("quantity")?,
        fx_rate_micros: from.integer("fx_rate_micros")?,
    };
    from.finish(item)
}

fn price(mut from: Object<'_>) -> Result<Price, Fault> {
    let price = Price {
        price_id: from.text("price_id")?,
        unit_amount: money(&mut from, "unit_amount")?,
        interval: from.word::<BillingInterval>("interval")?,
        interval_count: from.integer("interval_count")?,
        usage_type: from.word::<UsageType>("usage_type")?,
        product_id: from.text("product_id")?,
        rank: from.integer("rank")?,
    };
    from.finish(price)
}

fn discount(mut from: Object<'_>) -> Result<Discount, Fault> {
    let discount = Discount {
        percent_off_bps: from.integer("percent_off_bps")?,
        amount_off: money(&mut from, "amount_off")?,
        duration: from.word::<DiscountDuration>("duration")?,
        ends_at: from.time("ends_at")?,
    };
    from.finish(discount)
}

fn invoice(mut from: Object<'_>) -> Result<InvoiceFact, Fault> {
    let fact = InvoiceFact {
        account_id: from.text("account_id")?,
        invoice_id: from.text("invoice_id")?,
        subscription_id: from.text("subscription_id")?,
        status: from.word::<InvoiceStatus>("status")?,
        total: money(&mut from, "total")?,
        tax_minor: from.integer("tax_minor")?,
        due_at: from.time("due_at")?,
    };
    from.finish(fact)
}

fn payment(mut from: Object<'_>) -> Result<PaymentFact, Fault> {
    let fact = PaymentFact {
        account_id: from.text("account_id")?,
        payment_id: from.text("payment_id")?,
        invoice_id: from.text("invoice_id")?,
        status: from.word::<PaymentStatus>("status")?,
        amount: money(&mut from, "amount")?,
        refunded_minor: from.integer("refunded_minor")?,
        failure_code: from.text("failure_code")?,
        fx_rate_micros: from.integer("fx_rate_micros")?,
    };
    from.finish(fact)
}

fn money(from: &mut Object<'_>, name: &str) -> Result<Option<Money>, Fault> {
    let Some(mut object) = from.object(name)? else {
        return Ok(None);
    };
    let money = Money {
        minor: object.integer("minor")?,
        currency: object.text("currency")?,
    };
    object.finish(Some(money))
}

fn each<T>(
    from: &mut Object<'_>,
    name: &str,
    read: fn(Object<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let zone = from.zone();
    from.list(name)?
        .into_iter()
        .map(|(path, value)| Object::new(value, path, zone).and_then(read))
        .collect()
}

fn texts(from: &mut Object<'_>, name: &str) -> Result<Vec<String>, Fault> {
    let element = |(path, value)| match value {
        Json::String(text) => Ok(text),
        _ => Err(Fault::new(path, "must be a text")),
    };
    from.list(name)?.into_iter().map(element).collect()
}

fn values(from: &mut Object<'_>, name: &str) -> Result<BTreeMap<String, Value>, Fault> {
    let Some(object) = from.object(name)? else {
        return Ok(BTreeMap::new());
    };
    let zone = object.zone();
    let (path, fields) = object.into_fields();
    fields
        .into_iter()
        .map(|(name, json)| value(json, format!("{path}.{name}"), zone).map(|value| (name, value)))
        .collect()
}

/// A plain value, or the object that names its kind.
fn value(json: Json, path: String, zone: &Zone) -> Result<Value, Fault> {
    let kind = match json {
        Json::Null => None,
        Json::Bool(flag) => Some(Kind::Boolean(flag)),
        Json::String(text) => Some(Kind::Text(text)),
        Json::Number(number) => Some(match number.as_i64() {
            Some(integer) => Kind::Integer(integer),
            None => Kind::Number(
                number
                    .as_f64()
                    .ok_or_else(|| Fault::new(&path, "is no number that fits"))?,
            ),
        }),
        Json::Array(_) => {
            return Err(Fault::new(
                path,
                "must be a text, a number, true or false, not a list",
            ));
        },
        object @ Json::Object(_) => named_kind(Object::new(object, path, zone)?)?,
    };
    Ok(Value { kind })
}

fn named_kind(mut from: Object<'_>) -> Result<Option<Kind>, Fault> {
    if let Some(at) = from.time("time")? {
        return from.finish(Some(Kind::Time(at)));
    }
    let path = from.at("number");
    let kind = match from.take("number") {
        None => None,
        Some(Json::Number(number)) => number.as_f64().map(Kind::Number),
        // As the JSON mapping of protobuf writes them; the door refuses them.
        Some(Json::String(word)) if word == "NaN" => Some(Kind::Number(f64::NAN)),
        Some(Json::String(word)) if word == "Infinity" => Some(Kind::Number(f64::INFINITY)),
        Some(Json::String(word)) if word == "-Infinity" => Some(Kind::Number(f64::NEG_INFINITY)),
        Some(_) => return Err(Fault::new(path, "must be a number")),
    };
    from.finish(kind)
}
