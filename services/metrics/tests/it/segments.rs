//! Breakdowns by segment.

use sextant_proto::common::v1::Ratio;
use sextant_proto::ingestion::v1::SubscriptionStatus::Canceled;
use sextant_proto::metrics::v1 as pb;

use crate::billing::{account, active, day, monthly, on, since, with_status};
use crate::world::{Metrics, World, as_of, position};

const DOLLAR: i64 = 1_000_000;

fn price(name: &str, minor: i64) -> sextant_proto::ingestion::v1::SubscriptionFact {
    active(name, "s", vec![monthly(1, minor)])
}

/// Three accounts: "big" leaves gold for iron on 10 March and cancels on 20 March; "mid" stays gold; "low" is in none.
fn told(world: &World) -> String {
    world.facts(vec![
        account("idle", "2027-01-01"),
        since("2027-01-05", price("big", 5_000)),
        since("2027-01-05", price("mid", 3_000)),
        since("2027-01-05", price("low", 2_000)),
    ]);
    world.moves(
        1,
        "2027-01-06",
        &[
            ("big", "gold"),
            ("mid", "gold"),
            ("idle", "free"),
            ("low", ""),
        ],
    );
    world.moves(1, "2027-03-10", &[("big", "iron")]);
    world.facts(vec![since(
        "2027-03-20",
        with_status(Canceled, price("big", 5_000)),
    )]);
    world.moves(2, "2027-03-20", &[]);
    position(2)
}

async fn segments(
    metrics: &Metrics,
    at: &str,
    position: &str,
) -> Vec<(String, i64, u64, Option<i64>)> {
    let request = pb::GetRevenueRequest {
        at: as_of(at, position),
        segmentation: "tier".to_owned(),
    };
    let answer = metrics.revenue(request).await.unwrap();
    let total = answer.total.unwrap();
    assert_eq!(
        answer.segments.iter().map(|one| one.mrr_exact).sum::<i64>(),
        total.mrr_exact
    );
    answer
        .segments
        .into_iter()
        .map(|one| {
            (
                one.segment,
                one.mrr_minor,
                one.paying_accounts,
                one.arpa_minor,
            )
        })
        .collect()
}

fn row(
    segment: &str,
    mrr_minor: i64,
    n_paying: u64,
    arpa_minor: Option<i64>,
) -> (String, i64, u64, Option<i64>) {
    (segment.to_owned(), mrr_minor, n_paying, arpa_minor)
}

#[tokio::test]
async fn revenue_belongs_to_the_segment_of_the_moment() {
    let world = World::new();
    let position = told(&world);
    let metrics = world.start();
    let gold = row("gold", 8_000, 2, Some(4_000));
    let (none, free) = (row("", 2_000, 1, Some(2_000)), row("free", 0, 0, None));
    assert_eq!(
        segments(&metrics, "2027-03-09", &position).await,
        [gold, none.clone(), free.clone()]
    );
    let (iron, gold) = (
        row("iron", 5_000, 1, Some(5_000)),
        row("gold", 3_000, 1, Some(3_000)),
    );
    assert_eq!(
        segments(&metrics, "2027-03-10", &position).await,
        [iron, gold.clone(), none.clone(), free.clone()]
    );
    assert_eq!(
        segments(&metrics, "2027-03-20", &position).await,
        [gold, none, free, row("iron", 0, 0, None)]
    );
}

#[tokio::test]
async fn churn_belongs_to_the_segment_at_the_start_of_the_period() {
    let world = World::new();
    let position = told(&world);
    let metrics = world.start();
    let request = pb::GetChurnRequest {
        first_day: day("2027-03-01"),
        last_day: day("2027-03-31"),
        segmentation: "tier".to_owned(),
        at: as_of("2027-04-15", &position),
    };
    let answer = metrics.churn(request).await.unwrap();
    let ratio = |numerator, denominator| {
        Some(Ratio {
            numerator,
            denominator,
        })
    };
    let told: Vec<_> = answer
        .segments
        .iter()
        .map(|one| {
            (
                one.segment.as_str(),
                one.logo_churn,
                one.gross_revenue_churn,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("gold", ratio(1, 2), ratio(50 * DOLLAR, 80 * DOLLAR)),
            ("", ratio(0, 1), ratio(0, 20 * DOLLAR))
        ]
    );
    assert_eq!(answer.total.unwrap().logo_churn, ratio(1, 3));
}

#[tokio::test]
async fn a_move_that_became_known_later_does_not_change_what_was_known() {
    let world = World::new();
    world.facts(vec![since("2027-01-05", price("big", 5_000))]);
    world.moves(1, "2027-01-06", &[("big", "gold")]);
    // Told on 1 February about 20 January.
    let entry = sextant_proto::segmentation::v1::MoveEntry {
        facts_sequence: 2,
        known_at: on("2027-02-01"),
        ..Default::default()
    };
    world.facts(Vec::new());
    world.move_entry("2027-01-20", &[("big", "iron")], entry);
    let metrics = world.start();
    let read = |known_at| {
        let at = sextant_proto::common::v1::ReadAt {
            known_at: on(known_at),
            ..as_of("2027-01-25", &position(2)).unwrap()
        };
        metrics.revenue(pb::GetRevenueRequest {
            at: Some(at),
            segmentation: "tier".to_owned(),
        })
    };
    assert_eq!(
        read("2027-01-31").await.unwrap().segments[0].segment,
        "gold"
    );
    assert_eq!(
        read("2027-02-01").await.unwrap().segments[0].segment,
        "iron"
    );
}
