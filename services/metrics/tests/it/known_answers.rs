//! Published examples, with their figures and sources.

use sextant_proto::common::v1::{Ratio, ReadAt};
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::metrics::v1 as pb;
use sextant_proto::metrics::v1::MovementKind::{Churn, Contraction, Expansion, New, Reactivation};

use crate::billing::{
    account, active, coupon, day, instant, monthly, on, since, with_status, yearly,
};
use crate::world::{World, as_of, at};

/// Ten-thousandths of a minor unit in one dollar.
const DOLLAR: i64 = 1_000_000;

/// Stripe Billing analytics glossary: 100 accounts at 100 a month and 50 at 600 a year make 12 500. (The glossary prints
/// 800/12 for the yearly group where 600/12 is meant; its answer is right.)
#[tokio::test]
async fn stripe_mrr_of_monthly_and_yearly_accounts() {
    let world = World::new();
    let mut facts = Vec::new();
    for number in 0..150 {
        let name = format!("account {number}");
        let item = if number < 100 {
            monthly(1, 10_000)
        } else {
            yearly(1, 60_000)
        };
        facts.push(account(&name, "2027-01-01"));
        facts.push(since("2027-01-01", active(&name, "s", vec![item])));
    }
    let position = world.facts(facts);
    let answer = world
        .start()
        .revenue(pb::GetRevenueRequest {
            at: at(&position),
            ..Default::default()
        })
        .await
        .unwrap();
    let total = answer.total.unwrap();
    assert_eq!(
        (total.mrr_minor, total.mrr_exact, total.paying_accounts),
        (1_250_000, 12_500 * DOLLAR, 150)
    );
    assert_eq!(total.arpa_minor, Some(8_333)); // 12 500 / 150 = 83.33
    assert!(answer.segments.is_empty());
    assert_eq!(
        (answer.currency.as_str(), answer.freshness.unwrap().position),
        ("USD", position)
    );
    let policy = answer.policy.unwrap();
    assert_eq!(
        (policy.name.as_str(), policy.version, policy.hash.len()),
        ("sextant", 1, 16)
    );
}

/// Stripe support article on billing analytics: a yearly price of 1 200 makes 100 a month, and a coupon of 50 percent for
/// ever halves it.
#[tokio::test]
async fn stripe_mrr_of_a_yearly_price_with_a_coupon() {
    let world = World::new();
    let metrics = world.start();
    let subscription = active("a", "s", vec![yearly(1, 120_000)]);
    world.facts(vec![
        account("a", "2027-01-01"),
        since("2027-01-01", subscription.clone()),
    ]);
    let discounts = vec![coupon(50, None)];
    let position = world.facts(vec![since(
        "2027-02-01",
        ingestion::SubscriptionFact {
            discounts,
            ..subscription
        },
    )]);
    for (moment, expected) in [
        ("2026-12-31", 0),
        ("2027-01-15", 10_000),
        ("2027-02-15", 5_000),
    ] {
        let request = pb::GetRevenueRequest {
            at: as_of(moment, &position),
            ..Default::default()
        };
        let total = metrics.revenue(request).await.unwrap().total.unwrap();
        assert_eq!(total.mrr_minor, expected, "{moment}");
        assert_eq!(
            total.arpa_minor,
            (expected > 0).then_some(expected),
            "{moment}"
        );
    }
}

/// ChartMogul help centre, movement examples: gold 50 a month or 500 a year, silver 30 a month, per unit. The published
/// deltas are 166.67, 60, −60, −166.67 and 150; exactly 500/3 is 166.666667 in our unit.
fn chartmogul_life(world: &World) -> String {
    let gold = || ingestion::SubscriptionFact {
        current_period_ends_at: on("2026-12-31"),
        ..active("a", "gold", vec![yearly(4, 50_000)])
    };
    let silver = || active("a", "silver", vec![monthly(2, 3_000)]);
    world.facts(vec![
        account("a", "2026-01-01"),
        since("2026-01-01", gold()),
    ]);
    world.facts(vec![since("2026-02-01", silver())]);
    world.facts(vec![since(
        "2026-03-01",
        with_status(ingestion::SubscriptionStatus::Canceled, silver()),
    )]);
    world.facts(vec![since(
        "2026-04-01",
        ingestion::SubscriptionFact {
            cancel_at: on("2026-12-31"),
            ..gold()
        },
    )]);
    world.facts(vec![since(
        "2027-02-01",
        active("a", "gold again", vec![monthly(3, 5_000)]),
    )])
}

