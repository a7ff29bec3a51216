//! What was acknowledged is there after the store was closed and opened.

use crate::port::{
    EvaluationRow, Import, MetricsCommit, MonthRow, MoveRow, Outcome, ReplicaCommit, ScoringCommit,
    SegmentationCommit, SliceState,
};

use super::Harness;
use super::make::{
    ACME, SLICE, account, account_fact, at, batch, event, membership, records, replica,
    segmentation, tenant_row, transition, uid,
};

pub async fn facts_are_there_after_reopening<H: Harness>(harness: H) {
    {
        let store = harness.ingestion().await;
        store
            .tenants
            .create(&tenant_row(ACME, "acme"), "request 1")
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
            .mark_import(ACME, Import::Started, at(9))
            .await
            .unwrap();
    }
    let harness = harness.reopen().await;
    let store = harness.ingestion().await;
    assert_eq!(
        records(&store, ACME, SLICE).await,
        ["record a1 of anvil", "record e1 of anvil"]
    );
    assert!(store.tenants.by_id(ACME).await.unwrap().unwrap().importing);
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

pub async fn results_are_there_after_reopening<H: Harness>(harness: H) {
    let month = MonthRow {
        uid: uid(1),
        month: 1,
        cells: b"cells".to_vec(),
    };
    let moved = MoveRow {
        uid: uid(1),
        segmentation: "value".to_owned(),
        segment: "gold".to_owned(),
        at: at(1),
        known_at: at(1),
    };
    {
        let commit = ScoringCommit {
            replica: ReplicaCommit {
                facts: vec![account_fact(1, 1, 0)],
                ..replica(ACME, 0, 1)
            },
            months: vec![month.clone()],
            models: Vec::new(),
            state: SliceState {
                watermark: Some(at(3)),
                ..SliceState::default()
            },
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
        let commit = SegmentationCommit {
            memberships: vec![membership(1, 1, "gold")],
            transitions: vec![transition(1, 1, "gold", 1)],
            entry: Some(b"two".to_vec()),
            ..segmentation(ACME, 0, 1)
        };
        harness
            .segmentation()
            .await
            .memberships
            .commit(commit)
            .await
            .unwrap();
        let moves = vec![moved.clone()];
        let commit = MetricsCommit::Moves {
            tenant: ACME,
            slice: SLICE,
            expected_cursor: 0,
            cursor: 1,
            facts_sequence: 1,
            moves,
        };
        harness
            .metrics()
            .await
            .metrics
            .commit(commit)
            .await
            .unwrap();
    }
    let harness = harness.reopen().await;
    let scoring = harness.scoring().await;
    assert_eq!(scoring.scoring.months(ACME, SLICE).await.unwrap(), [month]);
    assert_eq!(
        scoring.scoring.state(ACME, SLICE).await.unwrap().watermark,
        Some(at(3))
    );
    assert_eq!(
        scoring.replica.facts(ACME, SLICE).await.unwrap(),
        [account_fact(1, 1, 0)]
    );
    assert_eq!(scoring.feed.heads().await.unwrap().len(), 1);
    let segmentation = harness.segmentation().await;
    assert_eq!(
        segmentation
            .memberships
            .of_slice(ACME, SLICE)
            .await
            .unwrap(),
        [membership(1, 1, "gold")]
    );
    assert_eq!(
        segmentation
            .memberships
            .at(ACME, uid(1), 1, at(1), at(1))
            .await
            .unwrap(),
        Some(transition(1, 1, "gold", 1))
    );
    assert_eq!(
        harness
            .metrics()
            .await
            .metrics
            .moves(ACME, SLICE)
            .await
            .unwrap(),
        [moved]
    );
}
