//! `Scoring`.

use futures_util::future::join_all;

use sextant_domain::time::Day;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, SLICE, at, replica, uid};
use crate::port::{EvaluationRow, ModelRow, MonthRow, ScoringCommit, SliceState};

/// A commit from one cursor to another, with nothing in it. Each of a case moves the cursor by one, so cursors are versions.
fn nothing(expected_cursor: u64, cursor: u64) -> ScoringCommit {
    ScoringCommit {
        replica: replica(ACME, expected_cursor, cursor),
        months: Vec::new(),
        models: Vec::new(),
        state: at_version(expected_cursor),
        evaluations: Vec::new(),
    }
}

fn at_version(version: u64) -> SliceState {
    SliceState {
        version,
        ..SliceState::default()
    }
}

fn month(n: u128, month: i32, cells: &[u8]) -> MonthRow {
    MonthRow {
        uid: uid(n),
        month,
        cells: cells.to_vec(),
    }
}

fn model(day: i32, seconds: i64, models: &[u8]) -> ModelRow {
    ModelRow {
        closed_on: Day(day),
        known_at: at(seconds),
        models: models.to_vec(),
    }
}

fn evaluation(payload: &[u8]) -> EvaluationRow {
    EvaluationRow {
        payload: payload.to_vec(),
    }
}

pub async fn months_are_replaced_whole<H: Harness>(harness: H) {
    let store = harness.scoring().await;
    let months = vec![month(2, 670, b"c"), month(1, 671, b"b"), month(1, -3, b"a")];
    store
        .scoring
        .commit(ScoringCommit {
            months,
            ..nothing(0, 1)
        })
        .await
        .unwrap();
    let months = vec![month(1, 671, b"longer"), month(2, 671, b"")];
    store
        .scoring
        .commit(ScoringCommit {
            months,
            ..nothing(1, 2)
        })
        .await
        .unwrap();
    let expected = [
        month(1, -3, b"a"),
        month(1, 671, b"longer"),
        month(2, 670, b"c"),
        month(2, 671, b""),
    ];
    assert_eq!(store.scoring.months(ACME, SLICE).await.unwrap(), expected);
}

pub async fn models_of_a_close_are_the_last_ones_stored_and_read_newest_first<H: Harness>(
    harness: H,
) {
    let store = harness.scoring().await;
    let models = vec![model(10, 10, b"ten"), model(30, 30, b"thirty")];
    store
        .scoring
        .commit(ScoringCommit {
            models,
            ..nothing(0, 1)
        })
        .await
        .unwrap();
    let models = vec![
        model(20, 20, b"twenty"),
        model(30, 30, b"thirty again"),
        model(30, 29, b"thirty, once more"),
    ];
    store
        .scoring
        .commit(ScoringCommit {
            models,
            ..nothing(1, 1)
        })
        .await
        .unwrap();
    let read = async |before: Option<i32>, limit| {
        let rows = store
            .scoring
            .models(ACME, before.map(Day), limit)
            .await
            .unwrap();
        rows.into_iter()
            .map(|row| String::from_utf8(row.models).unwrap())
            .collect::<Vec<String>>()
    };
    assert_eq!(read(None, 10).await, ["thirty, once more", "twenty", "ten"]);
    assert_eq!(read(None, 1).await, ["thirty, once more"]);
    assert_eq!(read(Some(30), 10).await, ["twenty", "ten"]);
    assert_eq!(read(Some(20), 10).await, ["ten"]);
    assert_eq!(
        store.scoring.models(ACME, None, 1).await.unwrap(),
        [model(30, 29, b"thirty, once more")]
    );
}

pub async fn the_state_of_a_slice_is_the_last_one_stored<H: Harness>(harness: H) {
    let store = harness.scoring().await;
    assert_eq!(
        store.scoring.state(ACME, SLICE).await.unwrap(),
        SliceState::default()
    );
    assert_eq!(store.scoring.states().await.unwrap(), []);
    let full = SliceState {
        closed_on: Some(Day(-2)),
        closes_at: Some(at(7)),
        clock: Some(at(5)),
        importing: true,
        pending_history: Some(3),
        restated_from: Some(Day(-9)),
        watermark: Some(at(-9)),
        version: 0,
    };
    store
        .scoring
        .commit(ScoringCommit {
            state: full,
            ..nothing(0, 1)
        })
        .await
        .unwrap();
    let stored = SliceState { version: 1, ..full };
    assert_eq!(store.scoring.state(ACME, SLICE).await.unwrap(), stored);
    store
        .scoring
        .commit(ScoringCommit {
            replica: replica(BOLT, 0, 1),
            state: full,
            ..nothing(0, 1)
        })
        .await
        .unwrap();
    let day_closed = SliceState {
        closed_on: Some(Day(-1)),
        ..at_version(1)
    };
    store
        .scoring
        .commit(ScoringCommit {
            state: day_closed,
            ..nothing(1, 1)
        })
        .await
        .unwrap();
    assert_eq!(
        store.scoring.states().await.unwrap(),
        [
            (
                ACME,
                SLICE,
                SliceState {
                    version: 2,
                    ..day_closed
                }
            ),
            (BOLT, SLICE, stored)
        ]
    );
}

