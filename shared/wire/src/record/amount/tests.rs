use sextant_domain::money::Currency;
use sextant_domain::mrr::{MetricPolicy, Mrr, Preset};
use sextant_domain::subscription::AccountBilling;
use sextant_domain::time::{DAY_US, Instant, Zone};
use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;

use crate::record::{Door, MAX_MINOR, MAX_RATE_MICROS, check, payment, subscription_version};
use crate::time::timestamp;

const NOW: Instant = Instant(20_000 * DAY_US);

fn money(minor: i64, currency: &str) -> Option<Money> {
    Some(Money {
        minor,
        currency: currency.to_owned(),
    })
}

/// One item that is paid monthly.
fn item(quantity: u64, minor: i64, currency: &str, fx_rate_micros: i64) -> pb::SubscriptionItem {
    pb::SubscriptionItem {
        quantity,
        fx_rate_micros,
        price: Some(pb::Price {
            price_id: "price".into(),
            unit_amount: money(minor, currency),
            interval: pb::BillingInterval::Month.into(),
            ..pb::Price::default()
        }),
        ..pb::SubscriptionItem::default()
    }
}

fn daily(quantity: u64, minor: i64) -> pb::SubscriptionItem {
    let mut item = item(quantity, minor, "USD", 0);
    item.price
        .as_mut()
        .unwrap()
        .set_interval(pb::BillingInterval::Day);
    item
}

fn subscription(
    items: Vec<pb::SubscriptionItem>,
    discounts: Vec<pb::Discount>,
) -> pb::SubscriptionFact {
    pb::SubscriptionFact {
        account_id: "acme".into(),
        subscription_id: "s".into(),
        status: pb::SubscriptionStatus::Active.into(),
        items,
        discounts,
        ..pb::SubscriptionFact::default()
    }
}

fn percent(bps: u32) -> pb::Discount {
    pb::Discount {
        percent_off_bps: bps,
        duration: pb::DiscountDuration::Forever.into(),
        ..pb::Discount::default()
    }
}

fn paid(minor: i64, currency: &str, fx_rate_micros: i64) -> pb::PaymentFact {
    pb::PaymentFact {
        account_id: "acme".into(),
        payment_id: "p".into(),
        status: pb::PaymentStatus::Succeeded.into(),
        amount: money(minor, currency),
        fx_rate_micros,
        ..pb::PaymentFact::default()
    }
}

/// What the door of a tenant in dollars says: the field, the reason and the hint, or nothing.
fn refusal(fact: Fact) -> Option<String> {
    let mut record = pb::Record {
        source: "billing".into(),
        id: "1".into(),
        time: Some(timestamp(NOW)),
        fact: Some(fact),
        ..pb::Record::default()
    };
    let door = Door {
        now: NOW,
        received_at: NOW,
        retention_days: 395,
        base_currency: Currency::USD,
    };
    let problem = check(&mut record, &door).err()?;
    Some(format!(
        "{} {} {}",
        problem.field,
        problem.reason_name(),
        problem.message
    ))
}

#[track_caller]
fn refused(fact: Fact, beginning: &str) {
    let refusal = refusal(fact).unwrap_or_default();
    assert!(refusal.starts_with(beginning), "{refusal:?}");
}

fn mrr(fact: &pb::SubscriptionFact) -> Mrr {
    let version = subscription_version(fact, NOW, NOW, Currency::USD).unwrap();
    let policy = MetricPolicy::preset(Preset::Sextant, Zone::utc());
    let billing = AccountBilling::new([version], &policy).unwrap();
    billing.mrr_at(NOW, NOW)
}

/// Minor units, their currency, the rate in millionths, and dollars.
#[test]
fn payments_and_prices_in_currencies_of_other_decimals_are_worth_the_same() {
    for (minor, currency, micros, cents) in [
        (10_000, "JPY", 6_700, 6_700),
        (10_000, "KWD", 3_250_000, 3_250),
        (10_000, "EUR", 1_087_300, 10_873),
        (10_000, "USD", 0, 10_000),
    ] {
        let paid = paid(minor, currency, micros);
        let payment = payment(&paid, NOW, NOW, Currency::USD).unwrap();
        assert_eq!(payment.net_minor, cents, "{currency}");
        let priced = subscription(vec![item(1, minor, currency, micros)], Vec::new());
        assert_eq!(mrr(&priced), Mrr::from_minor(cents), "{currency}");
    }
}

#[test]
fn what_was_paid_back_is_converted_with_the_payment() {
    let paid = pb::PaymentFact {
        refunded_minor: 4_000,
        ..paid(10_000, "JPY", 6_700)
    };
    let payment = payment(&paid, NOW, NOW, Currency::USD).unwrap();
    assert_eq!(payment.net_minor, 4_020);
}

