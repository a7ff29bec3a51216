//! Facts about closed days: what is known now of the past, what was known then, and what follows for the present.

use sextant_proto::common::v1::ReadAt;
use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, World, about, as_of, at, end_of, on};

/// What an account paid at the closes from March 8 to 11, and where it is said to be then.
async fn closed(world: &World, path: [i64; 4]) -> Segmentation {
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let mut position = String::new();
    for (day, mrr_minor) in (8..).zip(path) {
        world.put(&[("a", mrr_minor), ("b", 10_000)]);
        position = world.close(&format!("2027-03-{day:02}"));
    }
    segmentation.membership("a", at(&position)).await.unwrap();
    segmentation
}

fn known(moment: &str, known_at: &str) -> Option<ReadAt> {
    Some(ReadAt {
        as_of: end_of(moment),
        known_at: on(known_at),
        ..ReadAt::default()
    })
}

/// The segments of the account as of the four closes.
async fn path(segmentation: &Segmentation, known_at: Option<&str>) -> Vec<String> {
    let mut path = Vec::new();
    for day in 8..=11 {
        let day = format!("2027-03-{day:02}");
        let read = match known_at {
            Some(known_at) => known(&day, known_at),
            None => as_of(end_of(&day)),
        };
        path.push(segmentation.segment("a", read).await);
    }
    path
}

const LOW: i64 = 10_000;
const MEDIUM: i64 = 60_000;
const HIGH: i64 = 300_000;

#[tokio::test]
async fn a_late_fact_changes_the_closes_that_it_touches_and_nothing_that_was_known_before() {
    let world = World::new();
    let segmentation = closed(&world, [MEDIUM, MEDIUM, MEDIUM, MEDIUM]).await;
    world.scoring.learn("2027-03-09", "a", HIGH);
    world.scoring.learn("2027-03-10", "a", HIGH);
    let position = world.late("2027-03-12 10:00", &[("a", "2027-03-09")]);
    segmentation.membership("a", at(&position)).await.unwrap();

    assert_eq!(
        path(&segmentation, None).await,
        ["medium", "high", "high", "medium"]
    );
    let before = path(&segmentation, Some("2027-03-12 09:59")).await;
    assert_eq!(before, ["medium"; 4]);
    let transitions = segmentation.transitions("a", None).await;
    let told: Vec<_> = transitions
        .iter()
        .map(|one| (&*one.from_segment, &*one.to_segment, one.at, one.correction))
        .collect();
    assert_eq!(
        told,
        [
            ("high", "medium", end_of("2027-03-11"), true),
            ("medium", "high", end_of("2027-03-09"), true),
            ("", "medium", end_of("2027-03-08"), false),
        ]
    );
    assert_eq!(transitions[0].known_at, on("2027-03-12 10:00"));
    let why = &transitions[1].reasons[0];
    assert_eq!((&*why.value, &*why.previous_value), ("300000", "60000"));
    // It left high, and with it what it paid at the close before.
    assert!(transitions[0].downward && transitions[0].value_minor == Some(12 * HIGH));
    // The present is what it was, but the account came back to it.
    let now = segmentation.membership("a", None).await.unwrap();
    assert_eq!(
        (&*now.segment, now.entered_at),
        ("medium", end_of("2027-03-11"))
    );
    let other = segmentation.transitions("b", None).await;
    assert_eq!(other.len(), 1, "who is not late is left alone: {other:?}");
}

#[tokio::test]
async fn a_move_that_did_not_happen_is_taken_back_and_the_membership_goes_on_from_before() {
    let world = World::new();
    let segmentation = closed(&world, [MEDIUM, HIGH, HIGH, MEDIUM]).await;
    for day in ["2027-03-09", "2027-03-10"] {
        world.scoring.learn(day, "a", MEDIUM);
    }
    let position = world.late("2027-03-12 10:00", &[("a", "2027-03-09")]);
    let now = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(path(&segmentation, None).await, ["medium"; 4]);
    let first = end_of("2027-03-08");
    assert_eq!((&*now.segment, now.entered_at), ("medium", first));
    for moment in [
        end_of("2027-03-09"),
        end_of("2027-03-11"),
        on("2027-03-12 09:59"),
    ] {
        let then = segmentation.membership("a", as_of(moment)).await.unwrap();
        assert_eq!(then.entered_at, first, "{moment:?}");
    }
    let then = segmentation.membership("a", known("2027-03-11", "2027-03-12"));
    assert_eq!(then.await.unwrap().entered_at, end_of("2027-03-11"));

    // Another process reads the same.
    segmentation.stop();
    let segmentation = world.start();
    assert_eq!(
        segmentation.membership("a", at(&position)).await.unwrap(),
        now
    );
}

