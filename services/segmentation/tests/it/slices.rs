//! A tenant whose accounts are spread over slices, of which only some have been told of.

use std::sync::Arc;
use std::time::Duration;

use sextant_domain::id::{ExternalId, Slice};
use sextant_proto::segmentation::v1 as pb;
use sextant_store::cache::InProcess;

use crate::world::{World, about, at};

const N_SLICES: u16 = 4;
const FIRST: Slice = Slice(1);
const LAST: Slice = Slice(3);
const MEDIUM: i64 = 60_000;
const HIGH: i64 = 300_000;

/// The name of an account of a slice.
fn account(slice: Slice) -> String {
    let names = (0..).map(|number| format!("a{number}"));
    let mut own = names.filter(|name| {
        let id = ExternalId::parse(name).unwrap();
        Slice::of_account(&id, N_SLICES) == slice
    });
    own.next().unwrap()
}

#[tokio::test]
async fn an_account_is_read_in_its_own_slice_before_all_slices_are_heard_of() {
    let world = World::new();
    world.scoring.spread(N_SLICES);
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let (first, last) = (account(FIRST), account(LAST));
    for minute in 10..20 {
        let position = world.change_in(FIRST, &format!("2027-03-10 10:{minute}"), (&first, MEDIUM));
        segmentation.transitions(&first, at(&position)).await;
    }
    let position = world.change_in(LAST, "2027-03-10 10:30", (&last, MEDIUM));
    segmentation.transitions(&last, at(&position)).await;
    segmentation.stop();

    let cache = InProcess::new(1 << 20, Duration::from_secs(600));
    let segmentation = world.start_with(vec![Arc::new(cache)]);
    assert_eq!(segmentation.segment(&last, None).await, "medium");

    let position = world.change_in(LAST, "2027-03-10 10:40", (&last, HIGH));
    segmentation.transitions(&last, at(&position)).await;
    assert_eq!(segmentation.segment(&last, None).await, "high");
}

#[tokio::test]
async fn a_watch_begins_now_in_every_slice_before_all_are_heard_of() {
    let world = World::new();
    world.scoring.spread(N_SLICES);
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let (first, last) = (account(FIRST), account(LAST));
    for (slice, account) in [(FIRST, &first), (LAST, &last)] {
        let position = world.change_in(slice, "2027-03-10 10:00", (account, MEDIUM));
        segmentation.transitions(account, at(&position)).await;
    }
    let mut client = segmentation.client.clone();
    let request = pb::WatchTransitionsRequest::default();
    let stream = client.watch_transitions(about(request)).await;
    let mut stream = stream.unwrap().into_inner();
    world.change_in(LAST, "2027-03-10 11:00", (&last, HIGH));
    let told = loop {
        let answer = stream.message().await.unwrap().unwrap();
        if let Some(told) = answer.transitions.into_iter().next() {
            break told;
        }
    };
    assert_eq!(told.to_segment, "high");
}

#[tokio::test]
async fn between_the_closes_of_two_slices_nobody_is_read_as_before() {
    let world = World::new();
    world.scoring.spread(N_SLICES);
    let cache = InProcess::new(1 << 20, Duration::from_secs(600));
    let segmentation = world.start_with(vec![Arc::new(cache)]);
    segmentation.create_tiers().await;
    let (first, last) = (account(FIRST), account(LAST));
    world.put(&[(&first, MEDIUM), (&last, MEDIUM)]);
    for (slice, account) in [(FIRST, &first), (LAST, &last)] {
        let position = world.close_in(slice, "2027-03-09");
        segmentation.transitions(account, at(&position)).await;
        assert_eq!(segmentation.segment(account, None).await, "medium");
    }
    // Only the one is closed, and moves.
    world.put(&[(&first, HIGH)]);
    let position = world.close_in(FIRST, "2027-03-10");
    segmentation.transitions(&first, at(&position)).await;
    let closed = segmentation.membership(&first, None).await.unwrap();
    assert_eq!(
        (closed.segment.as_str(), closed.provisional),
        ("high", false)
    );
    let position = world.change_in(FIRST, "2027-03-11 10:00", (&first, MEDIUM));
    segmentation.transitions(&first, at(&position)).await;
    assert_eq!(segmentation.segment(&first, None).await, "medium");
}
