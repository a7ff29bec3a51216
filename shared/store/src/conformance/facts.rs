//! `Facts`: outcomes, accounts, slices, atomicity, exactness under concurrent writers.

use futures_util::future::join_all;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{Slice, TenantId};

use crate::conformance::make::{
    ACME, SLICE, account, at, batch, changed, entries, event, external, fact, records, rejection,
    sources, uid,
};
use crate::conformance::{Harness, Ingestion};
use crate::port::{Committed, FactBatch, NewFact, Outcome, RejectionFilter};

async fn commit(store: &Ingestion, batch: FactBatch) -> Vec<Outcome> {
    store.facts.commit(batch).await.unwrap().outcomes
}

/// A store that knows the account "anvil".
async fn with_anvil<H: Harness>(harness: &H) -> Ingestion {
    let store = harness.ingestion().await;
    commit(&store, batch(ACME, 1, vec![account("anvil", 1, "a1")])).await;
    store
}

pub async fn facts_are_stored_once_and_announced<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let late = NewFact {
        known_at: at(500),
        ..event("anvil", "e1", 7)
    };
    let committed = store
        .facts
        .commit(batch(ACME, 1, vec![account("anvil", 1, "a1"), late]))
        .await
        .unwrap();
    assert_eq!(
        committed,
        Committed {
            outcomes: vec![Outcome::Accepted; 2],
            heads: vec![(SLICE, 1)]
        }
    );

    let entries = entries(&store, ACME, SLICE).await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(
        (entry.sequence, entry.recorded_at, entry.import, entry.clock),
        (1, at(1_001), None, None)
    );
    assert_eq!(entry.facts.len(), 2);
    let (first, second) = (&entry.facts[0], &entry.facts[1]);
    assert_eq!(
        (first.uid, first.kind, first.historical),
        (Some(uid(1)), FactKind::Account, false)
    );
    assert_eq!(
        (second.uid, second.kind, second.historical),
        (Some(uid(1)), FactKind::Event, false)
    );
    assert_eq!((second.occurred_at, second.known_at), (at(7), at(500)));
    assert_eq!(second.record, b"record e1 of anvil");
}

pub async fn the_same_record_again_is_a_duplicate<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let fact = event("anvil", "e1", 7);
    assert_eq!(
        commit(&store, batch(ACME, 2, vec![fact.clone()])).await,
        [Outcome::Accepted]
    );
    assert_eq!(
        commit(&store, batch(ACME, 3, vec![fact.clone()])).await,
        [Outcome::Duplicate]
    );
    assert_eq!(
        commit(&store, batch(ACME, 4, vec![fact])).await,
        [Outcome::Duplicate]
    );
    assert_eq!(records(&store, ACME, SLICE).await.len(), 2);
}

pub async fn another_payload_under_a_stored_identity_is_a_conflict<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let fact = event("anvil", "e1", 7);
    assert_eq!(
        commit(&store, batch(ACME, 2, vec![fact.clone()])).await,
        [Outcome::Accepted]
    );
    assert_eq!(
        commit(&store, batch(ACME, 3, vec![changed(&fact)])).await,
        [Outcome::Conflict]
    );
    assert_eq!(
        commit(&store, batch(ACME, 4, vec![fact])).await,
        [Outcome::Duplicate],
        "the first payload stays"
    );
    assert_eq!(
        records(&store, ACME, SLICE).await,
        ["record a1 of anvil", "record e1 of anvil"]
    );
}

pub async fn the_first_of_several_in_one_batch_wins<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let fact = event("anvil", "e1", 7);
    let facts = vec![
        event("anvil", "e0", 7),
        fact.clone(),
        changed(&fact),
        fact.clone(),
        event("anvil", "e2", 7),
    ];
    let outcomes = commit(&store, batch(ACME, 2, facts)).await;
    assert_eq!(
        outcomes,
        [
            Outcome::Accepted,
            Outcome::Accepted,
            Outcome::Conflict,
            Outcome::Duplicate,
            Outcome::Accepted
        ]
    );
    let stored = records(&store, ACME, SLICE).await;
    assert_eq!(
        stored,
        [
            "record a1 of anvil",
            "record e0 of anvil",
            "record e1 of anvil",
            "record e2 of anvil"
        ]
    );
}

pub async fn an_identity_is_the_hour_and_the_hash<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let facts = vec![
        event("anvil", "e1", 7),
        event("anvil", "e1", 3_600),
        event("anvil", "e2", 7),
    ];
    assert_eq!(
        commit(&store, batch(ACME, 2, facts)).await,
        [Outcome::Accepted; 3]
    );
    // The corrected time is no part of it.
    let moved = NewFact {
        occurred_at: at(9_000),
        ..event("anvil", "e1", 7)
    };
    assert_eq!(
        commit(&store, batch(ACME, 3, vec![moved])).await,
        [Outcome::Duplicate]
    );
}

