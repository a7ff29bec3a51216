//! Point reads through caches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sextant_store::BoxFuture;
use sextant_store::cache::{Cache, Entry, InProcess};

use crate::world::{World, at, end_of, on};

/// A cache that counts what it answered, and fails when it is told to.
#[derive(Debug)]
struct Counting {
    inner: InProcess,
    n_hits: AtomicUsize,
    takes_nothing: AtomicBool,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InProcess::new(1 << 20, Duration::from_secs(600)),
            n_hits: AtomicUsize::new(0),
            takes_nothing: AtomicBool::new(false),
        })
    }

    /// True: from now on nothing is put.
    fn take_nothing(&self, takes_nothing: bool) {
        self.takes_nothing.store(takes_nothing, Ordering::Relaxed);
    }

    /// Hits since this was asked last.
    fn hits(&self) -> usize {
        self.n_hits.swap(0, Ordering::Relaxed)
    }
}

impl Cache for Counting {
    fn get<'a>(&'a self, key: &'a str, floor: u64) -> BoxFuture<'a, Option<Entry>> {
        Box::pin(async move {
            let found = self.inner.get(key, floor).await;
            self.n_hits
                .fetch_add(usize::from(found.is_some()), Ordering::Relaxed);
            found
        })
    }

    fn put<'a>(&'a self, entries: &'a [(String, Entry)]) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            !self.takes_nothing.load(Ordering::Relaxed) && self.inner.put(entries).await
        })
    }
}

/// Reads from a near cache, then from a far one.
fn caches(near: &Arc<Counting>, far: &Arc<Counting>) -> Vec<Arc<dyn Cache>> {
    vec![Arc::<Counting>::clone(near), Arc::<Counting>::clone(far)]
}

#[tokio::test]
async fn a_cached_answer_equals_the_stored_one_and_changes_with_evaluations_and_closes() {
    let world = World::new();
    let (near, far) = (Counting::new(), Counting::new());
    let segmentation = world.start_with(caches(&near, &far));
    segmentation.create_tiers().await;
    world.put(&[("gold", 1_500_000)]);
    let position = world.close("2027-03-09");
    let stored = segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    assert_eq!((near.hits(), far.hits()), (0, 0));
    let cached = segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    assert_eq!((near.hits(), far.hits()), (1, 0));
    assert_eq!(cached, stored);

    // An evaluation renews what it changed.
    let position = world.change("2027-03-10 10:00", &[("gold", 60_000)]);
    assert_eq!(segmentation.segment("gold", at(&position)).await, "medium");
    assert_eq!((near.hits(), far.hits()), (1, 0));

    // What it did not change is true of it as well.
    let position = world.change("2027-03-10 10:30", &[("gold", 70_000)]);
    assert_eq!(segmentation.segment("gold", at(&position)).await, "medium");
    assert_eq!((near.hits(), far.hits()), (1, 0));

    // So does a correction of the past.
    world.scoring.learn("2027-03-09", "gold", 70_000);
    let before = segmentation.membership("gold", None).await.unwrap();
    let position = world.late("2027-03-10 10:40", &[("gold", "2027-03-09")]);
    let corrected = segmentation.membership("gold", at(&position)).await;
    assert_eq!(before.entered_at, on("2027-03-10 10:00"));
    assert_eq!(corrected.unwrap().entered_at, end_of("2027-03-09"));
    let cached = segmentation.membership("gold", None).await.unwrap();
    assert_eq!(cached.entered_at, end_of("2027-03-09"));

    // A close leaves everything behind.
    near.hits();
    far.hits();
    world.put(&[("gold", 300_000)]);
    let position = world.close("2027-03-10");
    let closed = segmentation
        .membership("gold", at(&position))
        .await
        .unwrap();
    assert_eq!((near.hits(), far.hits()), (0, 0));
    assert_eq!(closed.segment, "high");
    assert!(!closed.provisional);
    assert_eq!(segmentation.membership("gold", None).await.unwrap(), closed);
    assert_eq!((near.hits(), far.hits()), (1, 0));
}

