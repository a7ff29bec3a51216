//! `Metrics`.

use sextant_domain::id::TenantId;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, SLICE, at, moves_progress, replica, uid};
use crate::port::{MetricsCommit, MoveRow, MovesProgress};

fn moved(n: u128, segment: &str, seconds: i64) -> MoveRow {
    MoveRow {
        uid: uid(n),
        segmentation: "value".to_owned(),
        segment: segment.to_owned(),
        at: at(seconds),
        known_at: at(seconds + 1),
    }
}

fn moves(
    tenant: TenantId,
    expected_cursor: u64,
    cursor: u64,
    moves: Vec<MoveRow>,
) -> MetricsCommit {
    MetricsCommit::Moves {
        tenant,
        slice: SLICE,
        expected_cursor,
        progress: moves_progress(cursor),
        moves,
    }
}

pub async fn moves_are_read_in_the_order_in_which_they_were_stored<H: Harness>(harness: H) {
    let store = harness.metrics().await;
    assert_eq!(
        store.metrics.moves_progress(ACME, SLICE).await.unwrap(),
        MovesProgress::default()
    );
    store
        .metrics
        .commit(moves(
            ACME,
            0,
            3,
            vec![moved(2, "gold", 9), moved(1, "", 5)],
        ))
        .await
        .unwrap();
    store
        .metrics
        .commit(moves(BOLT, 0, 1, vec![moved(7, "iron", 1)]))
        .await
        .unwrap();
    store
        .metrics
        .commit(moves(ACME, 3, 4, Vec::new()))
        .await
        .unwrap();
    store
        .metrics
        .commit(moves(
            ACME,
            4,
            5,
            vec![moved(1, "gold", 4), moved(2, "gold", 9)],
        ))
        .await
        .unwrap();
    assert_eq!(
        store.metrics.moves_progress(ACME, SLICE).await.unwrap(),
        moves_progress(5)
    );
    assert_eq!(
        store.metrics.all_moves_progress().await.unwrap(),
        [
            (ACME, SLICE, moves_progress(5)),
            (BOLT, SLICE, moves_progress(1))
        ]
    );
    let level = MovesProgress {
        behind: Vec::new(),
        ..moves_progress(6)
    };
    let commit = MetricsCommit::Moves {
        tenant: ACME,
        slice: SLICE,
        expected_cursor: 5,
        progress: level.clone(),
        moves: Vec::new(),
    };
    store.metrics.commit(commit).await.unwrap();
    let progress = store.metrics.moves_progress(ACME, SLICE).await;
    assert_eq!(progress.unwrap(), level);
    let expected = [
        moved(2, "gold", 9),
        moved(1, "", 5),
        moved(1, "gold", 4),
        moved(2, "gold", 9),
    ];
    assert_eq!(store.metrics.moves(ACME, SLICE).await.unwrap(), expected);
}

pub async fn a_fenced_commit_leaves_no_move<H: Harness>(harness: H) {
    let store = harness.metrics().await;
    store
        .metrics
        .commit(moves(ACME, 0, 3, Vec::new()))
        .await
        .unwrap();
    for expected in [0, 2, 4] {
        let refused = store
            .metrics
            .commit(moves(ACME, expected, 9, vec![moved(1, "gold", 1)]))
            .await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    assert_eq!(
        store.metrics.moves_progress(ACME, SLICE).await.unwrap(),
        moves_progress(3)
    );
    assert_eq!(store.metrics.moves(ACME, SLICE).await.unwrap(), []);
}

pub async fn the_cursors_of_facts_and_moves_are_apart<H: Harness>(harness: H) {
    let store = harness.metrics().await;
    store
        .metrics
        .commit(MetricsCommit::Facts(replica(ACME, 0, 5)))
        .await
        .unwrap();
    store
        .metrics
        .commit(moves(ACME, 0, 3, Vec::new()))
        .await
        .unwrap();
    assert_eq!(store.replica.cursors().await.unwrap(), [(ACME, SLICE, 5)]);
    assert_eq!(
        store.metrics.all_moves_progress().await.unwrap(),
        [(ACME, SLICE, moves_progress(3))]
    );
}