pub async fn evaluations_are_numbered_in_order<H: Harness>(harness: H) {
    let store = harness.scoring().await;
    assert_eq!(
        store.scoring.commit(nothing(0, 1)).await.unwrap(),
        0,
        "nothing is in the feed"
    );
    let evaluations = vec![evaluation(b"one"), evaluation(b"two")];
    assert_eq!(
        store
            .scoring
            .commit(ScoringCommit {
                evaluations,
                ..nothing(1, 2)
            })
            .await
            .unwrap(),
        2
    );
    assert_eq!(store.scoring.commit(nothing(2, 3)).await.unwrap(), 2);
    let evaluations = vec![evaluation(b"three")];
    assert_eq!(
        store
            .scoring
            .commit(ScoringCommit {
                evaluations,
                ..nothing(3, 4)
            })
            .await
            .unwrap(),
        3
    );
    let entries = store.feed.entries(ACME, SLICE, 0, 10).await.unwrap();
    let told: Vec<(u64, &[u8])> = entries
        .iter()
        .map(|entry| (entry.sequence, entry.payload.as_slice()))
        .collect();
    assert_eq!(told, [(1, &b"one"[..]), (2, b"two"), (3, b"three")]);
    assert_eq!(store.feed.heads().await.unwrap().len(), 1);
}

pub async fn a_fenced_commit_leaves_no_score<H: Harness>(harness: H) {
    let store = harness.scoring().await;
    let full = |version, expected, cursor| ScoringCommit {
        months: vec![month(1, 1, b"x")],
        models: vec![model(1, 1, b"x")],
        state: SliceState {
            importing: true,
            version,
            ..SliceState::default()
        },
        evaluations: vec![evaluation(b"x")],
        ..nothing(expected, cursor)
    };
    for (version, expected) in [(0, 7), (7, 0), (7, 7)] {
        let refused = store.scoring.commit(full(version, expected, 8)).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    assert_eq!(store.scoring.months(ACME, SLICE).await.unwrap(), []);
    assert_eq!(store.scoring.models(ACME, None, 9).await.unwrap(), []);
    assert_eq!(
        store.scoring.state(ACME, SLICE).await.unwrap(),
        SliceState::default()
    );
    assert_eq!(store.feed.heads().await.unwrap(), []);
    assert_eq!(
        store.scoring.commit(full(0, 0, 1)).await.unwrap(),
        1,
        "no number was lost"
    );
}

pub async fn of_concurrent_closes_of_one_day_one_is_told<H: Harness>(harness: H) {
    let stores = [
        harness.scoring().await,
        harness.scoring().await,
        harness.scoring().await,
    ];
    stores[0].scoring.commit(nothing(0, 1)).await.unwrap();
    for version in 1..10 {
        // Nothing but the version tells that another process has closed the day: the cursor stays, and so does the state
        // of a slice that was closed with another one.
        let close = ScoringCommit {
            models: vec![model(10, 10, b"ten")],
            evaluations: vec![evaluation(b"closed")],
            state: at_version(version),
            ..nothing(1, 1)
        };
        let commits = stores
            .iter()
            .map(|store| store.scoring.commit(close.clone()));
        let results = join_all(commits).await;
        assert!(
            results
                .iter()
                .all(|result| matches!(result, Ok(_) | Err(Error::Fenced))),
            "{results:?}"
        );
        let told: Vec<u64> = results
            .into_iter()
            .filter_map(|result| result.ok())
            .collect();
        assert_eq!(told, [version], "no close twice");
        let again = stores[0].scoring.commit(close).await;
        assert!(matches!(again, Err(Error::Fenced)), "{again:?}");
    }
    let models = stores[0].scoring.models(ACME, None, 99).await.unwrap();
    assert_eq!(models.len(), 1);
}
