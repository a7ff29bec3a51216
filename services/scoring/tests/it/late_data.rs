//! What was answered stays answered.

use sextant_proto::common::v1::ReadAt;
use sextant_proto::scoring::v1 as pb;
use sextant_wire::time;

use crate::facts::{account, event, instant, known, on, payment, subscription};
use crate::world::{Scoring, World, at, value};

/// Features and scores as of the close of March 9, with the knowledge of then or of now.
async fn yesterday(scoring: &Scoring, known_then: Knowledge) -> (Vec<pb::Feature>, Vec<pb::Score>) {
    let midnight = ReadAt {
        as_of: on("2027-03-10"),
        ..ReadAt::default()
    };
    let close = scoring.features("acme", Some(midnight.clone())).await;
    let close = close.unwrap().freshness.unwrap().as_of;
    let read = ReadAt {
        as_of: close,
        known_at: match known_then {
            Knowledge::OfThen => close,
            Knowledge::OfNow => None,
        },
        ..midnight
    };
    let features = scoring.features("acme", Some(read.clone())).await.unwrap();
    assert_eq!(features.freshness.unwrap().as_of, close);
    let scores = scoring.scores("acme", Some(read)).await.unwrap();
    (features.features, scores.scores)
}

#[derive(Clone, Copy)]
enum Knowledge {
    OfThen,
    OfNow,
}

#[tokio::test]
async fn a_late_event_changes_today_and_what_is_known_now_of_yesterday_but_not_what_was_known_then()
{
    let world = World::new();
    world.facts(vec![
        account("acme", "2027-02-01"),
        subscription("acme", "2027-02-01", 3, 1_000),
    ]);
    let position = world.facts(vec![event("acme", "ann", "2027-03-01 09:00")]);
    let scoring = world.start();
    let active = |features: &[pb::Feature]| value(features, "usage.active_days_28d");
    let today = scoring.features("acme", at(&position)).await.unwrap();
    assert_eq!(active(&today.features), "1");
    let then = yesterday(&scoring, Knowledge::OfThen).await;

    let late = event("acme", "ann", "2027-03-09 17:00");
    let position = world.facts(vec![known("2027-03-10 08:00", late)]);
    let today = scoring.features("acme", at(&position)).await.unwrap();
    assert_eq!(active(&today.features), "2");
    assert_eq!(yesterday(&scoring, Knowledge::OfThen).await, then);
    let now = yesterday(&scoring, Knowledge::OfNow).await;
    assert_eq!((&*active(&then.0), &*active(&now.0)), ("1", "2"));
    assert_ne!(now.1, then.1);
}

#[tokio::test]
async fn a_payment_and_a_subscription_that_come_late_are_not_in_what_was_known_then() {
    let world = World::new();
    let position = world.facts(vec![
        account("acme", "2027-02-01"),
        subscription("acme", "2027-02-01", 3, 1_000),
        payment("acme", "2027-02-01", 3_000),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let then = yesterday(&scoring, Knowledge::OfThen).await;
    let position = world.facts(vec![
        known("2027-03-10 08:00", payment("acme", "2027-03-01", 4_000)),
        known(
            "2027-03-10 08:00",
            subscription("acme", "2027-03-05", 5, 1_000),
        ),
    ]);
    let today = scoring.features("acme", at(&position)).await.unwrap();
    assert_eq!(value(&today.features, "purchase.total_minor"), "7000");
    assert_eq!(value(&today.features, "revenue.mrr_minor"), "5000");
    assert_eq!(yesterday(&scoring, Knowledge::OfThen).await, then);
    let (now, _) = yesterday(&scoring, Knowledge::OfNow).await;
    assert_eq!(value(&now, "revenue.mrr_minor"), "5000");
}

/// Features and scores with the knowledge of an instant.
async fn known_by(
    scoring: &Scoring,
    as_of: Option<prost_types::Timestamp>,
    known_at: prost_types::Timestamp,
) -> (Vec<pb::Feature>, Vec<pb::Score>) {
    let read = ReadAt {
        as_of,
        known_at: Some(known_at),
        ..ReadAt::default()
    };
    let features = scoring.features("acme", Some(read.clone())).await.unwrap();
    let scores = scoring.scores("acme", Some(read)).await.unwrap();
    (features.features, scores.scores)
}

#[tokio::test]
async fn what_was_known_at_an_instant_within_a_day_stays_when_the_day_goes_on() {
    let world = World::new();
    world.facts(vec![
        account("acme", "2027-02-01"),
        subscription("acme", "2027-02-01", 3, 1_000),
    ]);
    let position = world.facts(vec![
        event("acme", "ann", "2027-03-01 09:00"),
        event("acme", "ann", "2027-03-10 10:00"),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    // The moment and the knowledge: late in the morning of the day that is not over, and at its first instant.
    let moments = [
        (on("2027-03-10 11:00"), "2027-03-10 11:00"),
        (on("2027-03-10"), "2027-03-10"),
        (None, "2027-03-10 11:00"),
    ];
    let mut before = Vec::new();
    for (as_of, known_at) in moments {
        before.push(known_by(&scoring, as_of, on(known_at).unwrap()).await);
    }
    let late = ["2027-03-08 08:00", "2027-03-09 17:00"]
        .map(|at| known("2027-03-10 12:00", event("acme", "bob", at)));
    let position = world.facts(late.to_vec());
    let active = |features: &[pb::Feature]| value(features, "usage.active_days_28d");
    let now = scoring.features("acme", at(&position)).await.unwrap();
    assert_eq!(
        active(&now.features),
        "4",
        "the present holds all that came"
    );
    for ((as_of, known_at), before) in moments.into_iter().zip(before) {
        let after = known_by(&scoring, as_of, on(known_at).unwrap()).await;
        assert_eq!(active(&after.0), "1", "{as_of:?}, known at {known_at}");
        assert_eq!(after, before, "{as_of:?}, known at {known_at}");
    }
}

#[tokio::test]
async fn the_knowledge_of_a_days_close_is_that_of_the_whole_day() {
    let world = World::new();
    world.facts(vec![
        account("acme", "2027-02-01"),
        event("acme", "ann", "2027-03-01 09:00"),
    ]);
    world.facts(vec![
        known("2027-03-10 08:00", event("acme", "bob", "2027-03-08 08:00")),
        known("2027-03-11 00:00", event("acme", "cy", "2027-03-07 08:00")),
    ]);
    let position = world.advance("2027-03-12 12:00");
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let end = instant("2027-03-11").plus_us(-1);
    for (known_at, active_days) in [(end.plus_us(-1), "1"), (end, "2"), (end.plus_us(1), "2")] {
        let (features, _) = known_by(&scoring, on("2027-03-11"), time::timestamp(known_at)).await;
        assert_eq!(
            value(&features, "usage.active_days_28d"),
            active_days,
            "{known_at}"
        );
    }
}
