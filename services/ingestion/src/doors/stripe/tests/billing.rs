//! Subscriptions, invoices and payments.

use serde_json::{Value as Json, json};

use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;

use super::{of_stripe, seconds, taken};

fn usd(minor: i64) -> Option<sextant_proto::common::v1::Money> {
    Some(sextant_proto::common::v1::Money {
        minor,
        currency: "USD".to_owned(),
    })
}

/// A subscription with two items, in the shape of before "basil" or of after it.
pub(super) fn subscription(is_basil: bool) -> Json {
    let (begins, ends) = (1_767_225_600, 1_769_904_000);
    let mut seats = json!({
        "id": "si_1", "object": "subscription_item", "quantity": 12,
        "price": {
            "id": "price_seats", "currency": "usd", "unit_amount": 2_000, "unit_amount_decimal": "2000",
            "product": "prod_team", "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
        }
    });
    let mut calls = json!({
        "id": "si_2", "object": "subscription_item",
        "price": {
            "id": "price_calls", "currency": "usd", "unit_amount": null, "unit_amount_decimal": "0.05",
            "product": "prod_calls", "recurring": {"interval": "month", "interval_count": 1, "usage_type": "metered"}
        }
    });
    let mut subscription = json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active", "start_date": begins,
        "trial_start": null, "trial_end": null, "canceled_at": 1_768_000_000, "cancel_at": ends, "ended_at": null,
        "cancel_at_period_end": true, "collection_method": "charge_automatically", "pause_collection": null,
        "cancellation_details": {"comment": "dear", "feedback": "too_expensive", "reason": "cancellation_requested"},
    });
    if is_basil {
        for item in [&mut seats, &mut calls] {
            item["current_period_start"] = json!(begins);
            item["current_period_end"] = json!(ends);
        }
        subscription["discounts"] = json!(["di_1"]);
    } else {
        subscription["current_period_start"] = json!(begins);
        subscription["current_period_end"] = json!(ends);
        subscription["discount"] = json!({
            "id": "di_1", "object": "discount", "end": null,
            "coupon": {"id": "ten", "duration": "forever", "percent_off": 12.5, "amount_off": null}
        });
    }
    subscription["items"] = json!({"object": "list", "data": [seats, calls]});
    subscription
}

#[test]
fn subscriptions_of_both_shapes_say_the_same_but_for_discounts_by_id() {
    let old = taken("customer.subscription.updated", &subscription(false));
    let new = taken("customer.subscription.updated", &subscription(true));
    let (Some(Fact::Subscription(old_fact)), Some(Fact::Subscription(new_fact))) =
        (&old.fact, &new.fact)
    else {
        panic!("{old:?}");
    };
    assert_eq!((&*old.source, &*old.id), ("stripe", "evt_1"));
    assert_eq!(old.account_key, Some(of_stripe("cus_1")));
    assert_eq!(
        old_fact.discounts,
        [pb::Discount {
            percent_off_bps: 1_250,
            duration: pb::DiscountDuration::Forever.into(),
            ..pb::Discount::default()
        }]
    );
    let without = pb::SubscriptionFact {
        discounts: Vec::new(),
        ..old_fact.clone()
    };
    assert_eq!(&without, new_fact);
    let ends = seconds(1_769_904_000);
    let item = |id: &str, price_id: &str, product: &str, minor, usage: pb::UsageType, quantity| {
        pb::SubscriptionItem {
            item_id: id.to_owned(),
            price: Some(pb::Price {
                price_id: price_id.to_owned(),
                unit_amount: usd(minor),
                interval: pb::BillingInterval::Month.into(),
                interval_count: 1,
                usage_type: usage.into(),
                product_id: product.to_owned(),
                rank: 0,
            }),
            quantity,
            current_period_starts_at: seconds(1_767_225_600),
            current_period_ends_at: ends,
            ..pb::SubscriptionItem::default()
        }
    };
    let expected = pb::SubscriptionFact {
        subscription_id: "sub_1".to_owned(),
        status: pb::SubscriptionStatus::Active.into(),
        started_at: seconds(1_767_225_600),
        current_period_ends_at: ends,
        canceled_at: seconds(1_768_000_000),
        cancel_at: ends,
        cancel_at_period_end: true,
        cancellation: pb::CancellationKind::Voluntary.into(),
        cancellation_reason: "cancellation_requested".to_owned(),
        cancellation_feedback: "too_expensive".to_owned(),
        cancellation_comment: "dear".to_owned(),
        collection_method: pb::CollectionMethod::ChargeAutomatically.into(),
        items: vec![
            item(
                "si_1",
                "price_seats",
                "prod_team",
                2_000,
                pb::UsageType::Licensed,
                12,
            ),
            item(
                "si_2",
                "price_calls",
                "prod_calls",
                0,
                pb::UsageType::Metered,
                0,
            ),
        ],
        ..pb::SubscriptionFact::default()
    };
    assert_eq!(new_fact, &expected);
}