#[tokio::test]
async fn a_move_within_the_day_that_had_happened_before_is_no_move_any_more() {
    let world = World::new();
    let segmentation = closed(&world, [MEDIUM, MEDIUM, MEDIUM, MEDIUM]).await;
    let position = world.change("2027-03-12 09:00", &[("a", HIGH)]);
    let moved = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(moved.entered_at, on("2027-03-12 09:00"));
    for day in ["2027-03-10", "2027-03-11"] {
        world.scoring.learn(day, "a", HIGH);
    }
    let position = world.late("2027-03-12 10:00", &[("a", "2027-03-10")]);
    let now = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(
        (&*now.segment, now.entered_at),
        ("high", end_of("2027-03-10"))
    );
    let same = segmentation
        .membership("a", as_of(on("2027-03-12 10:00")))
        .await;
    assert_eq!(same.unwrap().entered_at, now.entered_at);
    let before = ReadAt {
        as_of: on("2027-03-12 10:00"),
        known_at: on("2027-03-12 09:30"),
        ..ReadAt::default()
    };
    let then = segmentation.membership("a", Some(before));
    assert_eq!(then.await.unwrap().entered_at, on("2027-03-12 09:00"));
    let close = world.close("2027-03-12");
    let confirmed = segmentation.membership("a", at(&close)).await.unwrap();
    assert_eq!(confirmed.entered_at, now.entered_at);
}

#[tokio::test]
async fn an_account_that_existed_before_it_was_known_is_in_the_closes_since() {
    let world = World::new();
    let segmentation = closed(&world, [LOW, LOW, LOW, LOW]).await;
    for day in ["2027-03-10", "2027-03-11"] {
        world.scoring.learn(day, "new", HIGH);
    }
    world.put(&[("new", HIGH)]);
    let position = world.late("2027-03-12 10:00", &[("new", "2027-03-10")]);
    let now = segmentation.membership("new", at(&position)).await.unwrap();
    assert_eq!(
        (&*now.segment, now.entered_at),
        ("high", end_of("2027-03-10"))
    );
    let counted = async |read| {
        let request = pb::ListSegmentsRequest {
            segmentation: crate::world::TIERS.to_owned(),
            at: read,
            ..pb::ListSegmentsRequest::default()
        };
        let mut client = segmentation.client.clone();
        let answer = client.list_segments(about(request)).await.unwrap();
        answer.into_inner().accounts
    };
    assert_eq!(counted(as_of(end_of("2027-03-09"))).await, 2);
    assert_eq!(counted(as_of(end_of("2027-03-10"))).await, 3);
    assert_eq!(counted(known("2027-03-10", "2027-03-12")).await, 2);
}

#[tokio::test]
async fn closes_before_a_segmentation_was_made_stay_without_memberships() {
    let world = World::new();
    let segmentation = world.start();
    let first = segmentation
        .create("first", "sextant.value_tiers", "")
        .await;
    first.unwrap();
    world.put(&[("a", MEDIUM)]);
    for day in ["2027-03-08", "2027-03-09"] {
        world.close(day);
    }
    let position = world.change("2027-03-10 10:00", &[("a", MEDIUM)]);
    let waiting = pb::ListSegmentsRequest {
        segmentation: "first".to_owned(),
        at: at(&position),
        ..pb::ListSegmentsRequest::default()
    };
    let mut client = segmentation.client.clone();
    client.list_segments(about(waiting)).await.unwrap();
    segmentation.create_tiers().await;
    let position = world.close("2027-03-10");
    segmentation.membership("a", at(&position)).await.unwrap();
    for day in ["2027-03-08", "2027-03-09", "2027-03-10"] {
        world.scoring.learn(day, "a", HIGH);
    }
    let position = world.late("2027-03-11 10:00", &[("a", "2027-03-08")]);
    segmentation.membership("a", at(&position)).await.unwrap();
    let none = segmentation
        .membership("a", as_of(end_of("2027-03-09")))
        .await;
    assert_eq!(crate::world::reason(none), "ACCOUNT_UNKNOWN");
    let then = segmentation.segment("a", as_of(end_of("2027-03-10"))).await;
    assert_eq!(then, "high");
}

