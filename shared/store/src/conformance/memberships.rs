//! `Memberships`: what is stored of the present.

use futures_util::future::join_all;

use sextant_domain::time::Day;

use crate::Error;
use crate::conformance::Harness;
use crate::conformance::make::{
    ABSTAINED, ACME, BOLT, SLICE, at, external, membership, replica_account, segmentation,
    transition, uid,
};
use crate::port::{Behind, Judged, MembershipRow, SegmentationCommit, SliceProgress};

pub async fn segmentation_knows_how_far_it_is<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    assert_eq!(
        store.memberships.progress(ACME, SLICE).await.unwrap(),
        SliceProgress::default()
    );
    assert_eq!(store.memberships.cursors().await.unwrap(), []);
    let behind = [(2, 0), (300, u64::MAX)].map(|(segmentation, cursor)| Behind {
        segmentation,
        cursor,
    });
    let behind = behind.to_vec();
    let judged = vec![Judged {
        segmentation: 300,
        version: 70_000,
    }];
    store
        .memberships
        .commit(SegmentationCommit {
            closed_on: None,
            behind: behind.clone(),
            judged: judged.clone(),
            ..segmentation(ACME, 0, 3)
        })
        .await
        .unwrap();
    assert_eq!(
        store.memberships.progress(ACME, SLICE).await.unwrap(),
        SliceProgress {
            cursor: 3,
            facts_sequence: 30,
            closed_on: None,
            version: 1,
            behind,
            judged,
        }
    );
    store
        .memberships
        .commit(segmentation(ACME, 1, 4))
        .await
        .unwrap();
    store
        .memberships
        .commit(segmentation(BOLT, 0, 9))
        .await
        .unwrap();
    let acme = SliceProgress {
        cursor: 4,
        facts_sequence: 40,
        closed_on: Some(Day(20_000)),
        version: 2,
        behind: Vec::new(),
        judged: Vec::new(),
    };
    let bolt = SliceProgress {
        cursor: 9,
        facts_sequence: 90,
        version: 1,
        ..acme.clone()
    };
    assert_eq!(store.memberships.progress(ACME, SLICE).await.unwrap(), acme);
    assert_eq!(
        store.memberships.cursors().await.unwrap(),
        [(ACME, SLICE, acme), (BOLT, SLICE, bolt.clone())]
    );
    let slices = store.memberships.slices(BOLT).await.unwrap();
    assert_eq!(slices, [(SLICE, bolt)]);
}

pub async fn memberships_are_replaced_whole<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let memberships = vec![
        membership(2, 1, "gold"),
        membership(1, 2, "trial"),
        membership(1, 1, "active"),
    ];
    store
        .memberships
        .commit(SegmentationCommit {
            memberships,
            ..segmentation(ACME, 0, 1)
        })
        .await
        .unwrap();
    let changed = MembershipRow {
        state: ABSTAINED,
        segment: String::new(),
        entered_at: at(99),
        close_state: 1,
        close_segment: "active".to_owned(),
        transition: b"out".to_vec(),
        trouble: "it crashed".to_owned(),
        ..membership(1, 1, "")
    };
    let memberships = vec![changed.clone()];
    store
        .memberships
        .commit(SegmentationCommit {
            memberships,
            ..segmentation(ACME, 1, 2)
        })
        .await
        .unwrap();
    let of_slice = [
        changed.clone(),
        membership(1, 2, "trial"),
        membership(2, 1, "gold"),
    ];
    assert_eq!(
        store.memberships.of_slice(ACME, SLICE).await.unwrap(),
        of_slice
    );
    assert_eq!(
        store.memberships.of_account(ACME, uid(1)).await.unwrap(),
        [changed, membership(2, 1, "gold")]
    );
    assert_eq!(
        store.memberships.of_account(ACME, uid(3)).await.unwrap(),
        []
    );
}

pub async fn segmentation_finds_accounts_by_external_id<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let accounts = vec![
        replica_account(1, "anvil", ""),
        replica_account(2, "bellows", "Bellows Inc"),
    ];
    store
        .memberships
        .commit(SegmentationCommit {
            accounts,
            ..segmentation(ACME, 0, 1)
        })
        .await
        .unwrap();
    let accounts = vec![replica_account(1, "anvil", "Anvil Ltd")];
    store
        .memberships
        .commit(SegmentationCommit {
            accounts,
            ..segmentation(ACME, 1, 2)
        })
        .await
        .unwrap();
    let found = store
        .memberships
        .account(ACME, &external("anvil"))
        .await
        .unwrap();
    assert_eq!(found, Some(replica_account(1, "anvil", "Anvil Ltd")));
    assert_eq!(
        store
            .memberships
            .account(ACME, &external("chisel"))
            .await
            .unwrap(),
        None
    );
}

