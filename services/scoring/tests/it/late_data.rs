//! What was answered stays answered.

use sextant_proto::common::v1::ReadAt;
use sextant_proto::scoring::v1 as pb;

use crate::facts::{account, event, known, on, payment, subscription};
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
