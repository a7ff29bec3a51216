//! Records to JSON.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use serde_json::{Map, Value as Json, json};

use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_proto::ingestion::v1::{
    AccountFact, AccountUserFact, AccountUserRole, BillingInterval, CancellationKind, Discount,
    DiscountDuration, EventFact, InvoiceFact, InvoiceStatus, PaymentFact, PaymentStatus, Price,
    Record, SubscriptionFact, SubscriptionItem, SubscriptionStatus, UsageType, UserFact, Value,
};

use crate::import::values::{self, Named};

/// Largest integer that JSON readers keep exactly.
const MAX_EXACT: u64 = 1 << 53;

/// A record on one line, without the line's end. Fields that hold their default are left out.
#[must_use]
pub fn write(record: &Record) -> String {
    let mut to = Fields::default();
    to.text("source", &record.source);
    to.text("id", &record.id);
    to.time("time", record.time.as_ref());
    to.time("sent_at", record.sent_at.as_ref());
    match &record.fact {
        None => {},
        Some(Fact::Account(fact)) => to.put("account", account(fact)),
        Some(Fact::User(fact)) => to.put("user", user(fact)),
        Some(Fact::AccountUser(fact)) => to.put("account_user", account_user(fact)),
        Some(Fact::Event(fact)) => to.put("event", event(fact)),
        Some(Fact::Subscription(fact)) => to.put("subscription", subscription(fact)),
        Some(Fact::Invoice(fact)) => to.put("invoice", invoice(fact)),
        Some(Fact::Payment(fact)) => to.put("payment", payment(fact)),
    }
    to.object().to_string()
}

/// The fields of an object.
#[derive(Default)]
struct Fields(Map<String, Json>);

impl Fields {
    fn put(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, json!(text));
        }
    }

    fn flag(&mut self, name: &str, flag: bool) {
        if flag {
            self.put(name, json!(flag));
        }
    }

    fn integer(&mut self, name: &str, number: impl Into<i128>) {
        let number = number.into();
        if number != 0 {
            self.put(name, integer(number));
        }
    }

    fn time(&mut self, name: &str, at: Option<&Timestamp>) {
        if let Some(at) = at {
            self.put(name, time(at));
        }
    }

    /// A number that names no value is written as it is.
    fn word<E: Named>(&mut self, name: &str, number: i32) {
        if number != 0 {
            self.put(
                name,
                E::try_from(number)
                    .map_or_else(|_unknown| json!(number), |value| json!(value.name())),
            );
        }
    }

    fn money(&mut self, name: &str, money: Option<&Money>) {
        if let Some(money) = money {
            let mut to = Self::default();
            to.integer("minor", money.minor);
            to.text("currency", &money.currency);
            self.put(name, to.object());
        }
    }

    fn list<T>(&mut self, name: &str, items: &[T], write: fn(&T) -> Json) {
        if !items.is_empty() {
            self.put(name, items.iter().map(write).collect());
        }
    }

    fn values(&mut self, name: &str, values: &BTreeMap<String, Value>) {
        if !values.is_empty() {
            let fields = values
                .iter()
                .map(|(name, one)| (name.clone(), value(one)))
                .collect();
            self.put(name, Json::Object(fields));
        }
    }

    fn object(self) -> Json {
        Json::Object(self.0)
    }
}

fn account(fact: &AccountFact) -> Json {
    let mut to = Fields::default();
    to.text("account_id", &fact.account_id);
    to.text("name", &fact.name);
    to.time("created_at", fact.created_at.as_ref());
    to.text("owner_id", &fact.owner_id);
    to.text("parent_account_id", &fact.parent_account_id);
    to.values("traits", &fact.traits);
    to.list("cleared_traits", &fact.cleared_traits, |name| json!(name));
    to.object()
}

fn user(fact: &UserFact) -> Json {
    let mut to = Fields::default();
    to.text("user_id", &fact.user_id);
    to.values("traits", &fact.traits);
    to.list("cleared_traits", &fact.cleared_traits, |name| json!(name));
    to.object()
}

fn account_user(fact: &AccountUserFact) -> Json {
    let mut to = Fields::default();
    to.text("account_id", &fact.account_id);
    to.text("user_id", &fact.user_id);
    to.word::<AccountUserRole>("role", fact.role);
    to.flag("left", fact.left);
    to.object()
}

