//! Who is in which segment, since when, why, and as it was known.

use sextant_domain::time::Day;
use sextant_proto::common::v1::{FreshnessState, ReadAt};
use sextant_proto::scoring::v1::Evaluation;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::MembershipState;
use sextant_wire::time;

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
    // What it is worth is not known either, which is not nothing.
    let worth = async |account| segmentation.transitions(account, None).await[0].value_minor;
    assert_eq!(
        (worth("dark").await, worth("iron").await),
        (None, Some(120_000))
    );
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
    // At risk is what it paid at the last close, not what is left of it.
    assert_eq!(
        (down.value_minor, down.at),
        (Some(18_000_000), on("2027-03-10 10:00"))
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
        .segment("gold", as_of(on("2027-03-10 10:00")))
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

#[tokio::test]
async fn who_leaves_counts_with_what_it_paid_at_the_last_close() {
    let world = World::new();
    let segmentation = closed(&world).await;
    world.change("2027-03-10 10:00", &[("iron", 0)]);
    // Within the day it makes no difference how often an account was looked at before.
    world.change("2027-03-10 11:00", &[("gold", 70_000)]);
    let position = world.change("2027-03-10 12:00", &[("gold", 0)]);
    let ranked = by_value(&segmentation, &position).await;
    assert_eq!(
        ranked[..2],
        [
            ("gold".to_owned(), "not_paying".to_owned(), 18_000_000),
            ("iron".to_owned(), "not_paying".to_owned(), 120_000)
        ]
    );

    // A process that did not see the close knows as much.
    world.put(&[("gold", 900_000), ("iron", 60_000)]);
    let position = world.close("2027-03-10");
    segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    segmentation.stop();
    let segmentation = world.start();
    let position = world.change("2027-03-11 10:00", &[("gold", 0), ("iron", 800_000)]);
    let ranked = by_value(&segmentation, &position).await;
    let left = ("gold".to_owned(), "not_paying".to_owned(), 10_800_000);
    assert!(ranked.contains(&left), "{ranked:?}");
    // Upwards counts what the account is worth now.
    let grown = ("iron".to_owned(), "high".to_owned(), 9_600_000);
    assert!(ranked.contains(&grown), "{ranked:?}");
}

/// Who moved where, ranked by value at risk.
async fn by_value(segmentation: &Segmentation, position: &str) -> Vec<(String, String, i64)> {
    let request = pb::ListTransitionsRequest {
        segmentation: TIERS.to_owned(),
        at: at(position),
        order: pb::TransitionOrder::ValueAtRisk.into(),
        ..pb::ListTransitionsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_transitions(about(request)).await.unwrap();
    let told = answer.into_inner().transitions.into_iter();
    told.map(|one| {
        (
            one.account.unwrap().id,
            one.to_segment,
            one.value_minor.unwrap_or_default(),
        )
    })
    .collect()
}

#[tokio::test]
async fn a_move_that_its_day_takes_back_puts_nothing_at_risk() {
    let world = World::new();
    let segmentation = closed(&world).await;
    // Gold falls and is back at the close, iron rises and is not; only zinc has moved in the end.
    world.change("2027-03-10 10:00", &[("zinc", 60_000)]);
    let position = world.close("2027-03-10");
    segmentation
        .membership("zinc", at(&position))
        .await
        .unwrap();
    world.change("2027-03-11 12:00", &[("gold", 0), ("iron", 250_000)]);
    let position = world.change("2027-03-11 12:30", &[("zinc", 0)]);
    let at_noon = [
        ("gold", "not_paying", 18_000_000),
        ("zinc", "not_paying", 720_000),
    ];
    let at_noon = at_noon.map(|(id, to, value)| (id.to_owned(), to.to_owned(), value));
    assert_eq!(by_value(&segmentation, &position).await[..2], at_noon);

    world.put(&[("gold", 1_500_000), ("iron", 10_000)]);
    let position = world.close("2027-03-11");
    let request = pb::ListTransitionsRequest {
        segmentation: TIERS.to_owned(),
        since: on("2027-03-11"),
        at: at(&position),
        order: pb::TransitionOrder::ValueAtRisk.into(),
        ..pb::ListTransitionsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_transitions(about(request)).await.unwrap();
    let listed: Vec<(String, String, bool)> = answer
        .into_inner()
        .transitions
        .into_iter()
        .map(|one| (one.account.unwrap().id, one.to_segment, one.downward))
        .collect();
    let expected = [
        ("zinc", "not_paying", true),
        ("gold", "strategic", false),
        ("iron", "low", false),
        // What the close has taken back.
        ("gold", "not_paying", true),
        ("iron", "high", false),
    ];
    let expected = expected.map(|(id, to, down)| (id.to_owned(), to.to_owned(), down));
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_transition_names_the_models_that_its_segmenter_reads() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("gold", 1_500_000)]);
    let versions = |day: &str| ["rfm", "mrr_percentile"].map(|model| format!("{model}/{day}"));
    let position = world.tell(Evaluation {
        as_of: end_of("2027-03-09"),
        known_at: end_of("2027-03-09"),
        closed_on: Some(time::date(Day::parse("2027-03-09").unwrap())),
        all_accounts: true,
        model_versions: versions("2027-03-09").to_vec(),
        ..Evaluation::default()
    });
    let moved = segmentation.transitions("gold", at(&position)).await;
    assert_eq!(moved[0].model_version, "mrr_percentile/2027-03-09");

    let freshness = async |segmentation: &Segmentation| {
        let request = pb::GetMembershipRequest {
            account: Some(account_ref("gold")),
            segmentation: TIERS.to_owned(),
            at: at(&position),
        };
        let mut client = segmentation.client.clone();
        let answer = client.get_membership(about(request)).await.unwrap();
        answer.into_inner().freshness().unwrap().model_version
    };
    let expected = "rfm/2027-03-09, mrr_percentile/2027-03-09";
    assert_eq!(freshness(&segmentation).await, expected);
    segmentation.stop();
    assert_eq!(freshness(&world.start()).await, expected);
}

#[tokio::test]
async fn the_reasons_of_now_are_told_beside_those_of_the_entry() {
    let world = World::new();
    let segmentation = closed(&world).await;
    // Higher, and still in the same segment.
    let position = world.change("2027-03-10 10:00", &[("gold", 1_900_000)]);
    let request = pb::ListMembersRequest {
        segmentation: TIERS.to_owned(),
        segments: vec!["strategic".to_owned()],
        at: at(&position),
        ..pb::ListMembersRequest::default()
    };
    let mut client = segmentation.client.clone();
    let listed = client.list_members(about(request.clone())).await.unwrap();
    let listed = listed.into_inner().members.remove(0).membership.unwrap();
    let told = pb::ListMembershipsRequest {
        account: Some(account_ref("gold")),
        at: at(&position),
        ..pb::ListMembershipsRequest::default()
    };
    let of_account = client.list_memberships(about(told)).await.unwrap();
    let of_account = of_account.into_inner().memberships.remove(0);
    for membership in [listed, of_account] {
        assert_eq!(membership.entered_at, end_of("2027-03-09"));
        let (then, now) = (&membership.reasons[0], &membership.current_reasons[0]);
        assert_eq!(then.value, "1500000");
        assert!(then.text.contains("15,000.00"), "{}", then.text);
        assert_eq!(
            (now.value.as_str(), now.previous_value.as_str()),
            ("1900000", "1500000")
        );
        assert!(now.text.contains("19,000.00"), "{}", now.text);
    }

    // The past has the reasons of then alone.
    let past = pb::ListMembersRequest {
        at: as_of(end_of("2027-03-09")),
        ..request
    };
    let past = client.list_members(about(past)).await.unwrap();
    let past = past.into_inner().members.remove(0).membership.unwrap();
    assert_eq!(past.reasons[0].value, "1500000");
    assert_eq!(past.current_reasons, []);
}

#[tokio::test]
async fn an_account_of_a_tenant_without_segmentations_is_in_none() {
    let world = World::new();
    let position = world.change("2027-03-15 10:00", &[("acme", 100_000)]);
    let segmentation = world.start();
    let request = pb::ListMembershipsRequest {
        account: Some(account_ref("acme")),
        at: at(&position),
        ..pb::ListMembershipsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_memberships(about(request)).await.unwrap();
    assert_eq!(answer.into_inner().memberships, []);
    let request = pb::ListTransitionsRequest {
        account: Some(account_ref("acme")),
        at: at(&position),
        ..pb::ListTransitionsRequest::default()
    };
    let answer = client.list_transitions(about(request)).await.unwrap();
    assert_eq!(answer.into_inner().transitions, []);
}
