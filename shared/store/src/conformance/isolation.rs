//! What one tenant stores, another does not see, though all its ids are the same.

use sextant_domain::id::TenantId;
use sextant_domain::time::Day;

use crate::conformance::make::{
    ACME, BOLT, SLICE, account, account_fact, at, batch, event, external, first, membership,
    moves_progress, once, rejection, replica, replica_account, segmentation, sources, transition,
    uid,
};
use crate::conformance::{Harness, Ingestion, Segmentation};
use crate::port::{
    EvaluationRow, FactBatch, MetricsCommit, ModelRow, MonthRow, MoveRow, MovesProgress, Page,
    RejectionFilter, ReplicaCommit, ScoringCommit, SegmentationCommit, SegmentationRow,
    SliceProgress, SliceState, TransitionFilter, TransitionOrder,
};

const NOBODY: TenantId = TenantId(3);

pub async fn tenants_see_their_own_facts_only<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    for (tenant, n) in [(ACME, 1), (BOLT, 2)] {
        let facts = vec![
            account("anvil", n, "a1"),
            event("anvil", "e1", 7),
            event("unknown", "e2", 7),
        ];
        let rejections = vec![rejection("crm", "value")];
        store
            .facts
            .commit(FactBatch {
                rejections,
                ..batch(tenant, 1, facts)
            })
            .await
            .unwrap();
    }
    for (tenant, n) in [(ACME, 1), (BOLT, 2)] {
        let resolved = store
            .accounts
            .resolve(tenant, &[external("anvil")])
            .await
            .unwrap();
        assert_eq!(
            resolved.iter().map(|row| row.uid).collect::<Vec<_>>(),
            [uid(n)]
        );
        assert_eq!(
            store.accounts.list(tenant, &Page::first(9)).await.unwrap(),
            resolved
        );
        assert_eq!(
            store
                .accounts
                .versions(tenant, &[uid(1), uid(2)])
                .await
                .unwrap()
                .len(),
            1
        );
        let entries = store
            .intake
            .fact_entries(tenant, SLICE, 0, usize::MAX)
            .await
            .unwrap();
        assert_eq!((entries.len(), entries[0].facts.len()), (1, 2));
        assert!(entries[0].facts.iter().all(|fact| fact.uid == Some(uid(n))));
        assert_eq!(
            store.feed.entries(tenant, SLICE, 0, 9).await.unwrap().len(),
            1
        );
        assert_eq!(
            store
                .intake
                .rejections(tenant, &RejectionFilter::ALL, None, 9)
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(store.intake.held(tenant, 0, 9).await.unwrap().len(), 1);
        assert_eq!(sources(&store, tenant).await[0].accepted, 2);
    }
    sees_no_facts(&store).await;
}

async fn sees_no_facts(store: &Ingestion) {
    assert_eq!(
        store
            .accounts
            .resolve(NOBODY, &[external("anvil")])
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        store.accounts.list(NOBODY, &Page::first(9)).await.unwrap(),
        []
    );
    assert_eq!(
        store
            .accounts
            .versions(NOBODY, &[uid(1), uid(2)])
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        store
            .intake
            .fact_entries(NOBODY, SLICE, 0, usize::MAX)
            .await
            .unwrap(),
        []
    );
    assert_eq!(store.feed.entries(NOBODY, SLICE, 0, 9).await.unwrap(), []);
    assert_eq!(
        store
            .intake
            .rejections(NOBODY, &RejectionFilter::ALL, None, 9)
            .await
            .unwrap(),
        []
    );
    assert_eq!(store.intake.held(NOBODY, 0, 9).await.unwrap(), []);
    assert_eq!(sources(store, NOBODY).await, []);
}

