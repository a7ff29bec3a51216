//! States and ages.

use std::time::Duration;

use tonic::Status;

use sextant_proto::common::v1::{FreshnessState, ReadAt};
use sextant_proto::segmentation::v1 as pb;

use crate::world::{START, Segmentation, TIERS, World, about, account_ref, at, reason};

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
