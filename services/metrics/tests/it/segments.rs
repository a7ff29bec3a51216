//! Breakdowns by segment.

use sextant_proto::common::v1::Ratio;
use sextant_proto::ingestion::v1::SubscriptionStatus::Canceled;
use sextant_proto::metrics::v1 as pb;

use crate::billing::{account, active, day, monthly, on, since, with_status};
use crate::world::{Metrics, World, as_of, position, reason};

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

/// "segment month: start, flows by name, end" in dollars, of the months that are not empty.
fn lines(answer: &pb::GetWaterfallResponse) -> Vec<String> {
    let dollars = |exact: i64| exact / DOLLAR;
    let mut lines = Vec::new();
    for one in &answer.segments {
        for month in &one.months {
            let flows = [
                ("new", month.new_exact),
                ("expansion", month.expansion_exact),
                ("churn", -month.churn_exact),
                ("transfer", month.transfer_exact),
            ];
            let flows: Vec<String> = flows
                .into_iter()
                .filter(|(_, exact)| *exact != 0)
                .map(|(name, exact)| format!("{name} {}", dollars(exact)))
                .collect();
            let calendar = month.month.unwrap();
            lines.push(format!(
                "{} {:02}: {} {} {}",
                one.segment,
                calendar.month,
                dollars(month.start_exact),
                flows.join(" "),
                dollars(month.end_exact)
            ));
        }
    }
    lines
}

#[tokio::test]
async fn waterfalls_of_segments_carry_accounts_that_move_between_them_and_sum_to_the_total() {
    let world = World::new();
    told(&world);
    world.facts(vec![since("2027-03-25", price("mid", 4_500))]);
    world.moves(3, "2027-03-26", &[("mid", "iron")]);
    let position = position(3);
    let metrics = world.start();
    let request = pb::GetWaterfallRequest {
        last_month: day("2027-03-01"),
        months: 3,
        at: as_of("2027-04-15", &position),
        segmentation: "tier".to_owned(),
    };
    let answer = metrics.waterfall(request).await.unwrap();
    assert_eq!(
        lines(&answer),
        [
            "iron 01: 0  0",
            "iron 02: 0  0",
            "iron 03: 0 transfer 45 45",
            " 01: 0 new 20 20",
            " 02: 20  20",
            " 03: 20  20",
            // big leaves for good out of gold, where it was when the month began; mid grows there and takes it along.
            "gold 01: 0 new 80 80",
            "gold 02: 80  80",
            "gold 03: 80 expansion 15 churn -50 transfer -45 0",
        ]
    );
    for one in &answer.segments {
        assert!(
            one.months
                .windows(2)
                .all(|pair| pair[0].end_exact == pair[1].start_exact),
            "{} begins where it ended",
            one.segment
        );
    }
    for (index, total) in answer.months.iter().enumerate() {
        let sum = |of: fn(&pb::WaterfallMonth) -> i64| -> i64 {
            answer
                .segments
                .iter()
                .map(|one| of(&one.months[index]))
                .sum()
        };
        assert_eq!(sum(|month| month.start_exact), total.start_exact);
        assert_eq!(sum(|month| month.new_exact), total.new_exact);
        assert_eq!(sum(|month| month.expansion_exact), total.expansion_exact);
        assert_eq!(sum(|month| month.churn_exact), total.churn_exact);
        assert_eq!(sum(|month| month.end_exact), total.end_exact);
        assert_eq!(
            (sum(|month| month.transfer_exact), total.transfer_exact),
            (0, 0)
        );
    }
}

#[tokio::test]
async fn movements_tell_the_segment_before_them_and_can_be_asked_for_by_it() {
    let world = World::new();
    let position = told(&world);
    let metrics = world.start();
    let request = |segments: &[&str]| pb::ListMovementsRequest {
        at: as_of("2027-04-15", &position),
        segmentation: "tier".to_owned(),
        segments: segments.iter().map(|&segment| segment.to_owned()).collect(),
        ..pb::ListMovementsRequest::default()
    };
    let told = |answer: pb::ListMovementsResponse| -> Vec<(String, String)> {
        answer
            .movements
            .into_iter()
            .map(|one| (one.account.unwrap().id, one.segment))
            .collect()
    };
    let row = |account: &str, segment: &str| (account.to_owned(), segment.to_owned());
    let all = told(metrics.movements(request(&[])).await.unwrap());
    assert_eq!(
        all,
        [
            row("big", "iron"),
            row("big", ""),
            row("low", ""),
            row("mid", "")
        ]
    );
    let iron = told(metrics.movements(request(&["iron"])).await.unwrap());
    assert_eq!(iron, [row("big", "iron")]);
    let nowhere = pb::ListMovementsRequest {
        segmentation: String::new(),
        ..request(&["iron"])
    };
    assert_eq!(reason(metrics.movements(nowhere).await), "FIELD_MISSING");
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