#[test]
fn a_subscription_of_more_than_anybody_pays_is_refused_by_the_field_that_makes_it_so() {
    let field = "subscription.items[0]";
    let of = |item| Fact::Subscription(subscription(vec![item], Vec::new()));
    let largest = MAX_MINOR;
    for (item, beginning) in [
        (item(1, largest, "USD", 0), ""),
        (item(1, largest / 10, "EUR", 10_000_000), ""),
        (daily(10, largest / 305), ""),
        (
            item(1, largest + 1, "USD", 0),
            ".price.unit_amount.minor AMOUNT_OVERFLOW 100000000000.01 USD is above",
        ),
        (item(2, largest, "USD", 0), ".quantity AMOUNT_OVERFLOW"),
        (item(u64::MAX, 1, "USD", 0), ".quantity AMOUNT_OVERFLOW"),
        (
            item(u64::MAX, largest, "USD", 0),
            ".quantity AMOUNT_OVERFLOW",
        ),
        (daily(10, largest / 304), ".quantity AMOUNT_OVERFLOW"),
        (
            item(1, largest, "EUR", 1_000_001),
            ".quantity AMOUNT_OVERFLOW with its unit amount, interval and rate comes to more than",
        ),
        (item(1, largest, "JPY", 10_001), ".quantity AMOUNT_OVERFLOW"),
        (
            item(1, 1, "EUR", MAX_RATE_MICROS + 1),
            ".fx_rate_micros FIELD_INVALID",
        ),
    ] {
        match beginning {
            "" => assert_eq!(refusal(of(item)), None),
            _ => refused(of(item), &format!("{field}{beginning}")),
        }
    }
}

#[test]
fn items_that_are_too_much_together_are_refused() {
    let items = |count| vec![item(1, MAX_MINOR / 40, "USD", 0); count];
    assert_eq!(
        refusal(Fact::Subscription(subscription(items(40), Vec::new()))),
        None
    );
    refused(
        Fact::Subscription(subscription(items(41), Vec::new())),
        "subscription.items AMOUNT_OVERFLOW come to 10250000000000 minor units of USD",
    );
}

#[test]
fn discounts_that_no_exact_sum_can_hold_are_refused() {
    let of = |count| {
        let discounts = (1..=count).map(percent).collect();
        Fact::Subscription(subscription(
            vec![item(1, 9_999, "EUR", 1_087_301)],
            discounts,
        ))
    };
    assert_eq!(refusal(of(5)), None);
    refused(of(30), "subscription.discounts AMOUNT_OVERFLOW");
}

#[test]
fn payments_of_more_than_anybody_pays_are_refused() {
    assert_eq!(refusal(Fact::Payment(paid(MAX_MINOR, "USD", 0))), None);
    refused(
        Fact::Payment(paid(MAX_MINOR + 1, "USD", 0)),
        "payment.amount.minor AMOUNT_OVERFLOW",
    );
    refused(
        Fact::Payment(paid(MAX_MINOR, "EUR", 1_087_300)),
        "payment.fx_rate_micros AMOUNT_OVERFLOW makes more than",
    );
}

#[test]
fn a_negative_amount_is_told_as_files_have_it() {
    refused(
        Fact::Payment(paid(-1_050, "USD", 0)),
        "payment.amount.minor AMOUNT_NEGATIVE -10.50 USD is negative",
    );
    refused(
        Fact::Payment(paid(-1_050, "JPY", 6_700)),
        "payment.amount.minor AMOUNT_NEGATIVE -1050 JPY is negative",
    );
}

#[test]
fn a_discount_on_one_invoice_is_none_on_recurring_revenue() {
    for ends_at in [None, Some(timestamp(NOW.plus_us(30 * DAY_US)))] {
        let once = pb::Discount {
            duration: pb::DiscountDuration::Once.into(),
            ends_at,
            ..percent(5_000)
        };
        let fact = subscription(vec![item(1, 10_000, "USD", 0)], vec![once]);
        assert_eq!(refusal(Fact::Subscription(fact.clone())), None);
        assert_eq!(mrr(&fact), Mrr::from_minor(10_000));
    }
}

#[test]
fn an_amount_off_is_in_the_currency_of_the_items() {
    let off = |currency| pb::Discount {
        amount_off: money(500, currency),
        percent_off_bps: 0,
        ..percent(0)
    };
    let of = |currency| {
        let items = vec![item(1, 10_000, "EUR", 1_087_300)];
        Fact::Subscription(subscription(items, vec![off("EUR"), off(currency)]))
    };
    assert_eq!(refusal(of("EUR")), None);
    refused(
        of("USD"),
        "subscription.discounts[1].amount_off.currency FIELD_INVALID is USD, but the items are priced in EUR; send what is taken off in EUR",
    );
}
