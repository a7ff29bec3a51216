//! `Facts` and `Intake`: records that wait for their account.

use std::sync::Arc;

use futures_util::future::join_all;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{PayloadHash, Slice};

use crate::conformance::make::{
    ACME, SLICE, account, at, batch, changed, entries, event, external, from_source, records,
    sources,
};
use crate::conformance::{Harness, Ingestion};
use crate::port::{FactBatch, MAX_ENTRY_BYTES, NewFact, Outcome, RejectionFilter, SourceRow};

async fn commit(store: &Ingestion, batch: FactBatch) -> Vec<Outcome> {
    store.facts.commit(batch).await.unwrap().outcomes
}

async fn count_of(store: &Ingestion, source: &str) -> SourceRow {
    let counts = sources(store, ACME).await;
    counts
        .into_iter()
        .find(|count| count.source == source)
        .unwrap()
}

pub async fn a_record_of_an_unknown_account_is_held<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    assert_eq!(
        commit(&store, batch(ACME, 1, vec![event("anvil", "e1", 7)])).await,
        [Outcome::Held]
    );
    assert_eq!(store.feed.heads().await.unwrap(), []);
    let held = store.intake.held(ACME, 0, 10).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(
        (held[0].account.as_str(), held[0].received_at),
        ("anvil", at(1_001))
    );
    assert_eq!(held[0].record, b"record e1 of anvil");
    let count = count_of(&store, "crm").await;
    assert_eq!(
        (count.held, count.accepted, count.duplicate, count.conflict),
        (1, 0, 0, 0)
    );
}

pub async fn a_held_record_that_comes_again_is_held_once<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let fact = event("anvil", "e1", 7);
    assert_eq!(
        commit(&store, batch(ACME, 1, vec![fact.clone(), fact.clone()])).await,
        [Outcome::Held; 2]
    );
    assert_eq!(
        commit(&store, batch(ACME, 2, vec![fact])).await,
        [Outcome::Held]
    );
    assert_eq!(store.intake.held(ACME, 0, 10).await.unwrap().len(), 1);
    let count = count_of(&store, "crm").await;
    assert_eq!(
        (count.held, count.duplicate, count.last_received_at),
        (1, 0, at(1_002))
    );
}

pub async fn another_payload_of_a_held_record_is_a_conflict<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let fact = event("anvil", "e1", 7);
    assert_eq!(
        commit(&store, batch(ACME, 1, vec![fact.clone(), changed(&fact)])).await,
        [Outcome::Held, Outcome::Conflict]
    );
    assert_eq!(
        commit(&store, batch(ACME, 2, vec![changed(&fact)])).await,
        [Outcome::Conflict]
    );
    let held = store.intake.held(ACME, 0, 10).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].record, fact.record);
    let count = count_of(&store, "crm").await;
    assert_eq!((count.held, count.conflict), (1, 2));
}

