//! States and ages.

use std::sync::Arc;
use std::time::Duration;

use sextant_proto::common::v1::{FreshnessState, ReadAt};

use crate::facts::{account, instant};
use crate::failing::Failing;
use crate::guarded::Guarded;
use crate::world::{NOW, Scoring, World, at, reason};

async fn state(scoring: &Scoring, at: Option<ReadAt>) -> FreshnessState {
    let answer = scoring.features("acme", at).await.unwrap();
    answer.freshness.unwrap().state()
}

fn within(ms: i64) -> Option<ReadAt> {
    Some(ReadAt {
        require_fresh_within_ms: ms,
        ..ReadAt::default()
    })
}

#[tokio::test]
async fn an_answer_is_stale_where_ingestion_is_not_heard() {
    let world = World::new();
    let position = world.facts(vec![account("acme", "2027-01-15")]);
    let scoring = world.start();
    assert_eq!(state(&scoring, at(&position)).await, FreshnessState::Fresh);
    scoring.stop();

    world.ingestion.silence();
    let scoring = world.start();
    world.hand.set(instant(NOW).plus_us(5_000_000));
    assert_eq!(
        reason(scoring.features("acme", within(4_999)).await),
        "FRESHNESS_NOT_MET"
    );
    assert_eq!(state(&scoring, within(5_000)).await, FreshnessState::Fresh);
    world.hand.set(instant(NOW).plus_us(11_000_000));
    assert_eq!(state(&scoring, None).await, FreshnessState::Stale);
}

#[tokio::test]
async fn an_answer_says_that_closes_fail() {
    let world = World::new();
    let position = world.facts(vec![account("acme", "2027-01-15")]);
    let failing = Failing::over(world.store.scoring(), 0, usize::MAX);
    let scoring = world.start_over(Arc::<Guarded<Failing>>::clone(&failing));
    failing.guard.failed().await;
    let told = async {
        while state(&scoring, at(&position)).await != FreshnessState::Failed {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .unwrap();
}
