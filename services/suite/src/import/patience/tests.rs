use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

use sextant_wire::status::unavailable;

use super::{LONGEST, News, Patience, may_come_back, persist};

#[test]
fn waits_grow_until_there_was_no_progress_for_too_long_and_begin_anew_after_some() {
    let begin = Instant::now();
    let mut patience = Patience::default();
    let mut at = |ms: u64, asked_ms: Option<u64>| {
        let now = begin + Duration::from_millis(ms);
        patience
            .next_wait(now, asked_ms.map(Duration::from_millis))
            .map(|wait| wait.as_millis())
    };
    assert_eq!(at(0, None), Some(250));
    assert_eq!(at(300, None), Some(500));
    // As the service asks.
    assert_eq!(at(900, Some(1_500)), Some(1_500));
    assert_eq!(at(3_000, None), Some(2_000));
    assert_eq!(at(6_000, None), Some(4_000));
    assert_eq!(at(59_000, Some(3_600_000)), Some(LONGEST.as_millis()));
    assert_eq!(at(60_000, None), None);
    assert!(patience.progress());
    assert!(!patience.progress());
    let wait = patience.next_wait(begin + LONGEST, None);
    assert_eq!(wait, Some(Duration::from_millis(250)));
}

#[test]
fn only_what_may_be_different_later_is_waited_for() {
    for (status, expected) in [
        (unavailable("gone", Duration::ZERO), true),
        (sextant_wire::status::overloaded(Duration::ZERO), true),
        (sextant_wire::status::deadline_exceeded(), true),
        (
            sextant_wire::status::unauthenticated("KEY_INVALID", "no"),
            false,
        ),
        (sextant_wire::status::permission_denied("ingest"), false),
    ] {
        assert_eq!(may_come_back(&status), expected, "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_repeated_while_its_service_is_away_and_told_of_once() {
    let (mut n_calls, mut told) = (0, Vec::new());
    let answer = persist(
        |news| told.push(format!("{news:?}")),
        || {
            n_calls += 1;
            let answer = if n_calls < 4 {
                Err(unavailable("gone", Duration::ZERO))
            } else {
                Ok(n_calls)
            };
            Box::pin(std::future::ready(answer))
        },
    );
    assert_eq!(answer.await.unwrap(), 4);
    assert_eq!(
        told,
        [
            format!("{:?}", News::Away("gone")),
            format!("{:?}", News::Back)
        ]
    );

    let begin = Instant::now();
    let gone = persist(
        |_| {},
        || {
            Box::pin(std::future::ready(Err::<(), Status>(unavailable(
                "gone",
                Duration::ZERO,
            ))))
        },
    );
    assert_eq!(gone.await.unwrap_err().message(), "gone");
    assert!(begin.elapsed() >= LONGEST && begin.elapsed() < LONGEST * 2);
}