#[tokio::test]
async fn the_same_late_facts_once_more_change_nothing() {
    let world = World::new();
    let segmentation = closed(&world, [MEDIUM, MEDIUM, MEDIUM, MEDIUM]).await;
    world.scoring.learn("2027-03-09", "a", HIGH);
    let mut stored = Vec::new();
    for at_hour in ["10:00", "11:00"] {
        let late = [("a", "2027-03-09"), ("b", "2027-03-08")];
        let position = world.late(&format!("2027-03-12 {at_hour}"), &late);
        segmentation.membership("a", at(&position)).await.unwrap();
        stored.push(segmentation.transitions("a", None).await);
    }
    assert_eq!(stored[0].len(), 3, "{stored:?}");
    assert_eq!(stored[0], stored[1]);
}

#[tokio::test]
async fn late_facts_in_any_order_say_the_same_of_the_past() {
    let mut paths = Vec::new();
    let days = ["2027-03-09", "2027-03-10", "2027-03-11"];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let world = World::new();
        let segmentation = closed(&world, [MEDIUM, HIGH, MEDIUM, HIGH]).await;
        for (hour, place) in (10..).zip(order) {
            let learned = [MEDIUM, HIGH, LOW][place];
            world.scoring.learn(days[place], "a", learned);
            let now = format!("2027-03-12 {hour}:00");
            let position = world.late(&now, &[("a", days[place])]);
            segmentation.membership("a", at(&position)).await.unwrap();
        }
        let mut entered = Vec::new();
        for day in ["2027-03-08", days[0], days[1], days[2]] {
            let then = segmentation
                .membership("a", as_of(end_of(day)))
                .await
                .unwrap();
            // Beside them stands what was known of the move before.
            let values = then.reasons.into_iter().map(|one| (one.feature, one.value));
            entered.push((then.segment, then.entered_at, values.collect::<Vec<_>>()));
        }
        paths.push(entered);
    }
    let segments: Vec<&str> = paths[0].iter().map(|(segment, ..)| &**segment).collect();
    assert_eq!(segments, ["medium", "medium", "high", "low"]);
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
}

#[tokio::test]
async fn a_watch_tells_of_corrections_as_such() {
    let world = World::new();
    let segmentation = closed(&world, [MEDIUM, MEDIUM, MEDIUM, MEDIUM]).await;
    let mut client = segmentation.client.clone();
    let request = pb::WatchTransitionsRequest::default();
    let stream = client.watch_transitions(about(request)).await;
    let mut stream = stream.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    world.scoring.learn("2027-03-08", "a", HIGH);
    world.put(&[("a", LOW)]);
    world.late("2027-03-12 10:00", &[("a", "2027-03-08")]);
    let told = stream.message().await.unwrap().unwrap().transitions;
    let told: Vec<_> = told
        .iter()
        .map(|one| (one.at, &*one.to_segment, one.correction))
        .collect();
    assert_eq!(
        told,
        [
            (end_of("2027-03-08"), "high", true),
            (end_of("2027-03-09"), "medium", true),
            (on("2027-03-12 10:00"), "low", false),
        ]
    );
}

