//! What is in memory can be lost at any time.

use sextant_proto::common::v1::FreshnessState;
use sextant_proto::scoring::v1::Evaluation;
use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, TIERS, World, about, at, on};

/// One answer of every kind.
type Answers = (
    pb::Membership,
    Vec<pb::Transition>,
    pb::ListSegmentsResponse,
    pb::ListMembersResponse,
);

async fn answers(segmentation: &Segmentation, position: &str) -> Answers {
    let mut client = segmentation.client.clone();
    let segments = pb::ListSegmentsRequest {
        segmentation: TIERS.to_owned(),
        at: at(position),
        sum_features: vec!["revenue.mrr_minor".to_owned()],
        ..pb::ListSegmentsRequest::default()
    };
    let members = pb::ListMembersRequest {
        segmentation: TIERS.to_owned(),
        at: at(position),
        ..pb::ListMembersRequest::default()
    };
    (
        segmentation.membership("a", at(position)).await.unwrap(),
        segmentation.transitions("a", at(position)).await,
        client
            .list_segments(about(segments))
            .await
            .unwrap()
            .into_inner(),
        client
            .list_members(about(members))
            .await
            .unwrap()
            .into_inner(),
    )
}

async fn script(world: &World, segmentation: &Segmentation) -> String {
    segmentation.create_tiers().await;
    world.put(&[("a", 1_500_000), ("b", 60_000)]);
    world.scoring.put("c", None);
    world.close("2027-03-09");
    world.change("2027-03-10 10:00", &[("a", 300_000)])
}

#[tokio::test]
async fn a_new_instance_over_the_same_store_answers_equally() {
    let world = World::new();
    let segmentation = world.start();
    let position = script(&world, &segmentation).await;
    let before = answers(&segmentation, &position).await;
    assert_eq!(before.1.len(), 2);
    let freshness = before.2.freshness.as_ref().unwrap();
    assert_eq!(
        (freshness.as_of, freshness.watermark),
        (on("2027-03-10 10:00"), on("2027-03-10 10:00"))
    );
    segmentation.stop();
    let segmentation = world.start();
    assert_eq!(answers(&segmentation, &position).await, before);

    // And goes on from there: the close confirms, and who moves has the old reason.
    let position = world.close("2027-03-10");
    let closed = segmentation.membership("a", at(&position)).await.unwrap();
    assert!(!closed.provisional);
    let position = world.change("2027-03-11 10:00", &[("a", 60_000)]);
    let transitions = segmentation.transitions("a", at(&position)).await;
    assert_eq!(transitions.len(), 3);
    assert_eq!(transitions[0].reasons[0].previous_value, "300000");
}

#[tokio::test]
async fn an_instance_that_was_overtaken_answers_like_the_other() {
    let world = World::new();
    let segmentation = world.start();
    let position = script(&world, &segmentation).await;
    let other = world.start();
    let before = answers(&segmentation, &position).await;
    assert_eq!(answers(&other, &position).await, before);
    // Both have the tenant in memory; one stores, the other is fenced or comes too late.
    for minute in 10..30 {
        let at = format!("2027-03-10 11:{minute}");
        world.change(&at, &[("b", i64::from(minute) * 20_000)]);
    }
    let position = world.close("2027-03-10");
    let (one, two) = tokio::join!(
        answers(&segmentation, &position),
        answers(&other, &position)
    );
    assert_eq!(one, two);
}

#[tokio::test]
async fn what_another_process_stored_while_this_one_was_loading_can_be_read() {
    let world = World::new();
    world.put(&[("a", 60_000)]);
    let position = world.close("2027-03-09");
    let stopped = world.scoring.stop_next_load();
    let slow = world.start();
    stopped.is_there.await.unwrap();
    let fast = world.start();
    fast.create_tiers().await;
    let expected = fast.membership("a", at(&position)).await.unwrap();
    stopped.go_on.send(()).unwrap();
    let told = slow.membership("a", at(&position)).await.unwrap();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn history_that_is_being_evaluated_is_remembered() {
    let world = World::new();
    let segmentation = world.start();
    let position = script(&world, &segmentation).await;
    segmentation.membership("a", at(&position)).await.unwrap();
    world.tell(Evaluation {
        as_of: on("2027-03-10 11:00"),
        known_at: on("2027-03-10 11:00"),
        backfilling: true,
        ..Evaluation::default()
    });
    let told = async |segmentation: &Segmentation| {
        loop {
            let (_, _, segments, _) = answers(segmentation, &position).await;
            if segments.freshness.unwrap().state() == FreshnessState::Backfilling {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, told(&segmentation))
        .await
        .unwrap();
    segmentation.stop();
    tokio::time::timeout(patience, told(&world.start()))
        .await
        .unwrap();
}
