//! What becomes known late changes today's answer, never yesterday's.

use sextant_proto::metrics::v1 as pb;
use sextant_proto::metrics::v1::MovementKind::{New, Restatement};

use crate::billing::{account, active, day, learned, monthly, on, since};
use crate::world::{World, as_of, at, known_at};

const DOLLAR: i64 = 1_000_000;

fn plan(quantity: u64) -> sextant_proto::ingestion::v1::SubscriptionFact {
    active("a", "s", vec![monthly(quantity, 1_000)])
}

/// April's upgrade becomes known on 20 June, after April's books have closed: it enters June.
#[tokio::test]
async fn a_late_subscription_restates_today_and_leaves_what_was_known_alone() {
    let world = World::new();
    let metrics = world.start();
    let early = world.facts(vec![
        account("a", "2027-04-01"),
        since("2027-04-01", plan(1)),
    ]);
    world.hand.set(crate::billing::instant("2027-06-25"));
    let waterfall = |at| {
        metrics.waterfall(pb::GetWaterfallRequest {
            months: 3,
            at,
            ..Default::default()
        })
    };
    let before = waterfall(known_at("2027-06-19", &early))
        .await
        .unwrap()
        .months;

    let late = world.facts(vec![learned("2027-06-20", "2027-04-10", plan(3))]);
    assert_eq!(
        waterfall(known_at("2027-06-19", &late))
            .await
            .unwrap()
            .months,
        before,
        "what was known stays"
    );

    let today = waterfall(at(&late)).await.unwrap().months;
    assert_eq!(today[..2], before[..2], "closed books stay closed");
    assert_eq!(
        (
            today[2].start_exact,
            today[2].restatement_exact,
            today[2].end_exact
        ),
        (10 * DOLLAR, 20 * DOLLAR, 30 * DOLLAR)
    );
    assert_eq!(
        (before[2].restatement_exact, before[2].end_exact),
        (0, 10 * DOLLAR)
    );

    let listed = metrics
        .movements(pb::ListMovementsRequest {
            at: at(&late),
            ..Default::default()
        })
        .await
        .unwrap()
        .movements;
    let told: Vec<_> = listed
        .iter()
        .map(|one| (one.kind(), one.at, one.cause.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Restatement, on("2027-06-01"), "LATE_DATA"),
            (New, on("2027-04-01"), "")
        ]
    );
}

#[tokio::test]
async fn revenue_at_a_past_moment_follows_knowledge_at_once() {
    let world = World::new();
    world.hand.set(crate::billing::instant("2027-06-25"));
    let metrics = world.start();
    let position = world.facts(vec![
        since("2027-04-01", plan(1)),
        learned("2027-06-20", "2027-04-10", plan(3)),
    ]);
    let read = |at| {
        metrics.revenue(pb::GetRevenueRequest {
            at,
            ..Default::default()
        })
    };
    let with_all = read(as_of("2027-04-11", &position)).await.unwrap();
    assert_eq!(with_all.total.unwrap().mrr_minor, 3_000);
    let as_known = sextant_proto::common::v1::ReadAt {
        known_at: on("2027-06-19"),
        ..as_of("2027-04-11", &position).unwrap()
    };
    assert_eq!(
        read(Some(as_known)).await.unwrap().total.unwrap().mrr_minor,
        1_000
    );
}

#[tokio::test]
async fn months_are_those_of_the_tenants_zone() {
    let world = World::new();
    let warsaw = sextant_proto::ingestion::v1::Tenant {
        time_zone: "Europe/Warsaw".to_owned(),
        ..Default::default()
    };
    world.tenant(crate::world::ACME, warsaw);
    // 1 May in Warsaw, 30 April in UTC.
    let position = world.facts(vec![since("2027-04-30 22:30", plan(1))]);
    let request = pb::GetWaterfallRequest {
        last_month: day("2027-05-31"),
        months: 2,
        at: at(&position),
        segmentation: String::new(),
    };
    let months = world.start().waterfall(request).await.unwrap().months;
    assert_eq!((months[0].new_exact, months[1].new_exact), (0, 10 * DOLLAR));
}