pub async fn held_records_are_stored_when_their_account_appears<H: Harness>(harness: H) {
    const N_SLICES: u16 = 4;
    let store = harness.ingestion().await;
    let waiting = vec![
        event("anvil", "e2", 8),
        event("bellows", "e9", 7),
        event("anvil", "e1", 7),
    ];
    commit(
        &store,
        FactBatch {
            n_slices: N_SLICES,
            ..from_source("app", batch(ACME, 1, waiting))
        },
    )
    .await;
    let brought = FactBatch {
        n_slices: N_SLICES,
        ..batch(
            ACME,
            2,
            vec![account("anvil", 1, "a1"), event("anvil", "e3", 9)],
        )
    };
    let committed = store.facts.commit(brought).await.unwrap();
    let slice = Slice::of_account(&external("anvil"), N_SLICES);
    assert_eq!(
        (committed.outcomes, committed.heads),
        (vec![Outcome::Accepted; 2], vec![(slice, 1)])
    );

    let entries = entries(&store, ACME, slice).await;
    assert_eq!((entries.len(), entries[0].recorded_at), (1, at(1_002)));
    let stored = records(&store, ACME, slice).await;
    let expected = [
        "record a1 of anvil",
        "record e3 of anvil",
        "record e2 of anvil",
        "record e1 of anvil",
    ];
    assert_eq!(
        stored, expected,
        "first the batch, then what was held, each in order of arrival"
    );
    let knowledge = entries[0].facts.iter().map(|fact| fact.known_at);
    assert_eq!(
        knowledge.skip(2).collect::<Vec<_>>(),
        [at(1_002); 2],
        "what was held is known once its account is"
    );
    let held = store.intake.held(ACME, 0, 10).await.unwrap();
    assert_eq!(
        held.iter()
            .map(|row| row.account.as_str())
            .collect::<Vec<_>>(),
        ["bellows"]
    );

    let app = count_of(&store, "app").await;
    assert_eq!(
        (app.held, app.accepted, app.last_received_at),
        (1, 2, at(1_001))
    );
    let crm = count_of(&store, "crm").await;
    assert_eq!((crm.held, crm.accepted), (0, 2));
    let again = FactBatch {
        n_slices: N_SLICES,
        ..batch(ACME, 3, vec![event("anvil", "e1", 7)])
    };
    assert_eq!(commit(&store, again).await, [Outcome::Duplicate]);
}

pub async fn what_an_account_releases_is_told_in_entries_that_one_message_carries<H: Harness>(
    harness: H,
) {
    const N_RECORDS: usize = 20;
    let store = harness.ingestion().await;
    let large = |n: usize| {
        let record = format!("{n:02}{}", "x".repeat(400_000)).into_bytes();
        NewFact {
            payload: PayloadHash::of(&record),
            record,
            ..event("anvil", &format!("e{n}"), 7)
        }
    };
    commit(&store, batch(ACME, 1, (0..N_RECORDS).map(large).collect())).await;
    let brought = batch(ACME, 2, vec![account("anvil", 1, "a1")]);
    let committed = store.facts.commit(brought).await.unwrap();
    let entries = entries(&store, ACME, SLICE).await;
    let sizes = entries.iter().map(|entry| {
        let records = entry.facts.iter().map(|fact| fact.record.len());
        records.sum::<usize>()
    });
    let sizes: Vec<usize> = sizes.collect();
    assert!(
        sizes.iter().all(|size| *size <= MAX_ENTRY_BYTES),
        "{sizes:?}"
    );
    assert_eq!((sizes.len(), committed.heads), (4, vec![(SLICE, 4)]));
    let stored = entries.iter().flat_map(|entry| &entry.facts);
    let (first, rest) = (0..)
        .zip(stored)
        .partition::<Vec<_>, _>(|(place, _)| *place == 0);
    assert_eq!(first[0].1.kind, FactKind::Account);
    let order: Vec<bool> = rest
        .iter()
        .map(|(place, fact)| {
            fact.record
                .starts_with(format!("{:02}", place - 1).as_bytes())
        })
        .collect();
    assert_eq!(order, [true; N_RECORDS]);
}

pub async fn a_held_record_that_comes_again_with_its_account_is_stored_once<H: Harness>(
    harness: H,
) {
    let store = harness.ingestion().await;
    let fact = event("anvil", "e1", 7);
    commit(&store, batch(ACME, 1, vec![fact.clone()])).await;
    let late = NewFact {
        known_at: at(900),
        ..fact
    };
    let outcomes = commit(
        &store,
        batch(ACME, 2, vec![late, account("anvil", 1, "a1")]),
    )
    .await;
    assert_eq!(
        outcomes,
        [Outcome::Duplicate, Outcome::Accepted],
        "what waited is first"
    );
    let entries = entries(&store, ACME, SLICE).await;
    assert_eq!(entries[0].facts.len(), 2);
    assert_eq!(entries[0].facts[1].known_at, at(1_002));
    let count = count_of(&store, "crm").await;
    assert_eq!((count.held, count.accepted, count.duplicate), (0, 2, 1));
}

