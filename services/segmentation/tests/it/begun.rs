//! What is stored of a segmentation is evaluated, whatever becomes of the request that made it.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tonic::{Status, Streaming};
use uuid::Uuid;

use sextant_proto::segmentation::v1 as pb;

use crate::gate::Stopped;
use crate::world::{Segmentation, TIERS, World, about, at, creation, end_of, on, reason};

const PATIENCE: Duration = Duration::from_secs(20);

/// A request that is stopped where its segmentation is stored and not evaluated yet.
struct Stored<'s> {
    request: pb::CreateSegmentationRequest,
    call: BoxFuture<'s, Result<pb::Segmentation, Status>>,
    stopped: Stopped,
}

impl<'s> Stored<'s> {
    async fn by(world: &World, segmentation: &'s Segmentation) -> Self {
        let request = pb::CreateSegmentationRequest {
            request_id: Uuid::now_v7().to_string(),
            ..creation(TIERS, "sextant.value_tiers", r#"{"mode":"cut_points"}"#)
        };
        let mut stopped = world.scoring.stop_next_columns();
        let mut call = segmentation.create_with(request.clone()).boxed();
        tokio::select! {
            here = &mut stopped.is_there => here.unwrap(),
            done = &mut call => panic!("nothing was evaluated: {done:?}"),
        }
        Self {
            request,
            call,
            stopped,
        }
    }

    /// The caller goes.
    fn given_up(self) -> pb::CreateSegmentationRequest {
        drop(self.call);
        self.request
    }
}

/// A process dies between storing a segmentation and evaluating it. Returns what it was asked for.
async fn dies(world: &World, segmentation: Segmentation) -> pb::CreateSegmentationRequest {
    let stored = Stored::by(world, &segmentation).await;
    segmentation.stop();
    stored.given_up()
}

/// A tenant with accounts and without segmentations, and the position of what there is.
async fn accounts(world: &World) -> (Segmentation, String) {
    let segmentation = world.start();
    world.put(&[("a", 1_500_000), ("b", 60_000)]);
    let position = world.close("2027-03-09");
    let unknown = segmentation.membership("a", at(&position)).await;
    assert_eq!(reason(unknown), "SEGMENTATION_UNKNOWN");
    (segmentation, position)
}

async fn watch(segmentation: &Segmentation) -> Streaming<pb::WatchTransitionsResponse> {
    let request = pb::WatchTransitionsRequest::default();
    let mut client = segmentation.client.clone();
    let answer = client.watch_transitions(about(request)).await.unwrap();
    let mut stream = answer.into_inner();
    stream.message().await.unwrap();
    stream
}

/// Returns when somebody has moved.
async fn told(mut stream: Streaming<pb::WatchTransitionsResponse>) {
    let told = tokio::time::timeout(PATIENCE, stream.message());
    let told = told.await.unwrap().unwrap().unwrap();
    assert_eq!(told.transitions.len(), 2);
}

#[tokio::test]
async fn a_segmentation_whose_process_died_before_it_was_evaluated_is_evaluated_by_the_next_one() {
    let world = World::new();
    let (segmentation, position) = accounts(&world).await;
    let request = dies(&world, segmentation).await;

    let next = world.start();
    let found = next.membership("a", at(&position)).await.unwrap();
    assert_eq!(found.segment, "strategic");
    assert_eq!(found.entered_at, end_of("2027-03-09"));
    next.create_with(request).await.unwrap();
    assert_eq!(next.membership("a", None).await.unwrap(), found);
    assert_eq!(next.transitions("a", None).await.len(), 1);
    assert_eq!(next.segment("b", None).await, "medium");
}

#[tokio::test]
async fn nobody_reads_of_no_accounts_while_they_are_evaluated_for_the_first_time() {
    let world = World::new();
    let (segmentation, _) = accounts(&world).await;
    let Stored { call, stopped, .. } = Stored::by(&world, &segmentation).await;
    let request = pb::ListSegmentsRequest {
        segmentation: TIERS.to_owned(),
        ..pb::ListSegmentsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let mut listing = client.list_segments(about(request)).boxed();
    let early = tokio::time::timeout(Duration::from_millis(50), &mut listing).await;
    assert!(early.is_err(), "{early:?}");
    stopped.go_on.send(()).unwrap();
    let (listed, made) = tokio::join!(listing, call);
    made.unwrap();
    assert_eq!(listed.unwrap().into_inner().accounts, 2);
}

#[tokio::test]
async fn a_segmentation_is_of_nothing_that_was_told_before_it_was_made() {
    let world = World::new();
    let segmentation = world.start();
    world.put(&[("a", 1_500_000), ("b", 60_000)]);
    for day in ["2027-03-07", "2027-03-08", "2027-03-09"] {
        world.close_unheard(day);
    }
    segmentation.create_tiers().await;
    let position = world.change("2027-03-10 10:00", &[("b", 300_000)]);
    let found = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(found.entered_at, end_of("2027-03-09"));
    for account in ["a", "b"] {
        let told = segmentation.transitions(account, None).await;
        assert_eq!(told.last().unwrap().at, end_of("2027-03-09"), "{account}");
    }
}

#[tokio::test]
async fn all_accounts_are_evaluated_before_those_that_an_entry_names() {
    let world = World::new();
    let (segmentation, _) = accounts(&world).await;
    dies(&world, segmentation).await;
    let now = "2027-03-10 10:00";
    let position = world.change(now, &[("b", 300_000)]);

    let next = world.start();
    for (account, segment) in [("a", "strategic"), ("b", "high")] {
        let found = next.membership(account, at(&position)).await.unwrap();
        assert_eq!(found.segment, segment);
        assert_eq!(found.entered_at, on(now));
        assert_eq!(next.transitions(account, None).await.len(), 1);
    }
}

#[tokio::test]
async fn a_segmentation_whose_request_was_given_up_is_evaluated_all_the_same() {
    let world = World::new();
    let (segmentation, position) = accounts(&world).await;
    let stream = watch(&segmentation).await;
    let stored = Stored::by(&world, &segmentation).await;
    let request = stored.given_up();
    told(stream).await;
    let found = segmentation.membership("a", at(&position)).await.unwrap();
    assert_eq!(found.segment, "strategic");
    segmentation.create_with(request).await.unwrap();
    assert_eq!(segmentation.transitions("a", None).await.len(), 1);
}

#[tokio::test]
async fn a_first_evaluation_that_fails_is_tried_again_until_it_does_not() {
    let world = World::new();
    let (segmentation, position) = accounts(&world).await;
    dies(&world, segmentation).await;

    world.scoring.withhold_columns(true);
    let next = world.start();
    let stream = watch(&next).await;
    let unknown = next.membership("a", at(&position)).await;
    assert_eq!(reason(unknown), "ACCOUNT_UNKNOWN");
    world.scoring.withhold_columns(false);
    told(stream).await;
    assert_eq!(next.segment("a", at(&position)).await, "strategic");
}
