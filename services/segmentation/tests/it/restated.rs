//! Closes that were made again, with other models: where accounts are said to have been then, and where they are now.

use sextant_proto::common::v1::ReadAt;
use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, World, about, account_ref, as_of, at, end_of, on};

const LOW: i64 = 10_000;
const MEDIUM: i64 = 60_000;
const HIGH: i64 = 300_000;
const STRATEGIC: i64 = 2_000_000;

/// Three closes at which both accounts pay so much.
async fn closed(world: &World, mrr_minor: i64) -> Segmentation {
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", mrr_minor), ("b", mrr_minor)]);
    world.close("2027-03-09");
    world.close("2027-03-10");
    let position = world.close("2027-03-11");
    segmentation.membership("a", at(&position)).await.unwrap();
    segmentation
}

async fn segment_in(segmentation: &Segmentation, key: &str, account: &str) -> pb::Membership {
    let request = pb::GetMembershipRequest {
        account: Some(account_ref(account)),
        segmentation: key.to_owned(),
        at: None,
    };
    let mut client = segmentation.client.clone();
    let answer = client.get_membership(about(request)).await.unwrap();
    answer.into_inner().membership().unwrap()
}

#[tokio::test]
async fn everyone_is_evaluated_for_the_present_after_closes_that_were_made_again() {
    let world = World::new();
    let segmentation = closed(&world, MEDIUM).await;
    world.put(&[("c", MEDIUM), ("d", MEDIUM)]);
    let position = world.change("2027-03-12 08:00", &[("b", HIGH)]);
    assert_eq!(segmentation.segment("b", at(&position)).await, "high");
    let later = "later";
    let made = segmentation.create(later, "sextant.value_tiers", r#"{"mode":"cut_points"}"#);
    made.await.unwrap();
    for account in ["a", "b", "c", "d"] {
        for day in ["2027-03-10", "2027-03-11"] {
            world.scoring.restate(day, account, HIGH);
        }
    }
    // Of a, time alone changed what the last close shows.
    world.put(&[("a", STRATEGIC), ("b", HIGH), ("c", HIGH), ("d", HIGH)]);
    world.restated("2027-03-12 10:00", &["a", "b"], "2027-03-10");
    world.restated("2027-03-12 10:00", &["c", "d"], "2027-03-10");
    let position = world.present("2027-03-12 10:00");
    segmentation.membership("a", at(&position)).await.unwrap();

    let now = async |account| {
        let now = segmentation.membership(account, None).await.unwrap();
        (now.segment, now.entered_at)
    };
    let of_close = ("high".to_owned(), end_of("2027-03-10"));
    let of_now = ("strategic".to_owned(), on("2027-03-12 10:00"));
    assert_eq!(now("a").await, of_now);
    for account in ["b", "c", "d"] {
        let stands = now(account).await;
        assert_eq!(stands, of_close, "{account} was there before today");
    }
    for account in ["a", "d"] {
        let then = segmentation
            .segment(account, as_of(end_of("2027-03-11")))
            .await;
        assert_eq!(then, "high");
    }
    // It was made behind the last close, which says nothing of it.
    let stands = segment_in(&segmentation, later, "a").await;
    assert_eq!(stands.segment, "strategic");
}

#[tokio::test]
async fn what_is_at_risk_is_what_the_last_close_says_since_it_was_made_again() {
    let world = World::new();
    let segmentation = closed(&world, MEDIUM).await;
    for day in ["2027-03-10", "2027-03-11"] {
        world.scoring.restate(day, "a", HIGH);
    }
    world.restated("2027-03-12 10:00", &["a", "b"], "2027-03-10");
    world.put(&[("a", HIGH)]);
    let position = world.present("2027-03-12 10:00");
    assert_eq!(segmentation.segment("a", at(&position)).await, "high");
    let position = world.change("2027-03-12 11:00", &[("a", LOW)]);
    assert_eq!(segmentation.segment("a", at(&position)).await, "low");
    let left = segmentation.transitions("a", None).await.remove(0);
    assert!(left.downward);
    assert_eq!(left.value_minor, Some(12 * HIGH));
}

#[tokio::test]
async fn who_did_not_move_at_a_close_that_was_made_again_is_known_to_stand_so_since_before() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", MEDIUM)]);
    world.close("2027-03-09");
    world.put(&[("a", HIGH)]);
    world.close("2027-03-10");
    let position = world.close("2027-03-11");
    assert_eq!(segmentation.segment("a", at(&position)).await, "high");
    world.scoring.restate("2027-03-10", "a", MEDIUM);
    world.restated("2027-03-12 10:00", &["a"], "2027-03-10");
    let position = world.present("2027-03-12 10:00");
    segmentation.membership("a", at(&position)).await.unwrap();
    let then = segmentation.membership("a", as_of(end_of("2027-03-10")));
    let then = then.await.unwrap();
    assert_eq!(then.segment, "medium");
    let first = end_of("2027-03-09");
    assert_eq!((then.entered_at, then.known_at), (first, first));
    let last = segmentation.membership("a", as_of(end_of("2027-03-11")));
    assert_eq!(last.await.unwrap().known_at, end_of("2027-03-11"));
}

