//! `Memberships`: what transitions say about any moment.

use crate::conformance::make::{
    ABSTAINED, ACME, BOLT, MEMBER, at, replica_account, segmentation, transition, uid,
};
use crate::conformance::{Harness, Segmentation};
use crate::port::{Page, SegmentCount, SegmentationCommit, TransitionRow};

pub(super) async fn store_transitions(store: &Segmentation, transitions: Vec<TransitionRow>) {
    let accounts = vec![
        replica_account(1, "anvil", ""),
        replica_account(2, "bellows", ""),
        replica_account(3, "Chisel", ""),
    ];
    store
        .memberships
        .commit(SegmentationCommit {
            accounts,
            transitions,
            ..segmentation(ACME, 0, 1)
        })
        .await
        .unwrap();
}

/// Anvil: trial at 10, active at 20, and, known since 90, lapsed at 15. Bellows: active at 12, abstained at 30. Chisel: trial
/// at 25 in segmentation 1, gold at 5 in segmentation 2.
pub(super) fn history() -> Vec<TransitionRow> {
    vec![
        transition(1, 1, "trial", 10),
        transition(2, 1, "active", 20),
        TransitionRow {
            known_at: at(90),
            ..transition(3, 1, "lapsed", 15)
        },
        transition(4, 2, "active", 12),
        TransitionRow {
            to_state: ABSTAINED,
            to_segment: String::new(),
            ..transition(5, 2, "", 30)
        },
        transition(6, 3, "trial", 25),
        TransitionRow {
            segmentation: 2,
            ..transition(7, 3, "gold", 5)
        },
    ]
}

pub async fn a_past_membership_is_the_newest_transition_known_then<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store_transitions(&store, history()).await;
    let at_moment = async |n, segmentation, as_of, known_at| {
        store
            .memberships
            .at(ACME, uid(n), segmentation, at(as_of), at(known_at))
            .await
            .unwrap()
            .map(|row| row.id)
    };
    assert_eq!(at_moment(1, 1, 9, 100).await, None, "before the first");
    assert_eq!(
        at_moment(1, 1, 10, 100).await,
        Some(1),
        "at its very moment"
    );
    assert_eq!(
        at_moment(1, 1, 16, 89).await,
        Some(1),
        "the late one is not known yet"
    );
    assert_eq!(at_moment(1, 1, 16, 90).await, Some(3), "now it is");
    assert_eq!(
        at_moment(1, 1, 100, 100).await,
        Some(2),
        "what is late does not replace what is newer"
    );
    assert_eq!(at_moment(3, 1, 24, 100).await, None);
    assert_eq!(
        at_moment(3, 2, 24, 100).await,
        Some(7),
        "segmentations are apart"
    );
    let whole = store
        .memberships
        .at(ACME, uid(1), 1, at(16), at(90))
        .await
        .unwrap();
    assert_eq!(
        whole,
        Some(TransitionRow {
            known_at: at(90),
            ..transition(3, 1, "lapsed", 15)
        })
    );
}

pub async fn of_transitions_at_one_moment_the_greater_id_is_newer<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store_transitions(
        &store,
        vec![transition(9, 1, "late", 10), transition(8, 1, "early", 10)],
    )
    .await;
    assert_eq!(
        store
            .memberships
            .at(ACME, uid(1), 1, at(10), at(10))
            .await
            .unwrap()
            .unwrap()
            .id,
        9
    );
    let counts = store
        .memberships
        .counts_at(ACME, 1, at(10), at(10))
        .await
        .unwrap();
    assert_eq!(
        counts,
        [SegmentCount {
            state: MEMBER,
            segment: "late".to_owned(),
            accounts: 1
        }]
    );
}

/// Anvil was in trial at 10, as all knew at 10; at 90 it turns out that it was active, and at 95 that it had lapsed.
fn corrected() -> Vec<TransitionRow> {
    let learned = |id, segment, known_at| TransitionRow {
        known_at: at(known_at),
        ..transition(id, 1, segment, 10)
    };
    vec![
        learned(1, "trial", 10),
        learned(2, "active", 90),
        learned(3, "lapsed", 95),
        transition(4, 1, "trial", 20),
    ]
}

pub async fn a_correction_replaces_what_was_known_of_its_moment_since_it_is_known<H: Harness>(
    harness: H,
) {
    let store = harness.segmentation().await;
    store_transitions(&store, corrected()).await;
    for (as_of, known_at, segment) in [
        (10, 89, "trial"),
        (10, 90, "active"),
        (19, 94, "active"),
        (19, 95, "lapsed"),
        (20, 95, "trial"),
    ] {
        let (memberships, as_of, known_at) = (&store.memberships, at(as_of), at(known_at));
        let one = memberships.at(ACME, uid(1), 1, as_of, known_at).await;
        assert_eq!(one.unwrap().unwrap().to_segment, segment);
        let counts = memberships.counts_at(ACME, 1, as_of, known_at).await;
        let count = SegmentCount {
            state: MEMBER,
            segment: segment.to_owned(),
            accounts: 1,
        };
        assert_eq!(counts.unwrap(), [count]);
        let (moment, page) = ((as_of, known_at), Page::first(9));
        let members = memberships.members_at(ACME, 1, &[], moment, &page).await;
        let members = members.unwrap();
        let found = members.iter().map(|(_, row)| &*row.to_segment);
        assert_eq!(found.collect::<Vec<_>>(), [segment]);
    }
}