#[tokio::test]
async fn chartmogul_movements_of_one_account() {
    let world = World::new();
    let position = chartmogul_life(&world);
    let metrics = world.start();
    let listed = metrics
        .movements(pb::ListMovementsRequest {
            at: at(&position),
            ..Default::default()
        })
        .await
        .unwrap()
        .movements;
    let told: Vec<_> = listed
        .iter()
        .rev()
        .map(|one| (one.at, one.kind(), one.delta_exact, one.cause.as_str()))
        .collect();
    let expected = [
        (on("2026-01-01"), New, 166_666_667, ""),
        (on("2026-02-01"), Expansion, 60 * DOLLAR, "EXTRA_PRODUCT"),
        (
            on("2026-03-01"),
            Contraction,
            -60 * DOLLAR,
            "CANCEL_VOLUNTARY",
        ),
        (on("2026-12-31"), Churn, -166_666_667, "CANCEL_VOLUNTARY"),
        (on("2027-02-01"), Reactivation, 150 * DOLLAR, ""),
    ];
    assert_eq!(told, expected);
    assert!(
        listed
            .iter()
            .all(|one| one.after_exact - one.before_exact == one.delta_exact)
    );
}

#[tokio::test]
async fn chartmogul_movements_make_waterfalls_that_follow_one_another() {
    let world = World::new();
    let position = chartmogul_life(&world);
    let metrics = world.start();
    let request = pb::GetWaterfallRequest {
        last_month: day("2027-02-01"),
        months: 14,
        at: at(&position),
        segmentation: String::new(),
    };
    let months = metrics.waterfall(request).await.unwrap().months;
    assert_eq!(months.len(), 14);
    assert!(
        months
            .windows(2)
            .all(|pair| pair[0].end_exact == pair[1].start_exact)
    );
    let month = |number: usize| months[number];
    assert_eq!(
        (month(0).start_exact, month(0).new_exact, month(0).end_exact),
        (0, 166_666_667, 166_666_667)
    );
    assert_eq!(
        (month(1).expansion_exact, month(2).contraction_exact),
        (60 * DOLLAR, 60 * DOLLAR)
    );
    assert_eq!(
        (month(11).churn_exact, month(11).end_exact),
        (166_666_667, 0)
    );
    assert_eq!(
        (month(13).reactivation_exact, month(13).end_exact),
        (150 * DOLLAR, 150 * DOLLAR)
    );
}

/// ChartMogul help centre, churn-rate examples, d: accounts of 20, 30 and 50; the last one leaves. Logo churn 33.3 percent,
/// revenue churn 50 percent.
#[tokio::test]
async fn chartmogul_logo_and_revenue_churn_differ() {
    let world = World::new();
    let price = |name, minor| active(name, "s", vec![monthly(1, minor)]);
    let position = world.facts(vec![
        since("2027-01-05", price("A", 2_000)),
        since("2027-01-05", price("B", 3_000)),
        since("2027-01-05", price("C", 5_000)),
        since(
            "2027-02-10",
            with_status(ingestion::SubscriptionStatus::Canceled, price("C", 5_000)),
        ),
    ]);
    let metrics = world.start();
    let request = |first, last| pb::GetChurnRequest {
        first_day: day(first),
        last_day: day(last),
        at: at(&position),
        ..Default::default()
    };
    let february = metrics
        .churn(request("2027-02-01", "2027-02-28"))
        .await
        .unwrap()
        .total
        .unwrap();
    let ratio = |numerator, denominator| {
        Some(Ratio {
            numerator,
            denominator,
        })
    };
    assert_eq!(february.logo_churn, ratio(1, 3));
    assert_eq!(
        february.gross_revenue_churn,
        ratio(50 * DOLLAR, 100 * DOLLAR)
    );
    assert_eq!(february.net_revenue_churn, ratio(50 * DOLLAR, 100 * DOLLAR));
    let before_all = metrics
        .churn(request("2026-12-01", "2026-12-31"))
        .await
        .unwrap()
        .total
        .unwrap();
    assert_eq!(
        (
            before_all.logo_churn,
            before_all.gross_revenue_churn,
            before_all.net_revenue_churn
        ),
        (None, None, None)
    );
}

