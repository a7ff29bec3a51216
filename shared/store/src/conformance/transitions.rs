//! `Memberships`: what transitions say about any moment.

use crate::conformance::make::{
    ABSTAINED, ACME, BOLT, MEMBER, at, replica_account, segmentation, transition, uid,
};
use crate::conformance::{Harness, Segmentation};
use crate::port::{
    Page, SegmentCount, SegmentationCommit, TransitionFilter, TransitionOrder, TransitionRow,
};

async fn store_transitions(store: &Segmentation, transitions: Vec<TransitionRow>) {
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
fn history() -> Vec<TransitionRow> {
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

fn everything(order: TransitionOrder) -> TransitionFilter {
    TransitionFilter {
        segmentation: None,
        uid: None,
        since: None,
        until: None,
        known_at: None,
        order,
        offset: 0,
        limit: 100,
    }
}

async fn ids(store: &Segmentation, filter: TransitionFilter) -> Vec<u128> {
    store
        .memberships
        .transitions(ACME, &filter)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect()
}

pub async fn transitions_come_newest_first<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store_transitions(&store, history()).await;
    let newest = || everything(TransitionOrder::NewestFirst);
    assert_eq!(ids(&store, newest()).await, [5, 6, 2, 3, 4, 1, 7]);
    let page = TransitionFilter {
        offset: 2,
        limit: 3,
        ..newest()
    };
    assert_eq!(ids(&store, page).await, [2, 3, 4]);
    assert_eq!(
        store
            .memberships
            .transitions(BOLT, &newest())
            .await
            .unwrap(),
        []
    );
}

pub async fn transitions_are_filtered<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    store_transitions(&store, history()).await;
    let newest = || everything(TransitionOrder::NewestFirst);
    let of_first = TransitionFilter {
        segmentation: Some(1),
        ..newest()
    };
    assert_eq!(ids(&store, of_first).await, [5, 6, 2, 3, 4, 1]);
    let of_chisel = TransitionFilter {
        uid: Some(uid(3)),
        ..newest()
    };
    assert_eq!(ids(&store, of_chisel.clone()).await, [6, 7]);
    let of_both = TransitionFilter {
        segmentation: Some(2),
        ..of_chisel
    };
    assert_eq!(ids(&store, of_both).await, [7]);
    let between = TransitionFilter {
        since: Some(at(12)),
        until: Some(at(20)),
        ..newest()
    };
    assert_eq!(
        ids(&store, between.clone()).await,
        [2, 3, 4],
        "both ends included"
    );
    let known_then = TransitionFilter {
        known_at: Some(at(89)),
        ..between.clone()
    };
    assert_eq!(ids(&store, known_then).await, [2, 4]);
    let of_anvil = TransitionFilter {
        uid: Some(uid(1)),
        ..between
    };
    assert_eq!(ids(&store, of_anvil).await, [2, 3]);
}

pub async fn transitions_come_by_value_at_risk<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let worth = |id, value_minor, downward| TransitionRow {
        value_minor,
        downward,
        ..transition(id, 1, "active", 10)
    };
    let rows = vec![
        worth(1, 900, false),
        worth(2, 50, true),
        worth(3, -10, false),
        worth(4, 70, true),
        TransitionRow {
            at: at(11),
            ..worth(6, 70, true)
        },
        worth(5, 900, false),
    ];
    store_transitions(&store, rows.clone()).await;
    let at_risk = || everything(TransitionOrder::ValueAtRisk);
    assert_eq!(ids(&store, at_risk()).await, [6, 4, 2, 5, 1, 3]);
    assert_eq!(
        ids(
            &store,
            TransitionFilter {
                offset: 1,
                limit: 2,
                uid: Some(uid(1)),
                ..at_risk()
            }
        )
        .await,
        [4, 2]
    );
    let first = store
        .memberships
        .transitions(
            ACME,
            &TransitionFilter {
                limit: 1,
                ..at_risk()
            },
        )
        .await
        .unwrap();
    assert_eq!(first, [rows[4].clone()]);
}

pub async fn transitions_are_listed_as_they_are_known<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let learned = |id, segment, known_at, is_move| TransitionRow {
        known_at: at(known_at),
        is_move,
        is_correction: known_at > 10,
        ..transition(id, 1, segment, 10)
    };
    // Anvil was in trial at 10; at 90 it turns out that it was active, at 95 that it had not moved, at 97 that it had lapsed.
    let of_anvil = [
        learned(1, "trial", 10, true),
        learned(3, "active", 90, true),
        learned(5, "", 95, false),
        learned(7, "lapsed", 97, true),
    ];
    // What others did then, and what it did later or elsewhere, is not corrected with it.
    let others = [
        transition(2, 2, "trial", 10),
        transition(4, 1, "trial", 20),
        TransitionRow {
            segmentation: 2,
            ..transition(6, 1, "gold", 10)
        },
    ];
    store_transitions(&store, [&of_anvil[..], &others[..]].concat()).await;
    for (known_at, anvil) in [
        (89, Some(1)),
        (90, Some(3)),
        (94, Some(3)),
        (95, None),
        (97, Some(7)),
        (1_000_000, Some(7)),
    ] {
        for order in [TransitionOrder::NewestFirst, TransitionOrder::ValueAtRisk] {
            let known = TransitionFilter {
                known_at: Some(at(known_at)),
                ..everything(order)
            };
            let mut expected = vec![4];
            expected.extend(anvil);
            expected.push(6);
            let of_anvil = TransitionFilter {
                uid: Some(uid(1)),
                ..known.clone()
            };
            assert_eq!(ids(&store, of_anvil).await, expected, "{known_at}");
            expected.push(2);
            assert_eq!(ids(&store, known.clone()).await, expected, "{known_at}");
            let page = TransitionFilter {
                offset: 1,
                limit: 2,
                ..known
            };
            assert_eq!(ids(&store, page).await, expected[1..3], "{known_at}");
        }
    }
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

pub async fn equal_transitions_come_by_external_id<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let rows = vec![
        transition(1, 1, "active", 10),
        transition(9, 2, "active", 10),
        transition(5, 3, "active", 10),
        // The same account at the same moment: newest first.
        transition(6, 3, "trial", 10),
        TransitionRow {
            segmentation: 2,
            ..transition(7, 1, "gold", 10)
        },
    ];
    store_transitions(&store, rows).await;
    for order in [TransitionOrder::ValueAtRisk, TransitionOrder::NewestFirst] {
        // Chisel, anvil, bellows: neither in the order of uids nor of ids.
        assert_eq!(
            ids(&store, everything(order)).await,
            [6, 5, 1, 7, 9],
            "{order:?}"
        );
        let page = TransitionFilter {
            offset: 1,
            limit: 2,
            ..everything(order)
        };
        assert_eq!(ids(&store, page).await, [5, 1], "{order:?}");
        let of_anvil = TransitionFilter {
            uid: Some(uid(1)),
            ..everything(order)
        };
        assert_eq!(ids(&store, of_anvil).await, [1, 7], "{order:?}");
    }
}
