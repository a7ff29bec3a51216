//! What was acknowledged is there after the store was closed and opened.

use crate::conformance::Harness;
use crate::conformance::make::{
    ACME, SLICE, account, account_fact, at, batch, event, membership, moves_progress, once,
    records, replica, segmentation, tenant_row, transition, uid,
};
use crate::port::{
    EvaluationRow, Import, MetricsCommit, MonthRow, MoveRow, Outcome, ReplicaCommit, ScoringCommit,
    SegmentationCommit, SliceState,
};

pub async fn facts_are_there_after_reopening<H: Harness>(harness: H) {
    {
        let store = harness.ingestion().await;
        store
            .tenants
            .create(&tenant_row(ACME, "acme"), once(None, "request 1", 0))
            .await
            .unwrap();
        let facts = vec![
            account("anvil", 1, "a1"),
            event("anvil", "e1", 7),
            event("unknown", "e2", 7),
        ];
        store.facts.commit(batch(ACME, 1, facts)).await.unwrap();
        store
            .tenants
            .mark_import(ACME, Import::Started, once(Some(ACME), "start", 9))
            .await
            .unwrap();
    }
    let harness = harness.reopen().await;
    let store = harness.ingestion().await;
    assert_eq!(
        records(&store, ACME, SLICE).await,
        ["record a1 of anvil", "record e1 of anvil"]
    );
    let stored = store.tenants.by_id(ACME).await.unwrap().unwrap();
    assert_eq!(stored.import_opened_at, Some(at(9)));
    let again = vec![
        account("anvil", 1, "a1"),
        event("anvil", "e1", 7),
        event("unknown", "e2", 7),
        event("anvil", "e3", 7),
    ];
    let committed = store.facts.commit(batch(ACME, 2, again)).await.unwrap();
    assert_eq!(
        committed.outcomes,
        [
            Outcome::Duplicate,
            Outcome::Duplicate,
            Outcome::Held,
            Outcome::Accepted
        ]
    );
    assert_eq!(
        committed.heads,
        [(SLICE, 3)],
        "numbers go on where they were"
    );
}

pub async fn scores_are_there_after_reopening<H: Harness>(harness: H) {
    let month = MonthRow {
        uid: uid(1),
        month: 1,
        cells: b"cells".to_vec(),
    };
    let state = SliceState {
        watermark: Some(at(3)),
        ..SliceState::default()
    };
    let commit = ScoringCommit {
        replica: ReplicaCommit {
            facts: vec![account_fact(1, 1, 0)],
            ..replica(ACME, 0, 1)
        },
        months: vec![month.clone()],
        models: Vec::new(),
        state,
        evaluations: vec![EvaluationRow {
            payload: b"one".to_vec(),
        }],
    };
    harness
        .scoring()
        .await
        .scoring
        .commit(commit)
        .await
        .unwrap();
    let harness = harness.reopen().await;
    let store = harness.scoring().await;
    assert_eq!(store.scoring.months(ACME, SLICE).await.unwrap(), [month]);
    let stored = SliceState {
        version: 1,
        ..state
    };
    assert_eq!(store.scoring.state(ACME, SLICE).await.unwrap(), stored);
    assert_eq!(
        store.replica.facts(ACME, SLICE).await.unwrap(),
        [account_fact(1, 1, 0)]
    );
    assert_eq!(store.feed.heads().await.unwrap().len(), 1);
}

pub async fn memberships_are_there_after_reopening<H: Harness>(harness: H) {
    let gold = transition(1, 1, "gold", 1);
    let commit = SegmentationCommit {
        memberships: vec![membership(1, 1, "gold")],
        transitions: vec![gold.clone()],
        entries: vec![b"two".to_vec()],
        ..segmentation(ACME, 0, 1)
    };
    harness
        .segmentation()
        .await
        .memberships
        .commit(commit)
        .await
        .unwrap();
    let harness = harness.reopen().await;
    let store = harness.segmentation().await.memberships;
    assert_eq!(
        store.of_slice(ACME, SLICE).await.unwrap(),
        [membership(1, 1, "gold")]
    );
    assert_eq!(
        store.at(ACME, uid(1), 1, at(1), at(1)).await.unwrap(),
        Some(gold)
    );
    assert_eq!(store.progress(ACME, SLICE).await.unwrap().version, 1);
}

pub async fn moves_are_there_after_reopening<H: Harness>(harness: H) {
    let moves = vec![MoveRow {
        uid: uid(1),
        segmentation: "value".to_owned(),
        segment: "gold".to_owned(),
        at: at(1),
        known_at: at(1),
    }];
    let commit = MetricsCommit::Moves {
        tenant: ACME,
        slice: SLICE,
        expected_cursor: 0,
        progress: moves_progress(1),
        moves: moves.clone(),
    };
    harness
        .metrics()
        .await
        .metrics
        .commit(commit)
        .await
        .unwrap();
    let harness = harness.reopen().await;
    let store = harness.metrics().await.metrics;
    assert_eq!(store.moves(ACME, SLICE).await.unwrap(), moves);
    let progress = store.moves_progress(ACME, SLICE).await.unwrap();
    assert_eq!(progress, moves_progress(1));
}
