use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use sextant_domain::store::Error;

use super::{Count, Readiness, Store};
use crate::lifecycle::{DrainPlan, Expiry, Lifecycle, Signals};

#[test]
fn three_failures_in_a_row_lose_the_store_and_two_successes_in_a_row_bring_it_back() {
    for (answers, expected) in [
        ("", Store::Writable),
        ("++", Store::Writable),
        ("--", Store::Writable),
        ("--+--", Store::Writable),
        ("--+---", Store::Lost),
        ("---", Store::Lost),
        ("------", Store::Lost),
        ("---+", Store::Lost),
        ("---+-+", Store::Lost),
        ("---+-++", Store::Writable),
        ("---++", Store::Writable),
        ("---++--", Store::Writable),
        ("---++---", Store::Lost),
    ] {
        let mut count = Count::default();
        for answer in answers.chars() {
            count.note(&match answer {
                '+' => Ok(()),
                _ => Err(Error::Full { doing: "testing" }),
            });
        }
        assert_eq!(count.store, expected, "{answers:?}");
    }
}

/// How a store of tests answers.
#[derive(Debug, Clone, Copy)]
enum Answers {
    Yes,
    No,
    Never,
}

#[tokio::test(start_paused = true)]
async fn the_watch_follows_a_store_that_refuses_or_is_silent_and_ends_with_the_process() {
    let lifecycle = Lifecycle::new();
    let readiness = Readiness::new(&lifecycle);
    let answers = Arc::new(Mutex::new(Answers::Yes));
    let asked = Arc::clone(&answers);
    readiness.serves();
    let begun = Instant::now();
    readiness.watch_store(&lifecycle, move || {
        let answers = *asked.lock().unwrap();
        async move {
            match answers {
                Answers::Yes => Ok(()),
                Answers::No => Err(Error::Full { doing: "testing" }),
                Answers::Never => pending().await,
            }
        }
    });
    // Time stands still but for the waiting of the watch: first asked at 0 s, then every two seconds.
    for (now, ready, after_s) in [
        (Answers::No, false, 4),
        (Answers::Yes, true, 8),
        // Asked at 10, 12 and 14 s.
        (Answers::Never, false, 16),
    ] {
        *answers.lock().unwrap() = now;
        readiness.changed(!ready).await;
        assert_eq!(
            (readiness.is_ready(), begun.elapsed()),
            (ready, Duration::from_secs(after_s)),
            "{now:?}"
        );
    }

    // The store is being asked, and does not answer.
    lifecycle.shut_down();
    let plan = DrainPlan {
        notice: Duration::ZERO,
        deadline: Duration::from_secs(20),
        on_expiry: Expiry::Call(|_code| {}),
    };
    let (_send, signals) = mpsc::channel(1);
    let ended = lifecycle.run(plan, Signals::from_channel(signals)).await;
    assert_eq!((ended.exit_code(), ended.unfinished.len()), (0, 0));
}
