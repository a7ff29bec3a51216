use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Limiter, MAX_WAITING_FACTOR};

const WAIT: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn a_burst_waits_but_a_standing_queue_is_refused_ten_times_sooner() {
    let limiter = Limiter::new(1, WAIT);
    let turn = limiter.try_turn().unwrap();
    assert!(limiter.try_turn().is_none());
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(started.elapsed(), WAIT);

    tokio::time::advance(Duration::from_millis(1)).await; // now there was a queue for more than the full wait
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(started.elapsed(), WAIT / 10);

    drop(turn);
    drop(limiter.try_turn().unwrap()); // one free turn, and patience is back
    let _turn = limiter.try_turn().unwrap();
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(started.elapsed(), WAIT);
}

#[tokio::test(start_paused = true)]
async fn the_queue_has_a_bound_and_the_oldest_is_served_first() {
    let limiter = Arc::new(Limiter::new(1, WAIT));
    let turn = limiter.try_turn().unwrap();
    let mut waiters: Vec<_> = (0..MAX_WAITING_FACTOR)
        .map(|_| Box::pin(limiter.wait()))
        .collect();
    for waiter in &mut waiters {
        assert!(futures_util::poll!(waiter).is_pending());
    }
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(
        started.elapsed(),
        Duration::ZERO,
        "a full queue refuses at once"
    );
    drop(turn);
    assert!(waiters.remove(0).await.is_some());
}