#[tokio::test]
async fn a_nearer_cache_learns_from_a_farther_one() {
    let world = World::new();
    let far = Counting::new();
    let first = world.start_with(vec![Arc::<Counting>::clone(&far)]);
    first.create_tiers().await;
    world.put(&[("gold", 1_500_000)]);
    let position = world.close("2027-03-09");
    let stored = first.membership("gold", at(&position)).await.unwrap();
    first.stop();

    let near = Counting::new();
    let second = world.start_with(caches(&near, &far));
    let from_far = second.membership("gold", at(&position)).await.unwrap();
    assert_eq!((near.hits(), far.hits()), (0, 1));
    let from_near = second.membership("gold", at(&position)).await.unwrap();
    assert_eq!((near.hits(), far.hits()), (1, 0));
    assert_eq!((&from_far, &from_near), (&stored, &stored));
}

#[tokio::test]
async fn what_a_cache_did_not_take_is_not_answered_from_there() {
    let world = World::new();
    let (near, far) = (Counting::new(), Counting::new());
    let segmentation = world.start_with(caches(&near, &far));
    segmentation.create_tiers().await;
    world.put(&[("gold", 1_500_000), ("iron", 60_000)]);
    let position = world.close("2027-03-09");
    for account in ["gold", "iron"] {
        segmentation.segment(account, at(&position)).await;
    }
    near.take_nothing(true);
    let position = world.change("2027-03-10 10:00", &[("gold", 60_000)]);
    segmentation.transitions("gold", at(&position)).await;
    near.take_nothing(false);
    assert_eq!(segmentation.segment("gold", None).await, "medium");
    assert_eq!((near.hits(), far.hits()), (0, 1));
    assert_eq!(segmentation.segment("gold", None).await, "medium");
    assert_eq!((near.hits(), far.hits()), (1, 0));

    // What the far one does not take leaves the near one as it is.
    far.take_nothing(true);
    let position = world.change("2027-03-10 11:00", &[("gold", 300_000)]);
    segmentation.transitions("gold", at(&position)).await;
    assert_eq!(segmentation.segment("gold", None).await, "high");
    assert_eq!((near.hits(), far.hits()), (1, 0));
}

#[tokio::test]
async fn what_another_process_has_changed_is_not_answered_from_the_caches_of_this_one() {
    let world = World::new();
    let nears = [Counting::new(), Counting::new()];
    // As if the one that stores died before it has put anything there.
    let far = Counting::new();
    let both = nears
        .each_ref()
        .map(|near| world.start_with(caches(near, &far)));
    both[0].create_tiers().await;
    world.put(&[("gold", 1_500_000)]);
    let position = world.close("2027-03-09");
    for one in &both {
        assert_eq!(one.segment("gold", at(&position)).await, "strategic");
    }
    far.take_nothing(true);
    let position = world.change("2027-03-10 10:00", &[("gold", 60_000)]);
    for one in &both {
        one.transitions("gold", at(&position)).await;
        assert_eq!(one.segment("gold", None).await, "medium");
    }
}

#[tokio::test]
async fn what_was_not_renewed_before_a_start_is_not_answered_after_it() {
    let world = World::new();
    let far = Counting::new();
    let first = world.start_with(vec![Arc::<Counting>::clone(&far)]);
    first.create_tiers().await;
    world.put(&[("gold", 1_500_000)]);
    let position = world.close("2027-03-09");
    assert_eq!(first.segment("gold", at(&position)).await, "strategic");
    far.take_nothing(true);
    let position = world.change("2027-03-10 10:00", &[("gold", 60_000)]);
    first.transitions("gold", at(&position)).await;
    first.stop();
    far.take_nothing(false);
    let second = world.start_with(vec![Arc::<Counting>::clone(&far)]);
    assert_eq!(second.segment("gold", None).await, "medium");
}