pub async fn tenants_see_their_own_scores_only<H: Harness>(harness: H) {
    let store = harness.scoring().await;
    let commit = |tenant, text: &str| ScoringCommit {
        replica: ReplicaCommit {
            accounts: vec![replica_account(1, "anvil", text)],
            facts: vec![account_fact(1, 1, 0)],
            ..replica(tenant, 0, 1)
        },
        months: vec![MonthRow {
            uid: uid(1),
            month: 1,
            cells: text.as_bytes().to_vec(),
        }],
        models: vec![ModelRow {
            closed_on: Day(1),
            known_at: at(1),
            models: text.as_bytes().to_vec(),
        }],
        state: SliceState {
            importing: true,
            ..SliceState::default()
        },
        evaluations: vec![EvaluationRow {
            payload: text.as_bytes().to_vec(),
        }],
    };
    store.scoring.commit(commit(ACME, "acme")).await.unwrap();
    store.scoring.commit(commit(BOLT, "bolt")).await.unwrap();
    for (tenant, text) in [(ACME, "acme"), (BOLT, "bolt")] {
        let commit = commit(tenant, text);
        assert_eq!(
            store.replica.accounts(tenant, SLICE).await.unwrap(),
            commit.replica.accounts
        );
        assert_eq!(
            store.replica.facts(tenant, SLICE).await.unwrap(),
            commit.replica.facts
        );
        assert_eq!(
            store.scoring.months(tenant, SLICE).await.unwrap(),
            commit.months
        );
        assert_eq!(
            store.scoring.models(tenant, None, 9).await.unwrap(),
            commit.models
        );
        assert_eq!(
            store.feed.entries(tenant, SLICE, 0, 9).await.unwrap()[0].payload,
            commit.evaluations[0].payload
        );
    }
    assert_eq!(store.replica.cursor(NOBODY, SLICE).await.unwrap(), 0);
    assert_eq!(store.replica.accounts(NOBODY, SLICE).await.unwrap(), []);
    assert_eq!(store.replica.facts(NOBODY, SLICE).await.unwrap(), []);
    assert_eq!(store.scoring.months(NOBODY, SLICE).await.unwrap(), []);
    assert_eq!(store.scoring.models(NOBODY, None, 9).await.unwrap(), []);
    assert_eq!(
        store.scoring.state(NOBODY, SLICE).await.unwrap(),
        SliceState::default()
    );
    assert_eq!(store.feed.entries(NOBODY, SLICE, 0, 9).await.unwrap(), []);
}

fn definition(config: &str) -> SegmentationRow {
    SegmentationRow {
        key: "value".to_owned(),
        number: 1,
        segmenter_id: "rfm".to_owned(),
        config: config.to_owned(),
        version: 1,
        plugin_digest: String::new(),
        fit: Vec::new(),
        revision: 1,
        created_at: at(1),
        closed_on: None,
    }
}

fn membership_of(tenant: TenantId, segment: &str) -> SegmentationCommit {
    SegmentationCommit {
        accounts: vec![replica_account(1, "anvil", segment)],
        memberships: vec![membership(1, 1, segment)],
        transitions: vec![transition(1, 1, segment, 1)],
        entries: vec![segment.as_bytes().to_vec()],
        ..segmentation(tenant, 0, 1)
    }
}

const ALL: TransitionFilter = TransitionFilter {
    segmentation: None,
    uid: None,
    since: None,
    until: None,
    known_at: None,
    order: TransitionOrder::NewestFirst,
    offset: 0,
    limit: 9,
};