/// The clock of a tenant may stand still: a fact of a closed day then corrects a move of the very moment at which its account
/// moves on.
#[tokio::test]
async fn a_move_comes_after_the_corrections_of_its_moment() {
    const NOW: &str = "2027-03-11 10:00";
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let names: Vec<String> = (0..12).map(|number| format!("a{number}")).collect();
    let all = |mrr_minor| -> Vec<(&str, i64)> {
        let names = names.iter();
        names.map(|name| (name.as_str(), mrr_minor)).collect()
    };
    world.put(&all(LOW));
    for day in ["2027-03-08", "2027-03-09", "2027-03-10"] {
        world.close(day);
    }
    let position = world.change(NOW, &all(MEDIUM));
    assert_eq!(segmentation.segment("a0", at(&position)).await, "medium");
    world.put(&all(LOW));
    let late: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), "2027-03-09"))
        .collect();
    for name in &names {
        world.scoring.learn("2027-03-09", name, HIGH);
        world.scoring.learn("2027-03-10", name, HIGH);
    }
    let position = world.late(NOW, &late);
    segmentation.membership("a0", at(&position)).await.unwrap();
    for name in &names {
        let told = segmentation.transitions(name, None).await;
        let told: Vec<_> = told
            .iter()
            .map(|one| (&*one.from_segment, &*one.to_segment))
            .collect();
        assert_eq!(
            told,
            [("high", "low"), ("low", "high"), ("", "low")],
            "{name}"
        );
        for read in [None, as_of(on(NOW))] {
            assert_eq!(segmentation.segment(name, read).await, "low", "{name}");
        }
    }
}

#[tokio::test]
async fn a_move_within_the_day_that_was_none_stays_none_whatever_else_comes_late() {
    let world = World::new();
    let segmentation = closed(&world, [LOW; 4]).await;
    let position = world.change("2027-03-12 10:00", &[("a", MEDIUM)]);
    assert_eq!(segmentation.segment("a", at(&position)).await, "medium");
    world.scoring.learn("2027-03-11", "a", MEDIUM);
    let position = world.late("2027-03-12 11:00", &[("a", "2027-03-11")]);
    let stands = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(stands.entered_at, end_of("2027-03-11"));

    world.put(&[("a", HIGH)]);
    for day in ["2027-03-10", "2027-03-11"] {
        world.scoring.learn(day, "a", HIGH);
    }
    let position = world.late("2027-03-12 12:00", &[("a", "2027-03-10")]);
    let stands = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(
        (&*stands.segment, stands.entered_at),
        ("high", end_of("2027-03-10"))
    );
    for moment in ["2027-03-12 10:30", "2027-03-12 11:30"] {
        assert_eq!(segmentation.segment("a", as_of(on(moment))).await, "high");
    }
    let told = segmentation.transitions("a", None).await;
    let told: Vec<_> = told
        .iter()
        .map(|one| (&*one.to_segment, one.downward))
        .collect();
    assert_eq!(told, [("high", false), ("low", false)]);
}

#[tokio::test]
async fn two_moves_at_a_moment_at_which_the_clock_stood_still_are_one_from_where_it_was_at_first() {
    const THEN: &str = "2027-03-12 10:00";
    let world = World::new();
    let segmentation = closed(&world, [LOW; 4]).await;
    for mrr_minor in [MEDIUM, HIGH] {
        let position = world.change(THEN, &[("a", mrr_minor)]);
        segmentation.membership("a", at(&position)).await.unwrap();
    }
    world.close("2027-03-12");
    world.close("2027-03-13");
    world.scoring.learn("2027-03-13", "a", HIGH);
    let position = world.late("2027-03-14 10:00", &[("a", "2027-03-13")]);
    let stands = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!((&*stands.segment, stands.entered_at), ("high", on(THEN)));
    let told = segmentation.transitions("a", None).await;
    assert!(told.iter().all(|one| !one.correction), "{told:?}");
}

#[tokio::test]
async fn an_account_that_turned_out_not_to_have_moved_many_times_costs_no_more_than_another() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let days: Vec<String> = (1..=28)
        .flat_map(|day| ["2027-01", "2027-02"].map(|month| format!("{month}-{day:02}")))
        .collect();
    let mut days = days;
    days.sort();
    for (number, day) in days.iter().enumerate() {
        let mrr_minor = if number % 2 == 0 { LOW } else { HIGH };
        world.put(&[("a", mrr_minor)]);
        world.close(day);
    }
    for day in &days {
        world.scoring.learn(day, "a", HIGH);
    }
    world.late("2027-03-01 10:00", &[("a", &days[0])]);
    let last = days.last().unwrap();
    world.scoring.learn(last, "a", MEDIUM);
    let position = world.late("2027-03-01 11:00", &[("a", last)]);
    segmentation.membership("a", at(&position)).await.unwrap();
    let then = async |day: &str| segmentation.segment("a", as_of(end_of(day))).await;
    assert_eq!(
        [then(&days[40]).await, then(last).await],
        ["high", "medium"]
    );
}
