//! States and ages.

use std::time::Duration;

use tonic::Status;

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{FreshnessState, ReadAt};
use sextant_proto::segmentation::v1 as pb;

use crate::world::{
    START, Segmentation, TIERS, World, about, account_ref, at, on, position, reason,
};

async fn state(segmentation: &Segmentation, at: Option<ReadAt>) -> Result<FreshnessState, Status> {
    let request = pb::GetMembershipRequest {
        account: Some(account_ref("acme")),
        segmentation: TIERS.to_owned(),
        at,
    };
    let mut client = segmentation.client.clone();
    let answer = client.get_membership(about(request)).await?.into_inner();
    Ok(answer.freshness().unwrap().state())
}

fn within(ms: i64) -> Option<ReadAt> {
    Some(ReadAt {
        require_fresh_within_ms: ms,
        ..ReadAt::default()
    })
}

#[tokio::test]
async fn a_membership_is_stale_where_scoring_is_not_heard() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let position = world.change("2027-03-15 10:00", &[("acme", 100_000)]);
    let fresh = state(&segmentation, at(&position)).await.unwrap();
    assert_eq!(fresh, FreshnessState::Fresh);
    segmentation.stop();

    world.scoring.silence();
    let segmentation = world.start();
    world.hand.set(START.plus_us(5_000_000));
    assert_eq!(
        reason(state(&segmentation, within(4_999)).await),
        "FRESHNESS_NOT_MET"
    );
    let young = state(&segmentation, within(5_000)).await.unwrap();
    assert_eq!(young, FreshnessState::Fresh);
    world.hand.set(START.plus_us(11_000_000));
    let old = state(&segmentation, None).await.unwrap();
    assert_eq!(old, FreshnessState::Stale);
}

async fn says(segmentation: &Segmentation, expected: FreshnessState, at: Option<ReadAt>) {
    let told = async {
        while state(segmentation, at.clone()).await.unwrap() != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_membership_is_stale_where_scoring_lives_and_is_behind_ingestion() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let before = world.change("2027-03-15 10:00", &[("acme", 100_000)]);
    says(&segmentation, FreshnessState::Fresh, at(&before)).await;
    // Both feeds are heard.
    let mut now = START.plus_us(2_000);
    world.hand.set(now);
    while state(&segmentation, within(1)).await.is_err() {
        tokio::task::yield_now().await;
    }
    world.ingestion.grows_to(2);
    while state(&segmentation, within(1)).await.is_ok() {
        now = now.plus_us(1_000);
        world.hand.set(now);
    }
    // Known of for some milliseconds, which taking in may need.
    let young = state(&segmentation, None).await.unwrap();
    assert_eq!(young, FreshnessState::Fresh);
    world.hand.set(now.plus_us(1_000_000));
    let old = state(&segmentation, None).await.unwrap();
    assert_eq!(old, FreshnessState::Stale);
    assert_eq!(
        reason(state(&segmentation, within(1_000)).await),
        "FRESHNESS_NOT_MET"
    );
    let after = world.change("2027-03-15 11:00", &[("acme", 2_000_000)]);
    says(&segmentation, FreshnessState::Fresh, at(&after)).await;
}

#[tokio::test]
async fn a_membership_that_cannot_be_evaluated_again_says_so_until_it_is() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let before = world.change("2027-03-15 10:00", &[("acme", 100_000)]);
    says(&segmentation, FreshnessState::Fresh, at(&before)).await;
    world.scoring.withhold_columns(true);
    let after = world.change("2027-03-15 11:00", &[("acme", 2_000_000)]);
    says(&segmentation, FreshnessState::Failed, at(&before)).await;
    world.scoring.withhold_columns(false);
    says(&segmentation, FreshnessState::Fresh, at(&after)).await;
}

#[tokio::test]
async fn a_moment_is_answered_once_the_clock_has_reached_it() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let first = world.change("2027-03-15 10:00", &[("acme", 100_000)]);
    let read = |moment: &str, known_at: &str, position: &str| ReadAt {
        as_of: on(moment),
        known_at: on(known_at),
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    };
    let (now, later) = ("2027-03-15 10:00", "2027-03-15 11:00");
    state(&segmentation, Some(read(now, now, &first)))
        .await
        .unwrap();
    assert_eq!(
        world.scoring.clock_asked(),
        "",
        "an evaluation is about a moment that has passed"
    );
    for (moment, known_at, field) in [(later, now, "at.as_of"), (now, later, "at.known_at")] {
        let at = Some(read(moment, known_at, &first));
        let refused = state(&segmentation, at.clone()).await.unwrap_err();
        let expected = format!(
            "{field}: 2027-03-15T11:00:00Z is ahead of the tenant's clock, which has reached 2027-03-15T10:00:00Z"
        );
        assert!(refused.message().starts_with(&expected), "{refused:?}");
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        assert_eq!(reason::<()>(Err(refused)), "FIELD_INVALID");
        let refused = segmentation.membership("acme", at).await;
        assert_eq!(reason(refused), "FIELD_INVALID");
    }
    assert_eq!(
        world.scoring.clock_asked(),
        first,
        "scoring knows at least what the caller knows"
    );

    // The clock has moved, and nothing was evaluated at that moment: scoring is the one to know.
    let moved = Instant::parse("2027-03-15T11:00:00Z").unwrap();
    world.scoring.move_clock(moved);
    state(&segmentation, Some(read(later, later, &first)))
        .await
        .unwrap();

    // The caller knows of a move of which this service hears only now.
    let second = position(2);
    let noon = "2027-03-15 12:00";
    let waiting = state(&segmentation, Some(read(noon, noon, &second)));
    let told = async { world.change(noon, &[("acme", 2_000_000)]) };
    let (answer, told) = tokio::join!(waiting, told);
    assert_eq!((answer.unwrap(), told), (FreshnessState::Fresh, second));
}