pub async fn holding_does_not_consume_an_identity<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    commit(&store, batch(ACME, 1, vec![account("anvil", 1, "a1")])).await;
    commit(
        &store,
        from_source(
            "app",
            batch(
                ACME,
                2,
                vec![event("bellows", "e1", 7), event("bellows", "e2", 7)],
            ),
        ),
    )
    .await;
    assert_eq!(
        commit(&store, batch(ACME, 3, vec![event("anvil", "e1", 7)])).await,
        [Outcome::Accepted]
    );
    commit(&store, batch(ACME, 4, vec![account("bellows", 2, "b1")])).await;
    let stored = records(&store, ACME, SLICE).await;
    let expected = [
        "record a1 of anvil",
        "record e1 of anvil",
        "record b1 of bellows",
        "record e2 of bellows",
    ];
    assert_eq!(
        stored, expected,
        "identity e1 was taken while the other waited"
    );
    let app = count_of(&store, "app").await;
    assert_eq!((app.held, app.accepted, app.conflict), (0, 1, 1));
    assert_eq!(app.rejected, 0);
    let kept = store
        .intake
        .rejections(ACME, &RejectionFilter::ALL, None, 10)
        .await
        .unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|row| (&*row.record, &*row.reason))
        .collect();
    assert_eq!(kept, [(&b"record e1 of bellows"[..], "CONFLICT")]);
}

pub async fn held_records_are_listed_oldest_first<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    commit(
        &store,
        batch(
            ACME,
            1,
            vec![event("anvil", "e1", 7), event("bellows", "e2", 7)],
        ),
    )
    .await;
    commit(&store, batch(ACME, 2, vec![event("chisel", "e3", 7)])).await;
    let held = store.intake.held(ACME, 0, 2).await.unwrap();
    assert_eq!(
        held.iter()
            .map(|row| row.account.as_str())
            .collect::<Vec<_>>(),
        ["anvil", "bellows"]
    );
    let rest = store.intake.held(ACME, held[1].ordinal, 10).await.unwrap();
    assert_eq!(
        rest.iter()
            .map(|row| row.account.as_str())
            .collect::<Vec<_>>(),
        ["chisel"]
    );

    // The newest one goes; what comes next is newer all the same.
    commit(&store, batch(ACME, 3, vec![account("chisel", 1, "c1")])).await;
    commit(&store, batch(ACME, 4, vec![event("drill", "e4", 7)])).await;
    let newest = store.intake.held(ACME, rest[0].ordinal, 10).await.unwrap();
    assert_eq!(
        newest
            .iter()
            .map(|row| row.account.as_str())
            .collect::<Vec<_>>(),
        ["drill"]
    );
}

/// Some writers bring records of an account while another brings the account: each record is stored, by whoever is later.
pub async fn no_record_waits_for_an_account_that_is_known<H: Harness>(harness: H) {
    const WRITERS: u32 = 3;
    const ROUNDS: u32 = 20;
    let mut stores = Vec::new();
    for _ in 0..=WRITERS {
        stores.push(harness.ingestion().await);
    }
    for round in 0..ROUNDS {
        let name: Arc<str> = format!("account-{round}").into();
        let commits = (0..).zip(&stores).map(|(writer, store)| {
            let number = 1_000 + 10 * round + writer;
            let new = match writer {
                1 => account(&name, u128::from(round), &format!("a{round}")),
                _ => event(&name, &format!("e{round}/{writer}"), 7),
            };
            commit(store, batch(ACME, number, vec![new]))
        });
        join_all(commits).await;
    }
    assert_eq!(stores[0].intake.held(ACME, 0, 100).await.unwrap(), []);
    let mut stored = records(&stores[0], ACME, SLICE).await;
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(
        stored.len(),
        usize::try_from(ROUNDS * (WRITERS + 1)).unwrap()
    );
    let count = count_of(&stores[0], "crm").await;
    assert_eq!(
        (count.held, count.accepted),
        (0, u64::from(ROUNDS * (WRITERS + 1)))
    );
}