/// ProfitWell learning pages, comparison with Stripe: Sarah pays 10 on day 15 of each month and cancels on 8 June. She churns
/// on 15 June, although nothing is heard of her after the eighth.
#[tokio::test]
async fn profitwell_cancellation_takes_effect_at_the_end_of_the_paid_period_by_time_alone() {
    let world = World::new();
    world.fix_clock("2026-06-14 23:59");
    let sarah = |ends| ingestion::SubscriptionFact {
        current_period_ends_at: on(ends),
        ..active("sarah", "s", vec![monthly(1, 1_000)])
    };
    let leaving = ingestion::SubscriptionFact {
        canceled_at: on("2026-06-08"),
        cancel_at: on("2026-06-15"),
        ..sarah("2026-06-15")
    };
    let position = world.facts(vec![
        since("2026-04-15", sarah("2026-05-15")),
        since("2026-05-15", sarah("2026-06-15")),
        since("2026-06-08", leaving),
    ]);
    let metrics = world.start();
    let revenue = |position: &str| {
        metrics.revenue(pb::GetRevenueRequest {
            at: at(position),
            ..Default::default()
        })
    };
    let june = |position: &str| {
        metrics.waterfall(pb::GetWaterfallRequest {
            months: 1,
            at: at(position),
            ..Default::default()
        })
    };

    let before = revenue(&position).await.unwrap();
    assert_eq!(before.total.unwrap().mrr_minor, 1_000);
    assert_eq!(before.freshness.unwrap().as_of, on("2026-06-14 23:59"));
    assert_eq!(june(&position).await.unwrap().months[0].churn_exact, 0);

    let position = world.advance("2026-06-15");
    let after = revenue(&position).await.unwrap().total.unwrap();
    assert_eq!(
        (after.mrr_minor, after.paying_accounts, after.arpa_minor),
        (0, 0, None)
    );
    let month = june(&position).await.unwrap().months[0];
    assert_eq!(
        (
            month.month,
            month.start_exact,
            month.churn_exact,
            month.end_exact
        ),
        (day("2026-06-01"), 10 * DOLLAR, 10 * DOLLAR, 0)
    );
    let listed = metrics
        .movements(pb::ListMovementsRequest {
            at: at(&position),
            ..Default::default()
        })
        .await
        .unwrap()
        .movements;
    let told: Vec<_> = listed
        .iter()
        .map(|one| (one.kind(), one.at, one.known_at))
        .collect();
    assert_eq!(
        told,
        [
            (Churn, on("2026-06-15"), on("2026-06-08")),
            (New, on("2026-04-15"), on("2026-04-15"))
        ]
    );
}

#[tokio::test]
async fn a_coupon_ends_by_time_alone_on_the_real_clock() {
    let world = World::new();
    let discounts = vec![coupon(50, Some("2027-06-02"))];
    let position = world.facts(vec![since(
        "2027-05-01",
        ingestion::SubscriptionFact {
            discounts,
            ..active("a", "s", vec![monthly(1, 10_000)])
        },
    )]);
    let metrics = world.start();
    let request = || pb::GetRevenueRequest {
        at: Some(ReadAt {
            at_least_position: position.clone(),
            ..ReadAt::default()
        }),
        ..Default::default()
    };
    assert_eq!(
        metrics
            .revenue(request())
            .await
            .unwrap()
            .total
            .unwrap()
            .mrr_minor,
        5_000
    );
    world.hand.set(instant("2027-06-02"));
    assert_eq!(
        metrics
            .revenue(request())
            .await
            .unwrap()
            .total
            .unwrap()
            .mrr_minor,
        10_000
    );
    let request = pb::GetWaterfallRequest {
        months: 1,
        at: at(&position),
        ..Default::default()
    };
    let june = metrics.waterfall(request).await.unwrap().months[0];
    assert_eq!(
        (june.expansion_exact, june.end_exact),
        (50 * DOLLAR, 100 * DOLLAR)
    );
}
