use crate::exact::{Exact, divide_half_even};
use crate::mrr::{MetricPolicy, Mrr, Preset};
use crate::subscription::fixture::{
    active, id, in_euro, micros, ours, percent, plan, times, yearly,
};
use crate::subscription::{
    AccountBilling, Discount, DiscountDuration, DiscountOff, Interval, Item, Subscription,
    UsageType,
};
use crate::time::{Instant, Zone};

mod books;
mod edge_cases;
mod properties;
mod vectors;

fn mrr_of(subscription: Subscription) -> Mrr {
    let version = crate::subscription::SubscriptionVersion {
        valid_from: Instant(0),
        known_from: Instant(0),
        subscription,
    };
    AccountBilling::new([version], &ours())
        .unwrap()
        .mrr_at(Instant(0), Instant(0))
}

#[test]
fn every_interval_is_normalised_exactly_and_rounded_once() {
    let cases = [
        (Interval::Day, 1, 100, 30_416_667), // 100 × 365/12 = 3041.666…
        (Interval::Week, 1, 100, 4_333_333), // 100 × 52/12 = 433.333…
        (Interval::Week, 2, 100, 2_166_667), // 216.666…
        (Interval::Month, 1, 100, 1_000_000),
        (Interval::Month, 3, 100, 333_333), // a quarter
        (Interval::Month, 6, 100, 166_667), // half a year
        (Interval::Year, 1, 200_000, 166_666_667),
        (Interval::Year, 2, 240_000, 100_000_000),
    ];
    for (interval, count, unit_amount_minor, expected) in cases {
        let item = Item {
            interval,
            interval_count: times(count),
            ..plan(1, unit_amount_minor)
        };
        assert_eq!(
            mrr_of(active("s", vec![item])),
            Mrr(expected),
            "{count} {interval:?}"
        );
    }
}

#[test]
fn rounding_goes_to_the_even_neighbour() {
    let cases = [
        (5, 2, 2),
        (7, 2, 4),
        (-5, 2, -2),
        (-7, 2, -4),
        (7, 3, 2),
        (8, 3, 3),
        (-8, 3, -3),
        (0, 5, 0),
    ];
    for (numerator, denominator, expected) in cases {
        assert_eq!(
            divide_half_even(numerator, denominator),
            expected,
            "{numerator}/{denominator}"
        );
    }
    assert_eq!(Mrr(25_000).to_minor(), 2);
    assert_eq!(Mrr(35_000).to_minor(), 4);
}

#[test]
fn a_product_that_fits_only_in_lowest_terms_is_found() {
    let large = Exact::whole(i128::MAX / 2);
    let third = Exact::ratio(1, times(3_000_000_000));
    let back = large.times(Exact::whole(3_000_000_000)).is_none();
    assert!(back, "the product itself does not fit");
    let product = large
        .times(third)
        .and_then(|small| small.times(Exact::whole(3_000_000_000)));
    assert!(
        product
            .and_then(|product| product.times(Exact::ratio(1, times(1))))
            .is_some()
    );
}

