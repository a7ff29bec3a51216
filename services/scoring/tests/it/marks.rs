//! A fixed clock that is moved, in tenants with several slices: its mark comes after all facts that were stored before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use sextant_domain::id::Slice;
use sextant_proto::common::v1::{Date, ReadAt};
use sextant_proto::ingestion::v1::{HistorySchedule, StoredFact};
use sextant_proto::scoring::v1::{Evaluation, Model};
use sextant_store::{BoxFuture, Error, Result};
use sextant_wire::time;

use crate::facts::{account, day, instant, known, on, payment};
use crate::guarded::{Guard, Guarded};
use crate::reload::{Draw, SEED};
use crate::world::{ACME, NOW, Scoring, World, value};

const N_ACCOUNTS: u64 = 20;
const SECOND: &str = "2027-03-11 12:00";
const THIRD: &str = "2027-03-14 12:00";

fn names() -> impl Iterator<Item = String> {
    (1..=N_ACCOUNTS).map(|number| format!("a{number}"))
}

/// Every account pays, which becomes known when the clock stands at `clock`.
fn pay(world: &World, clock: &str, at: &str) {
    for (name, minor) in names().zip(1_000..) {
        world.facts_of(&name, vec![known(clock, payment(&name, at, minor))]);
    }
}

/// A tenant whose accounts have paid once, as scoring knows.
async fn world(n_slices: u16) -> (World, Scoring) {
    let world = World::with(n_slices, on(NOW));
    for name in names() {
        let first = payment(&name, "2027-03-05", 1_000);
        world.facts_of(&name, vec![account(&name, "2027-03-05"), first]);
    }
    let scoring = world.start();
    closed(&scoring, "2027-03-09").await;
    for name in names() {
        while scoring.features(&name, None).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    (world, scoring)
}

async fn closed(scoring: &Scoring, on: &str) {
    while scoring.clock().await.closed_on != Some(day(on)) {
        tokio::task::yield_now().await;
    }
}

/// What the close of a day knows of how often each account has paid.
async fn counts(scoring: &Scoring, closed_on: &str) -> Vec<String> {
    let day = instant(closed_on).plus_us(24 * 3_600 * 1_000_000 - 1);
    let moment = Some(time::timestamp(day));
    let mut counts = Vec::new();
    for name in names() {
        let then = ReadAt {
            as_of: moment,
            known_at: moment,
            ..ReadAt::default()
        };
        let answer = scoring.features(&name, Some(then)).await.unwrap();
        counts.push(value(&answer.features, "purchase.count"));
    }
    counts
}

#[tokio::test]
async fn the_close_of_a_day_knows_all_that_came_on_it_whichever_slice_hears_first_that_it_is_over()
{
    let mut models: Option<Vec<Model>> = None;
    for n_slices in [1, 4] {
        for first in (0..n_slices).map(Slice) {
            let (world, scoring) = world(n_slices).await;
            world.ingestion.be_quiet();
            pay(&world, NOW, "2027-03-10 09:00");
            world.advance(SECOND);
            pay(&world, SECOND, "2027-03-11 09:00");
            let position = world.advance(THIRD);
            world.ingestion.tell(ACME, first);
            closed(&scoring, "2027-03-13").await;
            let others = (0..n_slices).map(Slice).filter(|slice| *slice != first);
            others.for_each(|slice| world.ingestion.tell(ACME, slice));
            assert_eq!(scoring.clock_at(&position).await.now, on(THIRD));
            for (closed_on, expected) in [("2027-03-10", "2"), ("2027-03-11", "3")] {
                let counts = counts(&scoring, closed_on).await;
                assert!(counts.iter().all(|count| count == expected), "{counts:?}");
            }
            let told = scoring.models().await;
            assert_eq!(&told, models.get_or_insert_with(|| told.clone()));
            let feed = scoring.feed(first).await;
            assert!(feed.iter().all(|entry| entry.late.is_empty()), "{feed:?}");
        }
    }
}

#[tokio::test]
async fn facts_from_before_the_clock_was_moved_come_first_although_the_tenant_shows_where_it_stands_now()
 {
    for n_slices in [1, 3] {
        let world = World::with(n_slices, on(NOW));
        for name in names() {
            let first = payment(&name, "2027-03-05", 1_000);
            world.facts_of(&name, vec![account(&name, "2027-03-05"), first]);
        }
        world.ingestion.be_quiet();
        pay(&world, NOW, "2027-03-10 09:00");
        let position = world.advance(SECOND);
        // It hears of what was stored at first, and reads that the clock stands later.
        let scoring = world.start();
        closed(&scoring, "2027-03-10").await;
        let counts = counts(&scoring, "2027-03-10").await;
        assert!(counts.iter().all(|count| count == "2"), "{counts:?}");
        (0..n_slices).for_each(|slice| world.ingestion.tell(ACME, Slice(slice)));
        assert_eq!(scoring.clock_at(&position).await.now, on(SECOND));
    }
}

/// Purchases, of which some come on two days on which the clock stands still, and an import between them.
struct Script {
    buyers: Vec<(String, Vec<StoredFact>)>,
}

impl Script {
    fn new(n_buyers: u64) -> Self {
        let mut draw = Draw(SEED);
        let buyer = |number| {
            let name = format!("buyer{number:03}");
            let facts = [vec![account(&name, "2027-01-01")], draw.purchases(&name)].concat();
            (name, facts)
        };
        Self {
            buyers: (1..=n_buyers).map(buyer).collect(),
        }
    }

    const N_STEPS: usize = 7;

    /// Stores a part; returns the position behind it where a mark ends it.
    fn step(&self, world: &World, number: usize) -> Option<String> {
        let pays = |clock, at: &str| {
            for (place, (name, _)) in self.buyers.iter().enumerate() {
                if place % 3 == number % 3 {
                    world.facts_of(name, vec![known(clock, payment(name, at, 2_000))]);
                }
            }
        };
        match number {
            0 => {
                let facts = self.buyers.iter();
                facts.for_each(|(name, facts)| world.facts_of(name, facts.clone()));
            },
            1 => pays(NOW, "2027-03-10 09:00"),
            2 => return Some(world.advance(SECOND)),
            3 => pays(SECOND, "2027-03-10 23:00"),
            4 => {
                world.open_import();
                let (name, _) = self.buyers.last().unwrap();
                world.facts_of(name, vec![payment(name, "2027-02-01", 7_000)]);
                return Some(world.complete_import(HistorySchedule::Daily));
            },
            5 => pays(SECOND, "2027-03-11 10:00"),
            _ => return Some(world.advance(THIRD)),
        }
        None
    }
}

impl Script {
    /// Stores all of it; returns the position behind it.
    fn whole(&self, world: &World) -> String {
        let mut position = None;
        for number in 0..Self::N_STEPS {
            position = self.step(world, number).or(position);
        }
        position.unwrap()
    }
}

/// All models, and what is told of the closes that come of moved clocks.
async fn picture(scoring: &Scoring, n_slices: u16) -> (Vec<Model>, Vec<Vec<Evaluation>>) {
    let mut closes = Vec::new();
    for slice in (0..n_slices).map(Slice) {
        let mut feed = scoring.feed(slice).await;
        let is_close =
            |closed_on: Option<&Date>| closed_on.is_some_and(|day| day.month == 3 && day.day > 9);
        feed.retain(|entry| is_close(entry.closed_on.as_ref()));
        feed.iter_mut().for_each(|entry| entry.sequence = 0);
        closes.push(feed);
    }
    (scoring.models().await, closes)
}

/// What comes of the script where each step is taken in before the next one.
async fn step_by_step(script: &Script, n_slices: u16) -> (Vec<Model>, Vec<Vec<Evaluation>>) {
    let world = World::with(n_slices, on(NOW));
    let scoring = world.start();
    for number in 0..Script::N_STEPS {
        if let Some(position) = script.step(&world, number) {
            scoring.clock_at(&position).await;
        }
    }
    picture(&scoring, n_slices).await
}

#[tokio::test]
async fn a_start_over_a_backlog_with_several_marks_closes_what_was_closed_as_they_came() {
    let script = Script::new(60);
    for n_slices in [1, 3] {
        let expected = step_by_step(&script, n_slices).await;
        let world = World::with(n_slices, on(NOW));
        let position = script.whole(&world);
        let scoring = world.start();
        scoring.clock_at(&position).await;
        assert_eq!(picture(&scoring, n_slices).await, expected);
    }
}

/// Lets so many commits pass, and none after them.
#[derive(Debug)]
struct Dying {
    left: AtomicUsize,
    has_died: watch::Sender<bool>,
}

impl Guard for Dying {
    fn admit(&self, _is_close: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let less = |left: usize| left.checked_sub(1);
            let left = self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            left.map(drop).map_err(|_none_left| {
                self.has_died.send_replace(true);
                Error::unavailable("committing scores", "dead")
            })
        })
    }
}

#[tokio::test]
async fn whoever_goes_on_after_a_death_closes_what_would_have_been_closed() {
    let script = Script::new(4);
    let n_slices = 3;
    let expected = step_by_step(&script, n_slices).await;
    for n_commits in 0.. {
        let world = World::with(n_slices, on(NOW));
        let position = script.whole(&world);
        let mortal = Arc::new(Guarded {
            inner: world.store.scoring(),
            guard: Dying {
                left: AtomicUsize::new(n_commits),
                has_died: watch::Sender::new(false),
            },
        });
        let scoring = world.start_over(Arc::<Guarded<Dying>>::clone(&mortal));
        let mut died = mortal.guard.has_died.subscribe();
        let lives = tokio::select! {
            _ = died.wait_for(|died| *died) => false,
            _ = scoring.clock_at(&position) => true,
        };
        scoring.stop();
        let scoring = world.start();
        scoring.clock_at(&position).await;
        let found = picture(&scoring, n_slices).await;
        assert_eq!(found, expected, "after {n_commits} commits");
        if lives {
            assert!(n_commits > 20, "{n_commits}");
            return;
        }
    }
}