pub async fn account_facts_create_their_accounts_before_anything_else<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let facts = vec![
        event("anvil", "e1", 7),
        account("anvil", 1, "a1"),
        account("anvil", 2, "a2"),
    ];
    assert_eq!(
        commit(&store, batch(ACME, 1, facts)).await,
        [Outcome::Accepted; 3]
    );
    assert_eq!(
        commit(&store, batch(ACME, 2, vec![account("anvil", 3, "a3")])).await,
        [Outcome::Accepted]
    );
    let entries = entries(&store, ACME, SLICE).await;
    for fact in entries.iter().flat_map(|entry| &entry.facts) {
        assert_eq!(fact.uid, Some(uid(1)), "the first uid stays");
    }
    assert_eq!(
        store
            .accounts
            .resolve(ACME, &[external("anvil")])
            .await
            .unwrap()[0]
            .uid,
        uid(1)
    );
}

pub async fn facts_about_a_user_alone_go_to_slice_0<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let user = FactBatch {
        n_slices: 16,
        ..batch(ACME, 1, vec![fact(FactKind::User, None, "u1", 7)])
    };
    let committed = store.facts.commit(user).await.unwrap();
    assert_eq!(
        committed,
        Committed {
            outcomes: vec![Outcome::Accepted],
            heads: vec![(Slice(0), 1)]
        }
    );
    assert_eq!(entries(&store, ACME, Slice(0)).await[0].facts[0].uid, None);
}

pub async fn facts_go_to_the_slice_of_their_account<H: Harness>(harness: H) {
    const N_SLICES: u16 = 4;
    let store = harness.ingestion().await;
    let names: Vec<String> = (0..24).map(|n| format!("account-{n}")).collect();
    let mut facts = Vec::new();
    for (n, name) in (1..).zip(&names) {
        facts.push(account(name, n, &format!("a-{name}")));
    }
    for name in &names {
        facts.push(event(name, &format!("e-{name}"), 7));
    }
    let committed = store
        .facts
        .commit(FactBatch {
            n_slices: N_SLICES,
            ..batch(ACME, 1, facts)
        })
        .await
        .unwrap();
    let all: Vec<(Slice, u64)> = (0..N_SLICES).map(|slice| (Slice(slice), 1)).collect();
    assert_eq!(committed.heads, all, "24 accounts reach every slice");

    for slice in (0..N_SLICES).map(Slice) {
        let mine = || {
            names
                .iter()
                .filter(|name| Slice::of_account(&external(name), N_SLICES) == slice)
        };
        let mut expected: Vec<String> = mine()
            .map(|name| format!("record a-{name} of {name}"))
            .collect();
        expected.extend(mine().map(|name| format!("record e-{name} of {name}")));
        assert_eq!(
            records(&store, ACME, slice).await,
            expected,
            "order of arrival in {slice:?}"
        );
    }
}

pub async fn a_batch_that_stores_no_fact_writes_no_entry<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let nothing = |outcomes: &[Outcome]| Committed {
        outcomes: outcomes.to_vec(),
        heads: Vec::new(),
    };
    assert_eq!(
        store
            .facts
            .commit(batch(ACME, 2, Vec::new()))
            .await
            .unwrap(),
        nothing(&[])
    );
    let again = batch(ACME, 3, vec![account("anvil", 1, "a1")]);
    assert_eq!(
        store.facts.commit(again).await.unwrap(),
        nothing(&[Outcome::Duplicate])
    );
    let waiting = batch(ACME, 4, vec![event("unknown", "e1", 7)]);
    assert_eq!(
        store.facts.commit(waiting).await.unwrap(),
        nothing(&[Outcome::Held])
    );
    let refused = FactBatch {
        rejections: vec![rejection("crm", "value")],
        ..batch(ACME, 5, Vec::new())
    };
    assert_eq!(store.facts.commit(refused).await.unwrap(), nothing(&[]));
    assert_eq!(store.feed.heads().await.unwrap().len(), 1);
    assert_eq!(store.feed.heads().await.unwrap()[0].sequence, 1);
}

pub async fn a_rejection_does_not_consume_an_identity<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let refused = FactBatch {
        rejections: vec![rejection("crm", "value")],
        ..batch(ACME, 2, Vec::new())
    };
    commit(&store, refused).await;
    let mended = fact(FactKind::Event, Some("anvil"), "refused value", 7);
    assert_eq!(
        commit(&store, batch(ACME, 3, vec![mended])).await,
        [Outcome::Accepted]
    );
}