fn subscription_of(change: impl FnOnce(&mut Json)) -> pb::SubscriptionFact {
    let mut object = subscription(true);
    change(&mut object);
    match taken("customer.subscription.updated", &object).fact {
        Some(Fact::Subscription(fact)) => fact,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_subscription_whose_collection_is_paused_is_paused() {
    let paused = subscription_of(|object| {
        object["pause_collection"] = json!({"behavior": "void", "resumes_at": 1_770_000_000});
    });
    assert_eq!(paused.status(), pb::SubscriptionStatus::Paused);
    assert_eq!(paused.resumes_at, seconds(1_770_000_000));
}

#[test]
fn who_does_not_pay_leaves_involuntarily() {
    let ended = subscription_of(|object| {
        object["status"] = json!("canceled");
        object["cancellation_details"]["reason"] = json!("payment_failed");
    });
    assert_eq!(ended.cancellation(), pb::CancellationKind::Involuntary);
}

#[test]
fn prices_of_parts_of_a_cent_and_of_packages_come_to_what_is_paid() {
    let item = |change: &dyn Fn(&mut Json)| {
        let fact = subscription_of(|object| change(&mut object["items"]["data"][0]));
        let item = fact.items.into_iter().next().unwrap();
        (
            item.price.unwrap().unit_amount.unwrap().minor,
            item.quantity,
        )
    };
    let parts = item(&|item| {
        item["price"]["unit_amount"] = Json::Null;
        item["price"]["unit_amount_decimal"] = json!("0.125");
        item["quantity"] = json!(1_000);
    });
    assert_eq!(parts, (125, 1), "1,000 times an eighth of a cent");
    let rounded = item(&|item| {
        item["price"]["unit_amount"] = Json::Null;
        item["price"]["unit_amount_decimal"] = json!("0.5");
        item["quantity"] = json!(3);
    });
    assert_eq!(rounded, (2, 1), "one cent and a half");
    let packages = |round: &str| {
        item(&|item| {
            item["price"]["transform_quantity"] = json!({"divide_by": 5, "round": round});
        })
    };
    assert_eq!(packages("up"), (2_000, 3), "12 seats in packages of 5");
    assert_eq!(packages("down"), (2_000, 2));
}

#[test]
fn plans_of_old_versions_are_prices() {
    let fact = subscription_of(|object| {
        let item = &mut object["items"]["data"][0];
        item.as_object_mut().unwrap().shift_remove("price");
        item["plan"] = json!({
            "id": "gold", "amount": 9_900, "currency": "usd", "interval": "year", "interval_count": 2,
            "usage_type": "licensed", "product": {"id": "prod_gold", "object": "product"}
        });
    });
    let price = fact.items[0].price.clone().unwrap();
    assert_eq!(
        (price.price_id.as_str(), price.product_id.as_str()),
        ("gold", "prod_gold")
    );
    assert_eq!(price.unit_amount, usd(9_900));
    assert_eq!(
        (price.interval(), price.interval_count),
        (pb::BillingInterval::Year, 2)
    );
}

/// An invoice in the shape of before "basil" or of after it.
pub(super) fn invoice(is_basil: bool) -> Json {
    let mut line = json!({"id": "il_1", "amount": 24_000, "period": {"start": 1_767_225_600, "end": 1_769_904_000}});
    let mut invoice = json!({
        "id": "in_1", "object": "invoice", "customer": "cus_1", "status": "paid", "currency": "usd", "number": "A-1",
        "billing_reason": "subscription_cycle", "created": 1_767_225_600, "due_date": null, "attempt_count": 2,
        "next_payment_attempt": null, "collection_method": "send_invoice", "subtotal": 24_000, "total": 28_560,
        "amount_due": 28_560, "amount_paid": 28_560, "amount_remaining": 0, "period_start": 1_764_547_200,
        "period_end": 1_767_225_600,
        "status_transitions": {
            "finalized_at": 1_767_229_200, "paid_at": 1_767_229_300, "voided_at": null, "marked_uncollectible_at": null
        },
    });
    if is_basil {
        line["pricing"] =
            json!({"price_details": {"price": "price_seats", "product": "prod_team"}});
        line["parent"] = json!({"subscription_item_details": {"proration": true}});
        invoice["parent"] = json!({
            "type": "subscription_details", "subscription_details": {"subscription": "sub_1"}, "quote_details": null
        });
        invoice["total_taxes"] = json!([{"amount": 4_000}, {"amount": 560}]);
    } else {
        line["price"] = json!({"id": "price_seats", "object": "price"});
        line["proration"] = json!(true);
        invoice["subscription"] = json!("sub_1");
        invoice["quote"] = Json::Null;
        invoice["tax"] = json!(4_560);
    }
    invoice["lines"] = json!({"object": "list", "data": [line]});
    invoice
}

#[test]
fn invoices_of_both_shapes_say_the_same() {
    let old = taken("invoice.paid", &invoice(false));
    let new = taken("invoice.paid", &invoice(true));
    assert_eq!(old, new);
    let expected = pb::InvoiceFact {
        invoice_id: "in_1".to_owned(),
        subscription_id: "sub_1".to_owned(),
        status: pb::InvoiceStatus::Paid.into(),
        total: usd(28_560),
        tax_minor: 4_560,
        number: "A-1".to_owned(),
        billing_reason: "subscription_cycle".to_owned(),
        subtotal_minor: 24_000,
        due_minor: 28_560,
        paid_minor: 28_560,
        created_at: seconds(1_767_225_600),
        period_starts_at: seconds(1_764_547_200),
        period_ends_at: seconds(1_767_225_600),
        finalized_at: seconds(1_767_229_200),
        paid_at: seconds(1_767_229_300),
        attempt_count: 2,
        collection_method: pb::CollectionMethod::SendInvoice.into(),
        lines: vec![pb::InvoiceLine {
            price_id: "price_seats".to_owned(),
            amount_minor: 24_000,
            proration: true,
            period_starts_at: seconds(1_767_225_600),
            period_ends_at: seconds(1_769_904_000),
        }],
        ..pb::InvoiceFact::default()
    };
    assert_eq!(new.fact, Some(Fact::Invoice(expected)));
}

#[test]
fn an_invoice_that_gives_more_than_it_takes_asks_for_nothing() {
    let mut object = invoice(true);
    for name in ["total", "subtotal", "amount_due"] {
        object[name] = json!(-5_000);
    }
    object["total_taxes"] = json!([{"amount": -800}]);
    object["lines"]["data"][0]["amount"] = json!(-5_000);
    match taken("invoice.finalized", &object).fact {
        Some(Fact::Invoice(fact)) => {
            assert_eq!((fact.total, fact.tax_minor), (usd(0), 0));
            assert_eq!(fact.lines[0].amount_minor, -5_000);
        },
        other => panic!("{other:?}"),
    }
}

pub(super) fn charge() -> Json {
    json!({
        "id": "ch_1", "object": "charge", "customer": "cus_1", "payment_intent": "pi_1", "invoice": "in_1", "amount": 28_560,
        "amount_refunded": 0, "currency": "usd", "status": "succeeded", "captured": true, "disputed": false,
        "failure_code": null, "outcome": {"reason": null, "type": "authorized"},
        "payment_method_details": {"type": "card", "card": {"exp_month": 8, "exp_year": 2029}}
    })
}

#[test]
fn a_charge_and_its_intent_are_one_payment_in_all_its_states() {
    use pb::PaymentStatus as Status;
    let intent = |status: &str| {
        json!({
            "id": "pi_1", "object": "payment_intent", "customer": {"id": "cus_1", "object": "customer"}, "amount": 28_560,
            "amount_received": 28_560, "currency": "usd", "status": status, "payment_method_types": ["card"]
        })
    };
    let changed = |mut object: Json, name: &str, to: Json| {
        object[name] = to;
        object
    };
    let declined = json!({"code": "card_declined", "decline_code": "insufficient_funds"});
    let cases = [
        (charge(), Status::Succeeded, 0),
        (
            changed(charge(), "amount_refunded", json!(560)),
            Status::Refunded,
            560,
        ),
        (
            changed(charge(), "disputed", json!(true)),
            Status::Disputed,
            0,
        ),
        (
            changed(charge(), "captured", json!(false)),
            Status::Processing,
            0,
        ),
        (
            changed(charge(), "status", json!("pending")),
            Status::Processing,
            0,
        ),
        (
            changed(charge(), "status", json!("failed")),
            Status::Failed,
            0,
        ),
        (intent("succeeded"), Status::Succeeded, 0),
        (intent("processing"), Status::Processing, 0),
        (intent("requires_capture"), Status::Processing, 0),
        (intent("requires_action"), Status::RequiresAction, 0),
        (intent("requires_payment_method"), Status::RequiresAction, 0),
        (
            changed(
                intent("requires_payment_method"),
                "last_payment_error",
                declined,
            ),
            Status::Failed,
            0,
        ),
        (intent("canceled"), Status::Failed, 0),
    ];
    for (object, status, refunded) in cases {
        let record = taken("some.type", &object);
        assert_eq!(record.account_key, Some(of_stripe("cus_1")));
        let Some(Fact::Payment(fact)) = record.fact else {
            panic!("{object}");
        };
        assert_eq!(fact.payment_id, "pi_1");
        assert_eq!(fact.amount, usd(28_560));
        assert_eq!(fact.method_type, "card");
        assert_eq!(
            (fact.status(), fact.refunded_minor),
            (status, refunded),
            "{object}"
        );
    }
}

#[test]
fn why_a_payment_failed_is_kept() {
    let mut object = charge();
    object["status"] = json!("failed");
    object["failure_code"] = json!("card_declined");
    object["outcome"] = json!({"reason": "insufficient_funds", "type": "issuer_declined"});
    let Some(Fact::Payment(fact)) = taken("charge.failed", &object).fact else {
        panic!("{object}");
    };
    assert_eq!(
        (fact.failure_code.as_str(), fact.decline_code.as_str()),
        ("card_declined", "insufficient_funds")
    );
    assert_eq!((fact.card_expiry_month, fact.card_expiry_year), (8, 2029));
}

#[test]
fn prices_of_more_than_all_money_are_none() {
    use crate::doors::stripe::billing::of_decimal;
    assert_eq!(of_decimal("0.000000000001", 1_000_000_000_000), Some(1));
    for text in [
        "",
        ".",
        "x",
        "1.0000000000000",
        &"9".repeat(39),
        "170141183460469231731687303715884105727",
    ] {
        assert_eq!(of_decimal(text, u64::MAX), None, "{text}");
    }
}

#[test]
fn of_what_was_authorised_only_what_was_captured_came() {
    use pb::PaymentStatus as Status;
    let paid = |captured: bool, amount_captured: i64, amount_refunded: i64| {
        let mut object = charge();
        object["captured"] = json!(captured);
        object["amount_captured"] = json!(amount_captured);
        object["amount_refunded"] = json!(amount_refunded);
        match taken("charge.updated", &object).fact {
            Some(Fact::Payment(fact)) => (
                fact.status(),
                fact.amount.unwrap().minor,
                fact.refunded_minor,
            ),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(paid(true, 28_560, 0), (Status::Succeeded, 28_560, 0));
    assert_eq!(paid(true, 18_560, 0), (Status::Succeeded, 18_560, 0));
    // The rest was released.
    assert_eq!(paid(true, 18_560, 10_000), (Status::Succeeded, 18_560, 0));
    assert_eq!(paid(true, 18_560, 10_560), (Status::Refunded, 18_560, 560));
    assert_eq!(paid(false, 0, 0), (Status::Processing, 28_560, 0));
    assert_eq!(paid(false, 0, 28_560), (Status::Failed, 28_560, 0));
}