pub async fn histories_are_of_the_accounts_asked_for<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store_transitions(&store, history()).await;
    let histories = async |uids: &[u128]| {
        let uids: Vec<_> = uids.iter().map(|n| uid(*n)).collect();
        let found = store.memberships.histories(ACME, &uids).await.unwrap();
        let mut ids: Vec<_> = found.iter().map(|row| (row.uid, row.id)).collect();
        // Stable: the order within an account stays.
        ids.sort_by_key(|(uid, _)| *uid);
        ids.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(histories(&[1]).await, [1, 3, 2]);
    assert_eq!(histories(&[1, 2]).await, [1, 3, 2, 4, 5]);
    assert_eq!(histories(&[]).await, []);
    let others = store.memberships.histories(BOLT, &[uid(1)]).await;
    assert_eq!(others.unwrap(), []);
}

pub async fn members_at_a_moment_are_listed_by_external_id<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store_transitions(&store, history()).await;
    let members = async |segments: &[&str], as_of, known_at, page: Page| {
        let segments: Vec<String> = segments
            .iter()
            .map(|segment| (*segment).to_owned())
            .collect();
        let rows = store
            .memberships
            .members_at(ACME, 1, &segments, (at(as_of), at(known_at)), &page)
            .await
            .unwrap();
        rows.into_iter()
            .map(|(account, row)| (account.id.as_str().to_owned(), row.to_segment))
            .collect::<Vec<(String, String)>>()
    };
    let told = |rows: &[(&str, &str)]| {
        rows.iter()
            .map(|(id, segment)| ((*id).to_owned(), (*segment).to_owned()))
            .collect::<Vec<_>>()
    };
    let all = Page::first(10);
    assert_eq!(
        members(&[], 100, 100, all.clone()).await,
        told(&[("Chisel", "trial"), ("anvil", "active"), ("bellows", "")])
    );
    assert_eq!(
        members(&[], 16, 89, all.clone()).await,
        told(&[("anvil", "trial"), ("bellows", "active")])
    );
    assert_eq!(
        members(&[], 16, 90, all.clone()).await,
        told(&[("anvil", "lapsed"), ("bellows", "active")])
    );
    assert_eq!(
        members(&["active"], 16, 90, all.clone()).await,
        told(&[("bellows", "active")])
    );
    assert_eq!(
        members(&["active", "trial"], 100, 100, all).await,
        told(&[("Chisel", "trial"), ("anvil", "active")])
    );
    assert_eq!(
        members(&[], 100, 100, Page::first(1)).await,
        told(&[("Chisel", "trial")])
    );
    let after = Page {
        after: Some("Chisel".to_owned()),
        limit: 1,
    };
    assert_eq!(
        members(&[], 100, 100, after.clone()).await,
        told(&[("anvil", "active")])
    );
    assert_eq!(
        members(&["trial"], 100, 100, after).await,
        told(&[]),
        "a page holds what passes, not what was looked at"
    );

    let rows = store
        .memberships
        .members_at(ACME, 2, &[], (at(100), at(100)), &Page::first(10))
        .await
        .unwrap();
    assert_eq!(
        rows,
        [(
            replica_account(3, "Chisel", ""),
            TransitionRow {
                segmentation: 2,
                ..transition(7, 3, "gold", 5)
            }
        )]
    );
}

pub async fn counts_at_a_moment_are_of_newest_transitions<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store_transitions(&store, history()).await;
    let counts = async |as_of, known_at| {
        let counts = store
            .memberships
            .counts_at(ACME, 1, at(as_of), at(known_at))
            .await
            .unwrap();
        counts
            .into_iter()
            .map(|count| (count.state, count.segment, count.accounts))
            .collect::<Vec<_>>()
    };
    let count = |state, segment: &str, accounts: u64| (state, segment.to_owned(), accounts);
    assert_eq!(counts(9, 100).await, []);
    assert_eq!(counts(22, 22).await, [count(MEMBER, "active", 2)]);
    assert_eq!(
        counts(16, 90).await,
        [count(MEMBER, "active", 1), count(MEMBER, "lapsed", 1)]
    );
    assert_eq!(
        counts(100, 100).await,
        [
            count(MEMBER, "active", 1),
            count(MEMBER, "trial", 1),
            count(ABSTAINED, "", 1)
        ]
    );
}

pub async fn what_was_told_of_a_moment_stays_told<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let mut rows = corrected();
    rows.push(TransitionRow {
        is_move: false,
        ..transition(5, 2, "trial", 10)
    });
    rows.push(transition(6, 1, "late", 10));
    store_transitions(&store, rows.clone()).await;
    let told = async |tenant, known_at, after, limit| {
        let told = store
            .memberships
            .told(tenant, at(10), at(known_at), after, limit)
            .await;
        told.unwrap()
    };
    let first = [&rows[0], &rows[4], &rows[5]].map(Clone::clone);
    assert_eq!(told(ACME, 10, 0, 9).await, first);
    assert_eq!(told(ACME, 10, 1, 1).await, first[1..2]);
    assert_eq!(told(ACME, 10, 6, 9).await, []);
    assert_eq!(told(ACME, 90, 0, 9).await, rows[1..2]);
    assert_eq!(told(ACME, 91, 0, 9).await, []);
    assert_eq!(told(BOLT, 10, 0, 9).await, []);
}
