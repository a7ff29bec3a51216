//! `Memberships`: lists of transitions, and their order.

use crate::conformance::make::{ACME, BOLT, at, transition, uid};
use crate::conformance::transitions::{history, store_transitions};
use crate::conformance::{Harness, Segmentation};
use crate::port::{TransitionFilter, TransitionOrder, TransitionRow};

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

pub async fn moves_that_an_account_has_moved_on_from_put_nothing_at_risk<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let worth = |id, account, moment, value_minor, downward| TransitionRow {
        value_minor,
        downward,
        ..transition(id, account, "active", moment)
    };
    let rows = vec![
        worth(1, 1, 10, 900, true),
        worth(2, 1, 20, 900, false),
        worth(3, 2, 10, 50, true),
        // Elsewhere it moves on its own.
        TransitionRow {
            segmentation: 2,
            ..worth(4, 2, 30, 1, false)
        },
        // At one moment of a clock that stands still.
        worth(5, 3, 15, 700, true),
        worth(6, 3, 15, 700, false),
        // It turns out at 90 that the account stayed where it went at 12.
        worth(7, 4, 12, 60, true),
        worth(8, 4, 14, 60, false),
        TransitionRow {
            known_at: at(90),
            is_move: false,
            is_correction: true,
            ..worth(9, 4, 14, 60, false)
        },
    ];
    store_transitions(&store, rows).await;
    let at_risk = || everything(TransitionOrder::ValueAtRisk);
    assert_eq!(ids(&store, at_risk()).await, [7, 3, 2, 6, 4, 1, 5]);
    let before = TransitionFilter {
        known_at: Some(at(89)),
        ..at_risk()
    };
    assert_eq!(ids(&store, before).await, [3, 2, 6, 8, 4, 1, 5, 7]);
    // As of a moment at which it had not moved on.
    let until = TransitionFilter {
        until: Some(at(19)),
        ..at_risk()
    };
    assert_eq!(ids(&store, until).await, [1, 7, 3, 6, 5]);
    let of_anvil = TransitionFilter {
        uid: Some(uid(1)),
        ..at_risk()
    };
    assert_eq!(ids(&store, of_anvil).await, [2, 1]);
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
            let mut expected = vec![4, 6];
            // What anvil has moved on from is last by value at risk.
            let place = match order {
                TransitionOrder::NewestFirst => 1,
                TransitionOrder::ValueAtRisk => expected.len(),
            };
            if let Some(anvil) = anvil {
                expected.insert(place, anvil);
            }
            let of_anvil = TransitionFilter {
                uid: Some(uid(1)),
                ..known.clone()
            };
            assert_eq!(ids(&store, of_anvil).await, expected, "{known_at}");
            let place = match order {
                TransitionOrder::NewestFirst => expected.len(),
                TransitionOrder::ValueAtRisk => 2,
            };
            expected.insert(place, 2);
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
    for (order, expected) in [
        // Chisel has moved on from 5.
        (TransitionOrder::ValueAtRisk, [6, 1, 7, 9, 5]),
        (TransitionOrder::NewestFirst, [6, 5, 1, 7, 9]),
    ] {
        // Chisel, anvil, bellows: neither in the order of uids nor of ids.
        assert_eq!(ids(&store, everything(order)).await, expected, "{order:?}");
        let page = TransitionFilter {
            offset: 1,
            limit: 2,
            ..everything(order)
        };
        assert_eq!(ids(&store, page).await, expected[1..3], "{order:?}");
        let of_anvil = TransitionFilter {
            uid: Some(uid(1)),
            ..everything(order)
        };
        assert_eq!(ids(&store, of_anvil).await, [1, 7], "{order:?}");
    }
}
