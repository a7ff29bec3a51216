//! A pause ends an account's revenue at once, and counts as churn only when it is long; resuming brings the account back.

use prost_types::Timestamp;

use sextant::client::Client;
use sextant_proto::common::v1::{Date, ReadAt};
use sextant_proto::ingestion::v1::{Record, SubscriptionStatus};
use sextant_proto::metrics::v1::{
    Churn, GetChurnRequest, GetWaterfallRequest, ListMovementsRequest, MovementKind,
};
use sextant_proto::segmentation::v1::ListTransitionsRequest;

use crate::worlds::compared::members;
use crate::worlds::records::{
    accept, account, advance, amended, ask, at, last_instant_of, now, revenue, subscription_since,
};
use crate::worlds::world::{Shape, World, segmentation, tenant};

/// Accounts with their seats at ten dollars a month, since the first day.
const ACCOUNTS: [(&str, u64); 3] = [("long", 3), ("short", 1), ("steady", 2)];
const FIRST_DAY: &str = "2026-01-01";

/// A feature and its value.
type Why = (&'static str, &'static str);

/// What is told at midnight, and asked at noon.
struct Day {
    date: &'static str,
    told: Vec<Record>,
    mrr_minor: i64,
    /// Accounts, and revenue in cents, that were lost since the first of March, when three accounts paid 60 dollars.
    lost: [i64; 2],
    /// Stages of the two accounts that pause, and what is among the reasons.
    stages: [(&'static str, [Why; 2]); 2],
}

fn midnight(date: &str) -> Timestamp {
    at(&format!("{date}T00:00"))
}

fn noon(date: &str) -> Timestamp {
    at(&format!("{date}T12:00"))
}

/// The subscription of an account as it stands from a day on.
fn stands(status: SubscriptionStatus, number: usize, date: &str) -> Record {
    let (name, seats) = ACCOUNTS[number];
    let time = midnight(date);
    let record = subscription_since(midnight(FIRST_DAY), name, time, seats, 1_000);
    amended(record, |fact| fact.set_status(status))
}

fn paused_for(days: &'static str) -> (&'static str, [Why; 2]) {
    let days = ("subscription.days_since_churn", days);
    ("paused", [("subscription.status", "paused"), days])
}

/// Where an account stands that pays again.
fn back(stage: &'static str, previous: &'static str) -> (&'static str, [Why; 2]) {
    let previous = ("self.previous_segment", previous);
    (stage, [previous, ("subscription.paying_days", "0")])
}

fn days() -> [Day; 5] {
    let (paused, active) = (SubscriptionStatus::Paused, SubscriptionStatus::Active);
    let paying_for = |days| ("adopting", [("subscription.paying_days", days); 2]);
    let long_ago = ("subscription.days_since_churn", "91");
    let churned = (
        "churned_voluntary",
        [("subscription.churn_kind", "paused"), long_ago],
    );
    [
        Day {
            date: "2026-03-01",
            told: vec![
                stands(paused, 0, "2026-03-01"),
                stands(paused, 1, "2026-03-01"),
            ],
            mrr_minor: 2_000,
            lost: [0, 4_000],
            stages: [paused_for("0"), paused_for("0")],
        },
        Day {
            date: "2026-05-01",
            told: vec![stands(active, 1, "2026-05-01")],
            mrr_minor: 3_000,
            lost: [0, 3_000],
            stages: [paused_for("61"), back("adopting", "paused")],
        },
        Day {
            date: "2026-05-29",
            told: Vec::new(),
            mrr_minor: 3_000,
            lost: [0, 3_000],
            stages: [paused_for("89"), paying_for("28")],
        },
        Day {
            date: "2026-05-31",
            told: Vec::new(),
            mrr_minor: 3_000,
            lost: [1, 3_000],
            stages: [churned, paying_for("30")],
        },
        Day {
            date: "2026-06-10",
            told: vec![stands(active, 0, "2026-06-10")],
            mrr_minor: 6_000,
            lost: [0, 0],
            stages: [back("won_back", "churned_voluntary"), paying_for("40")],
        },
    ]
}

async fn check(client: &Client, day: &Day, at: &ReadAt) {
    let date = day.date;
    let total = revenue(client, at).await.total.unwrap();
    assert_eq!(total.mrr_minor, day.mrr_minor, "{date}");
    let churn = churn_since_march(client, date, at).await;
    let [logos, gross] = [churn.logo_churn, churn.gross_revenue_churn].map(Option::unwrap);
    assert_eq!(
        (logos.numerator, logos.denominator),
        (day.lost[0], 3),
        "{date}"
    );
    let lost = (gross.numerator / 10_000, gross.denominator / 10_000);
    assert_eq!(lost, (day.lost[1], 6_000), "{date}");
    let members = members(client, "lifecycle", at).await;
    for ((name, _), (stage, why)) in ACCOUNTS.iter().zip(day.stages) {
        let found = &members[*name];
        assert_eq!(found.segment, stage, "{name} on {date}");
        for (feature, value) in why {
            let mut reasons = found.current_reasons.iter();
            let is_there = reasons.any(|one| one.feature == feature && one.value == value);
            assert!(
                is_there,
                "{feature} of {name} on {date}: {:?}",
                found.current_reasons
            );
        }
    }
}

async fn churn_since_march(client: &Client, date: &str, at: &ReadAt) -> Churn {
    let parts: Vec<i32> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let [first_day, last_day] = [[3, 1], [parts[1], parts[2]]].map(|[month, day]| {
        Some(Date {
            year: 2026,
            month,
            day,
        })
    });
    let request = GetChurnRequest {
        first_day,
        last_day,
        at: Some(at.clone()),
        ..GetChurnRequest::default()
    };
    ask!(client, metrics.get_churn, request).total.unwrap()
}

/// Who moved when, and who was lost when, as it is told afterwards.
async fn check_moves(client: &Client, at: &ReadAt) {
    // The ninetieth day of the pause is the thirtieth of May.
    for (date, lost) in [("2026-05-29", 0), ("2026-05-30", 1)] {
        let churn = churn_since_march(client, date, at).await;
        assert_eq!(churn.logo_churn.unwrap().numerator, lost, "{date}");
    }
    let request = ListTransitionsRequest {
        segmentation: "lifecycle".to_owned(),
        since: Some(midnight("2026-03-01")),
        at: Some(at.clone()),
        ..ListTransitionsRequest::default()
    };
    let transitions = ask!(client, segmentation.list_transitions, request).transitions;
    let told = transitions.iter().map(|one| {
        let account = one.account.as_ref().unwrap().id.as_str();
        let stages = [one.from_segment.as_str(), one.to_segment.as_str()];
        (one.at.unwrap(), account, stages)
    });
    // A move that time brought about is told where the clock stops, or at the close of a day that it passes over.
    let closed = last_instant_of("2026-05-30");
    let expected = [
        (
            noon("2026-06-10"),
            "long",
            ["churned_voluntary", "won_back"],
        ),
        (closed, "long", ["paused", "churned_voluntary"]),
        (noon("2026-05-01"), "short", ["paused", "adopting"]),
        (noon("2026-05-01"), "steady", ["adopting", "established"]),
        (noon("2026-03-01"), "long", ["adopting", "paused"]),
        (noon("2026-03-01"), "short", ["adopting", "paused"]),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// How the revenue moved, as it is told afterwards.
async fn check_books(client: &Client, at: &ReadAt) {
    let request = ListMovementsRequest {
        at: Some(at.clone()),
        ..ListMovementsRequest::default()
    };
    let movements = ask!(client, metrics.list_movements, request).movements;
    let told = movements.iter().map(|one| {
        let account = one.account.as_ref().unwrap().id.as_str();
        (
            one.at.unwrap(),
            account,
            one.kind(),
            one.cause.as_str(),
            one.delta_exact / 10_000,
        )
    });
    let kind = [
        MovementKind::New,
        MovementKind::Churn,
        MovementKind::Reactivation,
    ];
    let expected = [
        (midnight("2026-06-10"), "long", kind[2], "RESUME", 3_000),
        (midnight("2026-05-01"), "short", kind[2], "RESUME", 1_000),
        (midnight("2026-03-01"), "long", kind[1], "PAUSE", -3_000),
        (midnight("2026-03-01"), "short", kind[1], "PAUSE", -1_000),
        (midnight(FIRST_DAY), "long", kind[0], "", 3_000),
        (midnight(FIRST_DAY), "short", kind[0], "", 1_000),
        (midnight(FIRST_DAY), "steady", kind[0], "", 2_000),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);

    let request = GetWaterfallRequest {
        months: 6,
        at: Some(at.clone()),
        ..GetWaterfallRequest::default()
    };
    let months = ask!(client, metrics.get_waterfall, request).months;
    let flows = months.iter().map(|month| {
        let flows = [
            month.new_exact,
            month.reactivation_exact,
            month.churn_exact,
            month.end_exact,
        ];
        flows.map(|exact| exact / 10_000)
    });
    let expected = [
        [6_000, 0, 0, 6_000],
        [0, 0, 0, 6_000],
        [0, 0, 4_000, 2_000],
        [0, 0, 0, 2_000],
        [0, 1_000, 0, 3_000],
        [0, 3_000, 0, 6_000],
    ];
    assert_eq!(flows.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_paused_account_pays_nothing_counts_as_churned_after_ninety_days_and_comes_back() {
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), "pauses", noon(FIRST_DAY)).await;
    segmentation(&client, "lifecycle").await;
    for (number, (name, _)) in ACCOUNTS.iter().enumerate() {
        let first = account(name, midnight(FIRST_DAY));
        let subscription = stands(SubscriptionStatus::Active, number, FIRST_DAY);
        accept(&client, vec![first, subscription]).await;
    }
    for day in days() {
        let mut position = advance(&client, noon(day.date)).await.unwrap();
        if !day.told.is_empty() {
            position = accept(&client, day.told.clone()).await;
        }
        check(&client, &day, &now(&position)).await;
    }
    let position = advance(&client, noon("2026-06-11")).await.unwrap();
    check_moves(&client, &now(&position)).await;
    check_books(&client, &now(&position)).await;
    world.end().await;
}