/// Name, discounts on the item, discounts on the subscription, expected revenue in minor units.
type DiscountCase = (&'static str, Vec<Discount>, Vec<Discount>, i64);

#[test]
fn discounts_apply_in_order_items_first() {
    let off = |minor| Discount {
        off: DiscountOff::Amount { minor },
        duration: DiscountDuration::Forever,
    };
    let second = || Item {
        id: id("si_z"),
        ..plan(1, 1000)
    };
    let cases: [DiscountCase; 6] = [
        ("none", vec![], vec![], 2000),
        ("half of one item", vec![percent(50, None)], vec![], 1500),
        ("half of everything", vec![], vec![percent(50, None)], 1000),
        (
            "amount, then half",
            vec![off(200)],
            vec![percent(50, None)],
            900,
        ),
        (
            "half, then an amount that reaches the second item",
            vec![],
            vec![percent(50, None), off(700)],
            300,
        ),
        ("more than there is", vec![], vec![off(5000)], 0),
    ];
    for (name, on_item, on_subscription, expected_minor) in cases {
        let items = vec![
            Item {
                discounts: on_item,
                ..plan(1, 1000)
            },
            second(),
        ];
        let subscription = Subscription {
            discounts: on_subscription,
            ..active("s", items)
        };
        assert_eq!(
            mrr_of(subscription),
            Mrr::from_minor(expected_minor),
            "{name}"
        );
    }
}

#[test]
fn metered_items_are_no_recurring_revenue() {
    let metered = Item {
        id: id("si_m"),
        usage_type: UsageType::Metered,
        ..plan(1, 9900)
    };
    assert_eq!(
        mrr_of(active("s", vec![plan(1, 1000), metered])).to_minor(),
        1000
    );
}

#[test]
fn foreign_prices_enter_at_their_locked_rate() {
    assert_eq!(
        mrr_of(active("s", vec![in_euro(plan(1, 1000), 109)])).to_minor(),
        1090
    );
    let yen = crate::money::Currency::parse("JPY").unwrap();
    let rate = micros(6_500);
    let item = Item {
        currency: yen,
        rate: Some(rate),
        ..plan(1, 10_000)
    };
    // 10 000 yen × 0.0065 = 65 dollars: the yen has no minor unit, the dollar has two.
    assert_eq!(mrr_of(active("s", vec![item])).to_minor(), 6500);
}

#[test]
fn no_number_of_subscriptions_is_too_much_for_one_account() {
    let largest = i64::MAX / 10_000;
    let versions = (0..1_000).map(|number| crate::subscription::SubscriptionVersion {
        valid_from: Instant(0),
        known_from: Instant(0),
        subscription: active(&format!("s{number}"), vec![plan(1, largest)]),
    });
    let account = AccountBilling::new(versions, &ours()).unwrap();
    let all = Mrr(Mrr::from_minor(largest).0 * 1_000);
    assert_eq!(account.mrr_at(Instant(0), Instant(0)), all);
    assert_eq!(account.books().movements[0].after, all);
}

#[test]
fn impossible_amounts_are_refused_with_the_field() {
    let refuse = |subscription: Subscription| {
        let version = crate::subscription::SubscriptionVersion {
            valid_from: Instant(0),
            known_from: Instant(0),
            subscription,
        };
        AccountBilling::new([version], &ours())
            .unwrap_err()
            .to_string()
    };
    let negative = refuse(active("s", vec![plan(1, -1)]));
    assert!(
        negative.starts_with("unit_amount_minor of item \"si_plan\" of subscription \"s\" is -1"),
        "{negative}"
    );
    let discounts = vec![percent(101, None)];
    let large = refuse(Subscription {
        discounts,
        ..active("s", vec![plan(1, 1)])
    });
    assert!(large.contains("takes 1010000 millionths"), "{large}");
    let overflow = refuse(active("s", vec![plan(u64::MAX, i64::MAX)]));
    assert!(
        overflow.contains("cannot be computed exactly"),
        "{overflow}"
    );
    let euro = Item {
        currency: crate::money::Currency::EUR,
        ..yearly(1, 1)
    };
    let mixed = refuse(active("s", vec![plan(1, 1), euro]));
    assert!(mixed.contains("EUR") && mixed.contains("USD"), "{mixed}");
}

#[test]
fn presets_differ_in_their_hash_unless_they_define_the_same() {
    let hash = |preset| MetricPolicy::preset(preset, Zone::utc()).hash();
    for preset in Preset::ALL {
        assert_eq!(Preset::parse(preset.as_str()), Some(preset));
        assert_eq!(
            hash(preset) == hash(Preset::Sextant),
            preset == Preset::Sextant,
            "{preset:?}"
        );
    }
    let warsaw = MetricPolicy::preset(Preset::Sextant, Zone::parse("Europe/Warsaw").unwrap());
    assert_ne!(warsaw.hash(), hash(Preset::Sextant));
    assert_eq!(
        MetricPolicy {
            version: 2,
            ..ours()
        }
        .hash(),
        ours().hash()
    );
}

#[test]
fn a_preset_says_where_it_takes_our_default() {
    let unpublished = |preset: Preset| {
        preset
            .unpublished()
            .iter()
            .map(|point| point.as_str())
            .collect::<Vec<_>>()
    };
    assert!(unpublished(Preset::Sextant).is_empty());
    assert_eq!(
        unpublished(Preset::Stripe),
        [
            "pause",
            "to_free",
            "reactivation_window_d",
            "nrr_reactivation"
        ]
    );
    let baremetrics = MetricPolicy::preset(Preset::Baremetrics, Zone::utc());
    assert_eq!(baremetrics.churn_date, ours().churn_date);
}
