use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Cause, DrainPlan, Ended, Expiry, Lifecycle, Signal, Signals};

fn nothing(_code: i32) {}

fn plan() -> DrainPlan {
    DrainPlan {
        notice: Duration::from_secs(5),
        deadline: Duration::from_secs(20),
        on_expiry: Expiry::Call(nothing),
    }
}

fn signals() -> (mpsc::Sender<Signal>, Signals) {
    let (send, receive) = mpsc::channel(4);
    (send, Signals::from_channel(receive))
}

#[tokio::test(start_paused = true)]
async fn a_signal_drains_first_stops_after_the_notice_and_waits_for_the_tasks() {
    let lifecycle = Lifecycle::new();
    let draining = lifecycle.draining().clone();
    let finished = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&finished);
    lifecycle.spawn("worker", |stop| async move {
        draining.cancelled().await;
        let noticed = tokio::time::Instant::now();
        stop.cancelled().await;
        assert_eq!(noticed.elapsed(), Duration::from_secs(5));
        tokio::time::sleep(Duration::from_secs(3)).await; // finishing what it was doing
        flag.store(true, Ordering::SeqCst);
    });
    let (send, signals) = signals();
    send.send(Signal::Terminate).await.unwrap();
    let ended = lifecycle.run(plan(), signals).await;
    assert_eq!(ended.cause, Cause::Signal(Signal::Terminate));
    assert!(finished.load(Ordering::SeqCst));
    assert_eq!((ended.exit_code(), ended.unfinished.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_at_the_terminal_stops_without_notice() {
    let lifecycle = Lifecycle::new();
    lifecycle.spawn("worker", |stop| async move { stop.cancelled().await });
    let (send, signals) = signals();
    send.send(Signal::Interrupt).await.unwrap();
    let started = tokio::time::Instant::now();
    lifecycle.run(plan(), signals).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
}

async fn crash_with(start: impl FnOnce(&Lifecycle)) -> Ended {
    let lifecycle = Lifecycle::new();
    lifecycle.spawn("healthy", |stop| async move { stop.cancelled().await });
    start(&lifecycle);
    let (_send, signals) = signals();
    lifecycle.run(plan(), signals).await
}

#[tokio::test(start_paused = true)]
async fn the_first_task_that_fails_drains_the_process_and_exits_with_one() {
    let ended = crash_with(|lifecycle| {
        lifecycle.spawn("sick", |_stop| async { Err::<(), _>("out of luck") })
    })
    .await;
    assert_eq!((ended.cause, ended.exit_code()), (Cause::Crashed, 1));
    let crash = ended.crash.unwrap();
    assert_eq!(
        (crash.task, crash.error.to_string().as_str()),
        ("sick", "out of luck")
    );
    assert!(ended.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_crash_like_any_other() {
    let ended = crash_with(|lifecycle| {
        lifecycle.spawn("sick", |_stop| async {
            if true {
                panic!("boom {}", 1);
            }
        });
    })
    .await;
    assert_eq!(ended.exit_code(), 1);
    assert_eq!(ended.crash.unwrap().error.to_string(), "panicked: boom 1");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_finish_is_dropped_at_the_deadline_and_named() {
    struct OnDrop(Option<oneshot::Sender<()>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.take().unwrap().send(()).unwrap();
        }
    }
    let lifecycle = Lifecycle::new();
    let (dropped, was_dropped) = oneshot::channel();
    lifecycle.spawn("stuck", |_stop| async move {
        let _guard = OnDrop(Some(dropped));
        pending::<()>().await;
    });
    tokio::task::yield_now().await;
    lifecycle.shut_down();
    let (_send, signals) = signals();
    let started = tokio::time::Instant::now();
    let ended = lifecycle.run(plan(), signals).await;
    assert_eq!(started.elapsed(), Duration::from_secs(20));
    assert_eq!((ended.cause, ended.exit_code()), (Cause::Requested, 0));
    assert_eq!(ended.unfinished, ["stuck"]);
    was_dropped.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_it_at_once() {
    let lifecycle = Lifecycle::new();
    lifecycle.spawn("stuck", |_stop| pending::<()>());
    let (send, signals) = signals();
    send.send(Signal::Terminate).await.unwrap();
    send.send(Signal::Terminate).await.unwrap();
    let started = tokio::time::Instant::now();
    let ended = lifecycle.run(plan(), signals).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(ended.unfinished, ["stuck"]);
}

static EXPIRED_WITH: AtomicI32 = AtomicI32::new(-1);

#[test]
fn the_watchdog_fires_while_the_executor_is_blocked() {
    fn expired(code: i32) {
        EXPIRED_WITH.store(code, Ordering::SeqCst);
    }
    super::watchdog::Watchdog::arm(Duration::from_millis(1), Expiry::Call(expired), 7);
    while EXPIRED_WITH.load(Ordering::SeqCst) != 7 {
        std::thread::yield_now();
    }
}