#[tokio::test]
async fn what_was_learned_of_a_close_before_it_was_made_again_stays_known_since_then_and_no_earlier()
 {
    let world = World::new();
    let segmentation = closed(&world, MEDIUM).await;
    for day in ["2027-03-09", "2027-03-10"] {
        world.scoring.learn(day, "a", HIGH);
    }
    let learned = "2027-03-12 10:00";
    let position = world.late(learned, &[("a", "2027-03-09")]);
    assert_eq!(segmentation.segment("a", at(&position)).await, "medium");
    let (before, after) = ("2027-03-12 09:59", learned);
    let known = |known_at: Option<&str>, as_of| ReadAt {
        as_of,
        known_at: known_at.and_then(on),
        ..ReadAt::default()
    };
    let path = async |known_at: Option<&str>| {
        let mut path = Vec::new();
        for day in ["2027-03-09", "2027-03-10", "2027-03-11"] {
            let read = known(known_at, end_of(day));
            path.push(segmentation.segment("a", Some(read)).await);
        }
        path
    };
    let paths = async || {
        [
            path(Some(before)).await,
            path(Some(after)).await,
            path(None).await,
        ]
    };
    let corrected = ["high", "high", "medium"];
    let expected = [["medium"; 3], corrected, corrected];
    assert_eq!(paths().await, expected);

    // History of another account comes.
    world.scoring.restate("2027-03-10", "b", HIGH);
    world.restated("2027-03-13 10:00", &["a", "b"], "2027-03-10");
    world.late("2027-03-13 10:00", &[("a", "2027-03-09")]);
    let position = world.present("2027-03-13 10:00");
    assert_eq!(segmentation.segment("a", at(&position)).await, "medium");
    assert_eq!(paths().await, expected);
    let told = segmentation.transitions("a", Some(known(Some(before), None)));
    let told: Vec<_> = told.await.into_iter().map(|one| one.to_segment).collect();
    assert_eq!(told, ["medium"], "it moved once, as was known then");
}

#[tokio::test]
async fn a_close_that_was_made_again_keeps_what_was_learned_of_it_where_it_says_something_else() {
    let world = World::new();
    let segmentation = closed(&world, MEDIUM).await;
    world.scoring.learn("2027-03-10", "a", HIGH);
    let learned = "2027-03-12 10:00";
    world.late(learned, &[("a", "2027-03-10")]);
    world.scoring.restate("2027-03-10", "a", LOW);
    world.restated("2027-03-13 10:00", &["a", "b"], "2027-03-10");
    world.late("2027-03-13 10:00", &[("a", "2027-03-10")]);
    let position = world.present("2027-03-13 10:00");
    segmentation.membership("a", at(&position)).await.unwrap();
    let at_close = async |known_at: &str| {
        let read = ReadAt {
            as_of: end_of("2027-03-10"),
            known_at: on(known_at),
            ..ReadAt::default()
        };
        segmentation.segment("a", Some(read)).await
    };
    let then = ["2027-03-12 09:59", learned, "2027-03-13 10:00"];
    let then = [
        at_close(then[0]).await,
        at_close(then[1]).await,
        at_close(then[2]).await,
    ];
    assert_eq!(then, ["low", "high", "high"]);
}

/// What is known at moments of where the account was at a close.
async fn known(segmentation: &Segmentation, day: &str, moments: &[&str]) -> Vec<String> {
    let mut known = Vec::new();
    for moment in moments {
        let read = ReadAt {
            as_of: end_of(day),
            known_at: on(moment),
            ..ReadAt::default()
        };
        known.push(segmentation.segment("a", Some(read)).await);
    }
    known
}