/// A batch id that is used twice makes it fail, after all other work.
pub async fn a_commit_that_fails_leaves_nothing<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    commit(&store, batch(ACME, 2, vec![event("waits", "w1", 0)])).await;
    let facts = || {
        vec![
            account("bellows", 2, "b1"),
            event("anvil", "e1", 0),
            event("waits", "w2", 0),
        ]
    };
    let refused = vec![rejection("crm", "value")];
    let counts = sources(&store, ACME).await;
    store
        .facts
        .commit(FactBatch {
            rejections: refused,
            ..batch(ACME, 1, facts())
        })
        .await
        .unwrap_err();

    assert_eq!(
        store
            .accounts
            .resolve(ACME, &[external("bellows")])
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        store
            .intake
            .rejections(ACME, &RejectionFilter::ALL, None, 10)
            .await
            .unwrap(),
        []
    );
    assert_eq!(store.intake.held(ACME, 0, 10).await.unwrap().len(), 1);
    assert_eq!(sources(&store, ACME).await, counts);
    assert_eq!(store.feed.heads().await.unwrap()[0].sequence, 1);
    let again = batch(ACME, 3, facts());
    assert_eq!(
        commit(&store, again).await,
        [Outcome::Accepted, Outcome::Accepted, Outcome::Held],
        "identities are free"
    );
    assert_eq!(
        store
            .accounts
            .resolve(ACME, &[external("bellows")])
            .await
            .unwrap()[0]
            .uid,
        uid(2)
    );
}

pub async fn a_commit_that_fails_does_not_spoil_those_beside_it<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let commits = (2..40).map(|n| {
        let used = if n % 4 == 0 { 1 } else { n };
        store
            .facts
            .commit(batch(ACME, used, vec![event("anvil", &format!("e{n}"), 0)]))
    });
    let results = join_all(commits).await;
    for (n, result) in (2..40).zip(results) {
        assert_eq!(result.is_err(), n % 4 == 0, "commit {n}");
    }
    let sequences: Vec<u64> = entries(&store, ACME, SLICE)
        .await
        .iter()
        .map(|entry| entry.sequence)
        .collect();
    assert_eq!(
        sequences,
        (1..=30).collect::<Vec<u64>>(),
        "no number is lost with a failed commit"
    );
}

pub async fn concurrent_writers_of_the_same_records_store_each_once<H: Harness>(harness: H) {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 10;
    const RECORDS: usize = 20;
    let first = with_anvil(&harness).await;
    let mut stores = Vec::new();
    for _ in 0..WRITERS {
        stores.push(harness.ingestion().await);
    }
    let mut number = 100;
    for round in 0..ROUNDS {
        let mut batches = Vec::new();
        for writer in 0..WRITERS {
            let mut facts: Vec<NewFact> = (0..RECORDS)
                .map(|n| event("anvil", &format!("{round}/{n}"), 7))
                .collect();
            facts.rotate_left(writer * RECORDS / WRITERS);
            batches.push(batch(ACME, number, facts));
            number += 1;
        }
        let commits = stores
            .iter()
            .zip(batches)
            .map(|(store, batch)| commit(store, batch));
        let outcomes = join_all(commits).await.concat();
        let count = |wanted: Outcome| {
            outcomes
                .iter()
                .filter(|outcome| **outcome == wanted)
                .count()
        };
        assert_eq!(
            (count(Outcome::Accepted), count(Outcome::Duplicate)),
            (RECORDS, RECORDS * (WRITERS - 1))
        );
    }
    let mut stored = records(&first, ACME, SLICE).await;
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored.len(), 1 + ROUNDS * RECORDS);
    assert_eq!(
        sources(&first, ACME).await[0].accepted,
        u64::try_from(1 + ROUNDS * RECORDS).unwrap()
    );
}

pub async fn concurrent_writers_that_bring_one_account_agree_on_its_uid<H: Harness>(harness: H) {
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(harness.ingestion().await);
    }
    for round in 0..10 {
        let name = format!("account-{round}");
        let commits = (0_u32..).zip(&stores).map(|(n, store)| {
            let new = account(&name, u128::from(10 * round + n), &format!("a{round}/{n}"));
            commit(store, batch(ACME, 100 + 10 * round + n, vec![new]))
        });
        assert_eq!(join_all(commits).await.concat(), [Outcome::Accepted; 4]);
        let account = stores[0]
            .accounts
            .resolve(ACME, &[external(&name)])
            .await
            .unwrap()
            .remove(0);
        let entries = entries(&stores[0], ACME, SLICE).await;
        let newest = &entries[entries.len() - 4..];
        assert!(
            newest
                .iter()
                .flat_map(|entry| &entry.facts)
                .all(|fact| fact.uid == Some(account.uid)),
            "{newest:?}"
        );
    }
}

pub async fn tenants_share_no_identity<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    for tenant in [ACME, TenantId(7)] {
        let facts = vec![account("anvil", 1, "a1"), event("anvil", "e1", 7)];
        assert_eq!(
            commit(&store, batch(tenant, 1, facts)).await,
            [Outcome::Accepted; 2]
        );
    }
}
