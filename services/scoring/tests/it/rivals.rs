//! Two processes over one store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::time::timeout;

use sextant_domain::id::Slice;
use sextant_domain::time::Day;
use sextant_store::port::Scoring as _;
use sextant_store::{BoxFuture, Error, Result};
use sextant_wire::time::date;

use crate::facts::{account, day, event, payment};
use crate::failing::Failing;
use crate::guarded::{Guard, Guarded};
use crate::history;
use crate::world::{ACME, Scoring, World, at};

/// How long the survivor of two may take to go on.
const TAKE_OVER: Duration = Duration::from_secs(10);

/// Lets the first close wait until all rivals want to store the same one.
#[derive(Debug)]
struct Meeting {
    rivals: Arc<Barrier>,
    has_met: AtomicBool,
    /// True: facts are always stored by somebody else.
    refuses_facts: bool,
}

impl Guard for Meeting {
    fn admit(&self, is_close: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if is_close && !self.has_met.swap(true, Ordering::Relaxed) {
                self.rivals.wait().await;
            }
            if !is_close && self.refuses_facts {
                return Err(Error::Fenced);
            }
            Ok(())
        })
    }
}

/// Lets nothing pass: somebody else is always faster.
#[derive(Debug)]
struct Slower;

impl Guard for Slower {
    fn admit(&self, _is_close: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Err(Error::Fenced) })
    }
}

/// Starts scoring over a store at which it meets its rivals.
fn start(world: &World, rivals: &Arc<Barrier>, refuses_facts: bool) -> Scoring {
    world.start_over(Arc::new(Guarded {
        inner: world.store.scoring(),
        guard: Meeting {
            rivals: Arc::clone(rivals),
            has_met: AtomicBool::new(false),
            refuses_facts,
        },
    }))
}

fn facts(world: &World) -> String {
    world.facts(vec![
        account("acme", "2027-03-05"),
        event("acme", "ann", "2027-03-06"),
        payment("acme", "2027-03-07", 1_000),
    ])
}

#[tokio::test]
async fn of_two_processes_that_close_the_same_days_one_tells_of_them() {
    let world = World::new();
    let rivals = Arc::new(Barrier::new(2));
    let both = [start(&world, &rivals, false), start(&world, &rivals, false)];
    let position = facts(&world);
    let expected = history::days("2027-03-05", "2027-03-09");
    let mut answers = Vec::new();
    for scoring in &both {
        let closed = async {
            while scoring.clock().await.closed_on != expected.last().copied().map(date) {
                tokio::task::yield_now().await;
            }
        };
        timeout(TAKE_OVER, closed).await.unwrap();
        let features = scoring.features("acme", at(&position)).await.unwrap();
        let scores = scoring.scores("acme", at(&position)).await.unwrap();
        let told: Vec<Day> = history::closes(scoring)
            .await
            .into_iter()
            .map(|(day, _)| day)
            .collect();
        assert_eq!(told, expected, "every day is told of once");
        answers.push((features, scores, scoring.models().await));
    }
    assert_eq!(answers[0], answers[1]);
    let models = world.store.scoring().models(ACME, None, 99).await.unwrap();
    assert_eq!(models.len(), expected.len());
}

#[tokio::test]
async fn when_one_of_two_processes_stops_the_other_goes_on() {
    for survivor in 0..2 {
        let world = World::new();
        let mut both = vec![world.start(), world.start()];
        let position = facts(&world);
        for scoring in &both {
            let features = scoring.features("acme", at(&position));
            timeout(TAKE_OVER, features).await.unwrap().unwrap();
        }
        both.swap_remove(1 - survivor).stop();
        let left = &both[0];
        world.facts(vec![event("acme", "bob", "2027-03-10")]);
        let position = world.advance("2027-03-12 12:00");
        let went_on = async {
            left.features("acme", at(&position)).await.unwrap();
            while left.clock().await.closed_on != Some(day("2027-03-11")) {
                tokio::task::yield_now().await;
            }
        };
        timeout(TAKE_OVER, went_on).await.unwrap();
        let told: Vec<Day> = history::closes(left)
            .await
            .into_iter()
            .map(|(day, _)| day)
            .collect();
        assert_eq!(told, history::days("2027-03-05", "2027-03-11"));
    }
}

#[tokio::test]
async fn days_that_the_one_that_took_the_facts_in_did_not_close_are_closed_by_the_other() {
    let world = World::new();
    // It stores facts and never a close, as one that dies between the two.
    let dying = world.start_over(Failing::over(world.store.scoring(), 0, usize::MAX));
    let other = start(&world, &Arc::new(Barrier::new(1)), true);
    let position = facts(&world);
    let closed = async {
        other.features("acme", at(&position)).await.unwrap();
        while other.clock().await.closed_on != Some(day("2027-03-09")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(TAKE_OVER, closed).await.unwrap();
    dying.stop();
}

#[tokio::test]
async fn who_follows_one_process_hears_what_the_other_has_committed() {
    let world = World::new();
    let other = world.start_over(Arc::new(Guarded {
        inner: world.store.scoring(),
        guard: Slower,
    }));
    let mut heads = other.heads().await;
    let one = world.start();
    facts(&world);
    let closed = async {
        while one.clock().await.closed_on != Some(day("2027-03-09")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(TAKE_OVER, closed).await.unwrap();
    let newest = one.feed(Slice(0)).await.pop().unwrap().sequence;
    let heard = async {
        while heads
            .message()
            .await
            .unwrap()
            .unwrap()
            .heads
            .iter()
            .all(|head| head.sequence < newest)
        {}
    };
    timeout(TAKE_OVER, heard).await.unwrap();
}