pub async fn segmentation_announces_commits_that_have_an_entry<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let with = |expected, cursor, entry: Option<&[u8]>| SegmentationCommit {
        entries: entry.map(<[u8]>::to_vec).into_iter().collect(),
        ..segmentation(ACME, expected, cursor)
    };
    assert_eq!(store.memberships.commit(with(0, 1, None)).await.unwrap(), 0);
    assert_eq!(
        store
            .memberships
            .commit(with(1, 2, Some(b"one")))
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.memberships.commit(with(2, 3, None)).await.unwrap(), 1);
    assert_eq!(
        store
            .memberships
            .commit(with(3, 4, Some(b"two")))
            .await
            .unwrap(),
        2
    );
    let entries = store.feed.entries(ACME, SLICE, 0, 10).await.unwrap();
    let told: Vec<(u64, &[u8])> = entries
        .iter()
        .map(|entry| (entry.sequence, entry.payload.as_slice()))
        .collect();
    assert_eq!(told, [(1, &b"one"[..]), (2, b"two")]);
}

pub async fn a_fenced_commit_leaves_no_membership<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let full = |expected, cursor| SegmentationCommit {
        accounts: vec![replica_account(1, "anvil", "")],
        memberships: vec![membership(1, 1, "active")],
        transitions: vec![transition(1, 1, "active", 1)],
        entries: vec![b"x".to_vec()],
        ..segmentation(ACME, expected, cursor)
    };
    for expected in [1, 5] {
        let refused = store.memberships.commit(full(expected, 6)).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    assert_eq!(
        store.memberships.progress(ACME, SLICE).await.unwrap(),
        SliceProgress::default()
    );
    assert_eq!(
        store
            .memberships
            .account(ACME, &external("anvil"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.memberships.of_slice(ACME, SLICE).await.unwrap(), []);
    assert_eq!(
        store
            .memberships
            .at(ACME, uid(1), 1, at(9), at(9))
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.feed.heads().await.unwrap(), []);
    assert_eq!(
        store.memberships.commit(full(0, 1)).await.unwrap(),
        1,
        "no number was lost"
    );
}

pub async fn of_concurrent_segmentations_one_moves_the_cursor<H: Harness>(harness: H) {
    let stores = [
        harness.segmentation().await,
        harness.segmentation().await,
        harness.segmentation().await,
    ];
    for cursor in 0..10 {
        let commits = (0..).zip(&stores).map(|(n, store)| {
            let transitions = vec![transition(u128::from(cursor) * 10 + n, n, "active", 1)];
            store.memberships.commit(SegmentationCommit {
                transitions,
                entries: vec![Vec::new()],
                ..segmentation(ACME, cursor, cursor + 1)
            })
        });
        let results = join_all(commits).await;
        assert!(
            results
                .iter()
                .all(|result| matches!(result, Ok(_) | Err(Error::Fenced))),
            "{results:?}"
        );
        let sequences: Vec<u64> = results
            .into_iter()
            .filter_map(|result| result.ok())
            .collect();
        assert_eq!(sequences, [cursor + 1], "no transition twice");
    }
}

pub async fn a_commit_of_memberships_passes_once_also_at_its_cursor<H: Harness>(harness: H) {
    let stores = [harness.segmentation().await, harness.segmentation().await];
    stores[0]
        .memberships
        .commit(segmentation(ACME, 0, 7))
        .await
        .unwrap();
    // Two processes evaluate a new segmentation, at different moments.
    let at_cursor = |n| SegmentationCommit {
        transitions: vec![transition(n, 1, "active", 1)],
        entries: vec![Vec::new()],
        ..segmentation(ACME, 1, 7)
    };
    let commits = (1..)
        .zip(&stores)
        .map(|(n, store)| store.memberships.commit(at_cursor(n)));
    let results = join_all(commits).await;
    let n_stored = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(n_stored, 1, "{results:?}");
    let again = stores[0].memberships.commit(at_cursor(3)).await;
    assert!(matches!(again, Err(Error::Fenced)), "{again:?}");
    let entries = stores[1].feed.entries(ACME, SLICE, 0, 9).await.unwrap();
    assert_eq!(entries.len(), 1);
    let progress = stores[1].memberships.progress(ACME, SLICE).await.unwrap();
    assert_eq!((progress.cursor, progress.version), (7, 2));
}