pub async fn tenants_see_their_own_memberships_only<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let both = [(ACME, "gold"), (BOLT, "iron")];
    for (tenant, segment) in both {
        store
            .segmentations
            .create(
                tenant,
                &definition(segment),
                &first(&definition(segment)),
                once(Some(tenant), "request 1", 0),
            )
            .await
            .unwrap();
        store
            .memberships
            .commit(membership_of(tenant, segment))
            .await
            .unwrap();
    }
    for (tenant, segment) in both {
        let commit = membership_of(tenant, segment);
        let memberships = &store.memberships;
        assert_eq!(
            store.segmentations.all(tenant).await.unwrap(),
            [definition(segment)]
        );
        let account = memberships
            .account(tenant, &external("anvil"))
            .await
            .unwrap();
        assert_eq!(account.as_ref(), commit.accounts.first());
        assert_eq!(
            memberships.of_slice(tenant, SLICE).await.unwrap(),
            commit.memberships
        );
        assert_eq!(
            memberships.of_account(tenant, uid(1)).await.unwrap(),
            commit.memberships
        );
        let newest = memberships
            .at(tenant, uid(1), 1, at(9), at(9))
            .await
            .unwrap();
        assert_eq!(newest.as_ref(), commit.transitions.first());
        let page = Page::first(9);
        let members = memberships
            .members_at(tenant, 1, &[], (at(9), at(9)), &page)
            .await
            .unwrap();
        assert_eq!(
            members,
            [(commit.accounts[0].clone(), commit.transitions[0].clone())]
        );
        let counts = memberships
            .counts_at(tenant, 1, at(9), at(9))
            .await
            .unwrap();
        assert_eq!(
            (counts.len(), counts[0].segment.as_str(), counts[0].accounts),
            (1, segment, 1)
        );
        assert_eq!(
            memberships.transitions(tenant, &ALL).await.unwrap(),
            commit.transitions
        );
        let entries = store.feed.entries(tenant, SLICE, 0, 9).await.unwrap();
        assert_eq!(Some(&entries[0].payload), commit.entries.first());
    }
    sees_no_memberships(&store).await;
}

async fn sees_no_memberships(store: &Segmentation) {
    let memberships = &store.memberships;
    assert_eq!(store.segmentations.all(NOBODY).await.unwrap(), []);
    assert_eq!(
        memberships.progress(NOBODY, SLICE).await.unwrap(),
        SliceProgress::default()
    );
    assert_eq!(memberships.slices(NOBODY).await.unwrap(), []);
    assert_eq!(
        memberships
            .account(NOBODY, &external("anvil"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(memberships.of_slice(NOBODY, SLICE).await.unwrap(), []);
    assert_eq!(memberships.of_account(NOBODY, uid(1)).await.unwrap(), []);
    assert_eq!(
        memberships
            .at(NOBODY, uid(1), 1, at(9), at(9))
            .await
            .unwrap(),
        None
    );
    let page = Page::first(9);
    assert_eq!(
        memberships
            .members_at(NOBODY, 1, &[], (at(9), at(9)), &page)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        memberships
            .counts_at(NOBODY, 1, at(9), at(9))
            .await
            .unwrap(),
        []
    );
    assert_eq!(memberships.transitions(NOBODY, &ALL).await.unwrap(), []);
    assert_eq!(store.feed.entries(NOBODY, SLICE, 0, 9).await.unwrap(), []);
}

pub async fn tenants_see_their_own_moves_only<H: Harness>(harness: H) {
    let store = harness.metrics().await;
    let moved = |segment: &str| MoveRow {
        uid: uid(1),
        segmentation: "value".to_owned(),
        segment: segment.to_owned(),
        at: at(1),
        known_at: at(1),
    };
    for (tenant, segment) in [(ACME, "gold"), (BOLT, "iron")] {
        let facts = vec![account_fact(1, 1, 0)];
        store
            .metrics
            .commit(MetricsCommit::Facts(ReplicaCommit {
                facts,
                ..replica(tenant, 0, 1)
            }))
            .await
            .unwrap();
        let moves = vec![moved(segment)];
        let commit = MetricsCommit::Moves {
            tenant,
            slice: SLICE,
            expected_cursor: 0,
            progress: moves_progress(1),
            moves,
        };
        store.metrics.commit(commit).await.unwrap();
    }
    for (tenant, segment) in [(ACME, "gold"), (BOLT, "iron")] {
        assert_eq!(
            store.metrics.moves(tenant, SLICE).await.unwrap(),
            [moved(segment)]
        );
        assert_eq!(
            store.replica.facts(tenant, SLICE).await.unwrap(),
            [account_fact(1, 1, 0)]
        );
    }
    assert_eq!(
        store.metrics.moves_progress(NOBODY, SLICE).await.unwrap(),
        MovesProgress::default()
    );
    assert_eq!(store.metrics.moves(NOBODY, SLICE).await.unwrap(), []);
    assert_eq!(store.replica.facts(NOBODY, SLICE).await.unwrap(), []);
}