fn event(fact: &EventFact) -> Json {
    let mut to = Fields::default();
    to.text("account_id", &fact.account_id);
    to.text("user_id", &fact.user_id);
    to.text("type", &fact.r#type);
    to.text("feature_key", &fact.feature_key);
    to.integer("quantity", fact.quantity);
    to.integer("duration_ms", fact.duration_ms);
    to.values("data", &fact.data);
    to.object()
}

fn subscription(fact: &SubscriptionFact) -> Json {
    let mut to = Fields::default();
    to.text("account_id", &fact.account_id);
    to.text("subscription_id", &fact.subscription_id);
    to.word::<SubscriptionStatus>("status", fact.status);
    to.time("started_at", fact.started_at.as_ref());
    to.time("trial_ends_at", fact.trial_ends_at.as_ref());
    to.time(
        "current_period_ends_at",
        fact.current_period_ends_at.as_ref(),
    );
    to.time("canceled_at", fact.canceled_at.as_ref());
    to.time("cancel_at", fact.cancel_at.as_ref());
    to.time("ended_at", fact.ended_at.as_ref());
    to.word::<CancellationKind>("cancellation", fact.cancellation);
    to.text("cancellation_reason", &fact.cancellation_reason);
    to.list("items", &fact.items, item);
    to.list("discounts", &fact.discounts, discount);
    to.object()
}

fn item(item: &SubscriptionItem) -> Json {
    let mut to = Fields::default();
    to.text("item_id", &item.item_id);
    if let Some(one) = &item.price {
        to.put("price", price(one));
    }
    to.integer("quantity", item.quantity);
    to.integer("fx_rate_micros", item.fx_rate_micros);
    to.object()
}

fn price(price: &Price) -> Json {
    let mut to = Fields::default();
    to.text("price_id", &price.price_id);
    to.money("unit_amount", price.unit_amount.as_ref());
    to.word::<BillingInterval>("interval", price.interval);
    to.integer("interval_count", price.interval_count);
    to.word::<UsageType>("usage_type", price.usage_type);
    to.text("product_id", &price.product_id);
    to.integer("rank", price.rank);
    to.object()
}

fn discount(discount: &Discount) -> Json {
    let mut to = Fields::default();
    to.integer("percent_off_bps", discount.percent_off_bps);
    to.money("amount_off", discount.amount_off.as_ref());
    to.word::<DiscountDuration>("duration", discount.duration);
    to.time("ends_at", discount.ends_at.as_ref());
    to.object()
}

fn invoice(fact: &InvoiceFact) -> Json {
    let mut to = Fields::default();
    to.text("account_id", &fact.account_id);
    to.text("invoice_id", &fact.invoice_id);
    to.text("subscription_id", &fact.subscription_id);
    to.word::<InvoiceStatus>("status", fact.status);
    to.money("total", fact.total.as_ref());
    to.integer("tax_minor", fact.tax_minor);
    to.time("due_at", fact.due_at.as_ref());
    to.object()
}

fn payment(fact: &PaymentFact) -> Json {
    let mut to = Fields::default();
    to.text("account_id", &fact.account_id);
    to.text("payment_id", &fact.payment_id);
    to.text("invoice_id", &fact.invoice_id);
    to.word::<PaymentStatus>("status", fact.status);
    to.money("amount", fact.amount.as_ref());
    to.integer("refunded_minor", fact.refunded_minor);
    to.text("failure_code", &fact.failure_code);
    to.integer("fx_rate_micros", fact.fx_rate_micros);
    to.object()
}

/// A number, or text where readers of JSON would round it.
fn integer(number: i128) -> Json {
    let exact = number.unsigned_abs() <= u128::from(MAX_EXACT);
    i64::try_from(number)
        .ok()
        .filter(|_| exact)
        .map_or_else(|| json!(number.to_string()), |number| json!(number))
}

fn time(at: &Timestamp) -> Json {
    values::rfc3339(at).map_or_else(
        || json!({"seconds": at.seconds, "nanos": at.nanos}),
        |text| json!(text),
    )
}

/// A plain JSON value where that says the kind too.
fn value(value: &Value) -> Json {
    match &value.kind {
        None => Json::Null,
        Some(Kind::Text(text)) => json!(text),
        Some(Kind::Boolean(flag)) => json!(flag),
        Some(Kind::Integer(number)) => json!(number),
        Some(Kind::Number(number)) if number.is_finite() => json!(number),
        Some(Kind::Number(number)) if number.is_nan() => json!({"number": "NaN"}),
        Some(Kind::Number(number)) => {
            json!({"number": if *number > 0.0 { "Infinity" } else { "-Infinity" }})
        },
        Some(Kind::Time(at)) => json!({"time": time(at)}),
    }
}
