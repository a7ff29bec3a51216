//! Who is in which segment, since when, why, and as it was known.

use sextant_proto::common::v1::{FreshnessState, ReadAt};
use sextant_proto::scoring::v1::Evaluation;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::MembershipState;

use crate::world::{Segmentation, TIERS, World, about, account_ref, as_of, at, end_of, on, reason};

/// One account in each kind of place after the close of March 9.
async fn closed(world: &World) -> Segmentation {
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("gold", 1_500_000), ("iron", 10_000)]);
    world.scoring.put("dark", None);
    let position = world.close("2027-03-09");
    segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    segmentation
}

#[tokio::test]
async fn a_close_puts_accounts_into_segments_and_says_why() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let gold = segmentation.membership("gold", None).await.unwrap();
    assert_eq!(
        (gold.state(), gold.segment.as_str()),
        (MembershipState::Member, "strategic")
    );
    assert_eq!(gold.entered_at, end_of("2027-03-09"));
    assert_eq!(gold.known_at, gold.entered_at);
    assert!(!gold.provisional);
    let iron = segmentation.membership("iron", None).await.unwrap();
    let [why] = iron.reasons.as_slice() else {
        panic!("{iron:?}")
    };
    assert_eq!(
        (why.feature.as_str(), why.value.as_str()),
        ("revenue.mrr_minor", "10000")
    );
    assert_eq!(why.previous_value, "");
    assert!(why.text.contains("medium starts at 500.00"), "{}", why.text);
}

#[tokio::test]
async fn an_account_that_cannot_be_judged_abstains_and_names_what_is_missing() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let dark = segmentation.membership("dark", None).await.unwrap();
    assert_eq!(
        (dark.state(), dark.segment.as_str()),
        (MembershipState::Abstained, "")
    );
    assert_eq!(dark.missing_features, ["revenue.mrr_minor"]);
}

#[tokio::test]
async fn a_move_within_the_day_is_provisional_until_the_close_confirms_it() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let position = world.change("2027-03-10 10:00", &[("gold", 60_000)]);
    let moved = segmentation.transitions("gold", at(&position)).await;
    let [down, first] = moved.as_slice() else {
        panic!("{moved:?}")
    };
    assert_eq!(first.from_state(), MembershipState::Unspecified);
    assert!(!first.provisional && !first.downward);
    assert_eq!(
        (down.from_segment.as_str(), down.to_segment.as_str()),
        ("strategic", "medium")
    );
    assert_eq!(
        (down.from_state(), down.to_state()),
        (MembershipState::Member, MembershipState::Member)
    );
    assert!(down.provisional && down.downward);
    assert_eq!(
        (down.value_minor, down.at),
        (720_000, on("2027-03-10 10:00"))
    );
    assert_eq!(down.account_name, "GOLD");
    let why = &down.reasons[0];
    assert_eq!(
        (why.value.as_str(), why.previous_value.as_str()),
        ("60000", "1500000")
    );
    let membership = segmentation.membership("gold", None).await.unwrap();
    assert!(membership.provisional);

    let position = world.close("2027-03-10");
    let confirmed = segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    assert_eq!(
        confirmed,
        pb::Membership {
            provisional: false,
            ..membership
        }
    );
    assert_eq!(segmentation.transitions("gold", None).await.len(), 2);
}

#[tokio::test]
async fn a_move_and_back_within_a_day_leaves_both_transitions_and_no_third_at_the_close() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let position = world.change("2027-03-10 10:00", &[("gold", 60_000)]);
    assert_eq!(segmentation.segment("gold", at(&position)).await, "medium");
    let position = world.change("2027-03-10 11:00", &[("gold", 1_500_000)]);
    let back = segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    assert_eq!(
        (back.segment.as_str(), back.entered_at),
        ("strategic", on("2027-03-10 11:00"))
    );
    let position = world.close("2027-03-10");
    let transitions = segmentation.transitions("gold", at(&position)).await;
    let path: Vec<(&str, bool)> = transitions
        .iter()
        .map(|one| (one.to_segment.as_str(), one.downward))
        .collect();
    assert_eq!(
        path,
        [("strategic", false), ("medium", true), ("strategic", false)]
    );
}

#[tokio::test]
async fn moves_at_one_moment_of_a_clock_that_stands_still_keep_their_order() {
    let world = World::new();
    let segmentation = closed(&world).await;
    for mrr_minor in [60_000, 300_000, 60_000, 300_000, 10_000] {
        let position = world.change("2027-03-10 10:00", &[("gold", mrr_minor)]);
        segmentation
            .membership("gold", at(&position))
            .await
            .unwrap();
    }
    let transitions = segmentation.transitions("gold", None).await;
    let path: Vec<&str> = transitions.iter().map(|one| &*one.to_segment).collect();
    assert_eq!(
        path,
        ["low", "high", "medium", "high", "medium", "strategic"]
    );
    let then = segmentation
        .segment("gold", as_of(on("2027-03-10 10:30")))
        .await;
    assert_eq!(then, "low");
}

#[tokio::test]
async fn the_past_is_answered_as_it_was_and_as_it_was_known() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let position = world.change_known("2027-03-10 10:00", "2027-03-10 12:00", &[("gold", 60_000)]);
    assert_eq!(segmentation.segment("gold", at(&position)).await, "medium");
    for (moment, known_at, expected) in [
        ("2027-03-10 09:59", None, "strategic"),
        ("2027-03-10 10:00", None, "medium"),
        ("2027-03-10 11:00", Some("2027-03-10 11:00"), "strategic"),
        ("2027-03-10 11:00", Some("2027-03-10 12:00"), "medium"),
    ] {
        let read = ReadAt {
            as_of: on(moment),
            known_at: known_at.and_then(on),
            ..ReadAt::default()
        };
        let segment = segmentation.segment("gold", Some(read)).await;
        assert_eq!(segment, expected, "{moment}, known at {known_at:?}");
    }
    let before = segmentation
        .membership("gold", as_of(on("2027-03-09")))
        .await;
    assert_eq!(reason(before), "ACCOUNT_UNKNOWN");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let other = segmentation.membership("other", None).await;
    assert_eq!(reason(other), "ACCOUNT_UNKNOWN");
    let request = pb::GetMembershipRequest {
        account: Some(account_ref("gold")),
        segmentation: "colours".to_owned(),
        at: None,
    };
    let mut client = segmentation.client.clone();
    let refused = client.get_membership(about(request)).await.unwrap_err();
    assert!(refused.message().contains(TIERS), "{}", refused.message());
    assert_eq!(reason::<()>(Err(refused)), "SEGMENTATION_UNKNOWN");
}

#[tokio::test]
async fn history_that_is_being_evaluated_is_told_and_its_position_is_not_reached() {
    let world = World::new();
    let segmentation = closed(&world).await;
    world.tell(Evaluation {
        as_of: on("2027-03-10 08:00"),
        known_at: on("2027-03-10 08:00"),
        backfilling: true,
        ..Evaluation::default()
    });
    let state = async || {
        let request = pb::ListSegmentsRequest {
            segmentation: TIERS.to_owned(),
            ..pb::ListSegmentsRequest::default()
        };
        let mut client = segmentation.client.clone();
        let answer = client.list_segments(about(request));
        answer
            .await
            .unwrap()
            .into_inner()
            .freshness
            .unwrap()
            .state()
    };
    let told = async {
        while state().await != FreshnessState::Backfilling {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, told).await.unwrap();
    let position = world.close("2027-03-10");
    segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    assert_eq!(state().await, FreshnessState::Fresh);
}