#[tokio::test]
async fn what_was_learned_last_of_a_moment_is_told_last() {
    let world = World::new();
    let segmentation = closed(&world, MEDIUM).await;
    world.scoring.learn("2027-03-10", "a", HIGH);
    let position = world.late("2027-03-12 10:00", &[("a", "2027-03-10")]);
    segmentation.membership("a", at(&position)).await.unwrap();
    for day in ["2027-03-09", "2027-03-10"] {
        world.scoring.learn(day, "a", LOW);
    }
    let position = world.late("2027-03-12 11:00", &[("a", "2027-03-09")]);
    segmentation.membership("a", at(&position)).await.unwrap();
    for day in ["2027-03-09", "2027-03-10"] {
        world.scoring.restate(day, "a", HIGH);
    }
    world.restated("2027-03-13 10:00", &["a", "b"], "2027-03-09");
    world.late("2027-03-13 10:00", &[("a", "2027-03-09")]);
    let position = world.present("2027-03-13 10:00");
    segmentation.membership("a", at(&position)).await.unwrap();
    let moments = [
        "2027-03-12 09:59",
        "2027-03-12 10:00",
        "2027-03-12 11:00",
        "2027-03-13 10:00",
    ];
    let known = known(&segmentation, "2027-03-10", &moments).await;
    assert_eq!(known, ["high", "high", "low", "low"]);
    assert_eq!(
        segmentation.segment("a", as_of(end_of("2027-03-10"))).await,
        "low"
    );
}

#[tokio::test]
async fn a_close_is_made_again_from_where_an_account_stood_that_was_learned_not_to_have_moved() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    for (day, mrr_minor) in [
        ("2027-03-09", MEDIUM),
        ("2027-03-10", HIGH),
        ("2027-03-11", MEDIUM),
    ] {
        world.put(&[("a", mrr_minor)]);
        world.close(day);
    }
    world.scoring.learn("2027-03-10", "a", MEDIUM);
    world.late("2027-03-12 10:00", &[("a", "2027-03-10")]);
    let position = world.close("2027-03-12");
    segmentation.membership("a", at(&position)).await.unwrap();
    for day in ["2027-03-09", "2027-03-10", "2027-03-11"] {
        world.scoring.restate(day, "a", LOW);
        world.scoring.learn(day, "a", LOW);
    }
    world.restated("2027-03-13 10:00", &["a"], "2027-03-09");
    world.late("2027-03-13 10:00", &[("a", "2027-03-09")]);
    let position = world.present("2027-03-13 10:00");
    segmentation.membership("a", at(&position)).await.unwrap();
    let then = known(
        &segmentation,
        "2027-03-12",
        &["2027-03-13 00:00", "2027-03-13 10:00"],
    )
    .await;
    assert_eq!(then, ["medium"; 2]);
}

#[tokio::test]
async fn a_move_within_the_day_that_history_denies_is_denied_by_the_close_of_the_day() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", LOW)]);
    for day in ["2027-03-09", "2027-03-10"] {
        world.close(day);
    }
    world.change("2027-03-11 10:00", &[("a", MEDIUM)]);
    for day in ["2027-03-11", "2027-03-12"] {
        world.close(day);
    }
    for day in ["2027-03-09", "2027-03-10", "2027-03-11", "2027-03-12"] {
        world.scoring.restate(day, "a", HIGH);
    }
    world.put(&[("a", HIGH)]);
    world.restated("2027-03-13 10:00", &["a"], "2027-03-09");
    let position = world.present("2027-03-13 10:00");
    let stands = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(
        (&*stands.segment, stands.entered_at),
        ("high", end_of("2027-03-09"))
    );
    let then = known(
        &segmentation,
        "2027-03-12",
        &["2027-03-13 00:00", "2027-03-13 10:00"],
    )
    .await;
    assert_eq!(then, ["high"; 2]);
    let that_day = known(&segmentation, "2027-03-11", &["2027-03-12 00:00"]).await;
    assert_eq!(that_day, ["high"]);
}

#[tokio::test]
async fn a_move_that_history_tells_and_later_news_deny_is_in_no_list() {
    let world = World::new();
    let segmentation = closed(&world, STRATEGIC).await;
    for day in ["2027-03-09", "2027-03-10", "2027-03-11"] {
        world.scoring.learn(day, "a", LOW);
    }
    world.put(&[("a", LOW)]);
    let position = world.late("2027-03-12 10:00", &[("a", "2027-03-09")]);
    assert_eq!(segmentation.segment("a", at(&position)).await, "low");
    for day in ["2027-03-10", "2027-03-11"] {
        world.scoring.restate(day, "a", LOW);
    }
    world.restated("2027-03-13 10:00", &["a", "b"], "2027-03-10");
    world.late("2027-03-13 10:00", &[("a", "2027-03-09")]);
    let position = world.present("2027-03-13 10:00");
    let stands = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(
        (&*stands.segment, stands.entered_at),
        ("low", end_of("2027-03-09"))
    );
    let told = segmentation.transitions("a", None).await;
    let told: Vec<_> = told.iter().map(|one| (&*one.to_segment, one.at)).collect();
    assert_eq!(told, [("low", end_of("2027-03-09"))]);
    let then = known(&segmentation, "2027-03-10", &["2027-03-12 00:00"]).await;
    assert_eq!(then, ["low"], "the close says so");
}
