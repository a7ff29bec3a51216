//! What was answered stays answered.

use sextant_domain::feature::Feature;
use sextant_domain::id::Slice;
use sextant_proto::common::v1::{Date, ReadAt};
use sextant_proto::scoring::v1 as pb;
use sextant_wire::time;

use crate::facts::{account, day, event, instant, known, on, payment, subscription, uid};
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
async fn what_was_delivered_on_a_day_and_missed_its_close_is_known_from_the_next_day_on() {
    let world = World::new();
    let position = world.facts(vec![
        account("acme", "2027-02-01"),
        subscription("acme", "2027-02-01", 3, 1_000),
        event("acme", "ann", "2027-03-01 09:00"),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let then = yesterday(&scoring, Knowledge::OfThen).await;
    let n_before = scoring.feed(Slice(0)).await.len();

    // Stored a moment after the close, and slow on its way before.
    let slow = |fact| known("2027-03-09 23:59", fact);
    let position = world.facts(vec![
        slow(event("acme", "bob", "2027-03-09 17:00")),
        slow(subscription("acme", "2027-03-09 17:00", 5, 1_000)),
    ]);
    scoring.features("acme", at(&position)).await.unwrap();
    assert_eq!(yesterday(&scoring, Knowledge::OfThen).await, then);
    let now = yesterday(&scoring, Knowledge::OfNow).await;
    let both = |features: &[pb::Feature]| {
        ["usage.active_days_28d", "revenue.mrr_minor"].map(|name| value(features, name))
    };
    assert_eq!(both(&then.0), ["1", "3000"]);
    assert_eq!(both(&now.0), ["2", "5000"]);
    let [entry] = &scoring.feed(Slice(0)).await[n_before..] else {
        panic!("one entry tells of both");
    };
    assert_eq!(late_in(entry), [(uid_of("acme"), day("2027-03-09"))]);

    // The same after the tenant was loaded again.
    scoring.stop();
    let scoring = world.start();
    assert_eq!(yesterday(&scoring, Knowledge::OfThen).await, then);
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

#[tokio::test]
async fn a_subscription_shows_from_its_beginning_on_whatever_is_known_now() {
    let world = World::new();
    let position = world.facts(vec![
        account("acme", "2027-02-01"),
        subscription("acme", "2027-03-05", 3, 1_000),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    for (moment, mrr_minor) in [("2027-03-05", ""), ("2027-03-06", "3000")] {
        let past = ReadAt {
            as_of: on(moment),
            ..ReadAt::default()
        };
        let then = scoring.features("acme", Some(past)).await.unwrap();
        assert_eq!(
            value(&then.features, "revenue.mrr_minor"),
            mrr_minor,
            "before {moment}"
        );
    }
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

/// Who is late in an entry of the feed, and since when.
fn late_in(entry: &pb::Evaluation) -> Vec<(Vec<u8>, Date)> {
    let late = entry.late.iter();
    late.map(|one| (one.account_uid.to_vec(), one.since.unwrap()))
        .collect()
}

fn uid_of(account: &str) -> Vec<u8> {
    uid(account).0.to_be_bytes().to_vec()
}

#[tokio::test]
async fn facts_about_closed_days_are_told_with_the_closes_that_they_touch() {
    let world = World::new();
    let position = world.facts(vec![
        account("acme", "2027-03-05"),
        account("calm", "2027-03-05"),
        account("dull", "2027-03-05"),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let n_before = scoring.feed(Slice(0)).await.len();
    let learned = |fact| known("2027-03-10 08:00", fact);
    let position = world.facts(vec![
        learned(event("acme", "ann", "2027-03-09 08:00")),
        learned(event("acme", "ann", "2027-03-08 08:00")),
        learned(payment("calm", "2027-03-09", 1_000)),
        event("dull", "cy", "2027-03-10 07:00"),
    ]);
    scoring.features("acme", at(&position)).await.unwrap();
    let feed = scoring.feed(Slice(0)).await;
    let [entry] = &feed[n_before..] else {
        panic!("{feed:?}")
    };
    assert_eq!(entry.account_uids.len(), 3);
    let (mut late, closes) = (late_in(entry), &entry.late_closes);
    let mut expected = vec![
        (uid_of("acme"), day("2027-03-08")),
        (uid_of("calm"), day("2027-03-09")),
    ];
    late.sort_by(|left, right| left.0.cmp(&right.0));
    expected.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(late, expected, "who is not late is not told as such");
    let days = ["2027-03-07", "2027-03-08", "2027-03-09"].map(day);
    assert_eq!(
        *closes, days,
        "and before them the last close that is not touched"
    );

    let entry = feed
        .iter()
        .find(|entry| entry.closed_on == Some(days[2]))
        .unwrap();
    assert!(entry.late.is_empty(), "a close tells of its own day");
}

#[tokio::test]
async fn what_becomes_known_on_a_day_that_is_closed_later_is_late_for_the_closes_before() {
    let world = World::with(1, None);
    let position = world.facts(vec![
        account("acme", "2027-03-01"),
        account("calm", "2027-03-01"),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    while scoring.clock().await.closed_on != Some(day("2027-03-09")) {
        tokio::task::yield_now().await;
    }
    scoring.stop();
    // Nobody closes the days from the 10th to the 14th until they have all passed.
    world.hand.set(instant("2027-03-15 12:00"));
    let position = world.facts(vec![
        known("2027-03-13 08:00", event("acme", "ann", "2027-03-11 08:00")),
        event("calm", "cy", "2027-03-12 08:00"),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    while scoring.clock().await.closed_on != Some(day("2027-03-14")) {
        tokio::task::yield_now().await;
    }
    let feed = scoring.feed(Slice(0)).await;
    let late: Vec<_> = feed.iter().filter(|entry| !entry.late.is_empty()).collect();
    let [entry] = late.as_slice() else {
        panic!("{feed:?}")
    };
    assert!(!entry.backfilling && entry.closed_on.is_none());
    let closes = &entry.late_closes;
    assert_eq!(late_in(entry), [(uid_of("acme"), day("2027-03-11"))]);
    let days = [
        "2027-03-10",
        "2027-03-11",
        "2027-03-12",
        "2027-03-13",
        "2027-03-14",
    ];
    assert_eq!(*closes, days.map(day));
}

#[tokio::test]
async fn columns_of_closes_hold_what_is_known_now_where_late_accounts_are_asked_for() {
    let world = World::new();
    let position = world.facts(vec![
        account("acme", "2027-03-01"),
        subscription("acme", "2027-03-01", 3, 1_000),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let change = subscription("acme", "2027-03-08", 5, 1_000);
    let position = world.facts(vec![known("2027-03-10 08:00", change)]);
    scoring.features("acme", at(&position)).await.unwrap();
    let mrr = |arrow_ipc: &[u8]| {
        let table = sextant_columns::decode(arrow_ipc).unwrap().remove(0);
        sextant_columns::number(&table, Feature::RevenueMrrMinor, 0)
    };
    let then = scoring.columns(Slice(0), Some(day("2027-03-09"))).await;
    assert_eq!(mrr(&then[0]), Some(3_000.0));
    let feed = scoring.feed(Slice(0)).await;
    let entry = feed.last().unwrap();
    let (late, closes) = (entry.late.clone(), entry.late_closes.clone());
    let now = scoring.columns_of_late(late, closes).await;
    let told: Vec<_> = now
        .iter()
        .map(|one| (one.closed_on.unwrap(), mrr(&one.arrow_ipc).unwrap()))
        .collect();
    let expected = [
        ("2027-03-07", 3_000.0),
        ("2027-03-08", 5_000.0),
        ("2027-03-09", 5_000.0),
    ];
    assert_eq!(
        told,
        expected.map(|(text, mrr_minor)| (day(text), mrr_minor))
    );
}
