//! `Feed` and `Intake`: numbers and entries.

use futures_util::future::{join, join_all};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;

use crate::conformance::make::{ACME, BOLT, SLICE, account, batch, event};
use crate::conformance::{Harness, Ingestion};
use crate::port::{FactBatch, FactEntry};

async fn with_batches(store: &Ingestion, n_batches: u32) {
    store
        .facts
        .commit(batch(ACME, 1, vec![account("anvil", 1, "a1")]))
        .await
        .unwrap();
    for n in 2..=n_batches {
        store
            .facts
            .commit(batch(ACME, n, vec![event("anvil", &format!("e{n}"), 7)]))
            .await
            .unwrap();
    }
}

pub async fn heads_are_listed_by_tenant_and_slice<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    assert_eq!(store.feed.heads().await.unwrap(), []);
    with_batches(&store, 3).await;
    let other = batch(BOLT, 9, vec![account("anvil", 1, "a1")]);
    store.facts.commit(other).await.unwrap();
    let expected = [
        Head {
            tenant: ACME,
            slice: SLICE,
            sequence: 3,
        },
        Head {
            tenant: BOLT,
            slice: SLICE,
            sequence: 1,
        },
    ];
    assert_eq!(store.feed.heads().await.unwrap(), expected);
    let of_one = store.feed.heads_of(ACME).await.unwrap();
    assert_eq!(of_one, [(SLICE, 3)], "of one tenant alone");
    let nobody = store.feed.heads_of(TenantId(1)).await.unwrap();
    assert_eq!(nobody, []);
}

pub async fn entries_are_read_in_order_after_a_number<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    with_batches(&store, 5).await;
    let read = async |after, limit| {
        let entries = store.feed.entries(ACME, SLICE, after, limit).await.unwrap();
        entries
            .iter()
            .map(|entry| entry.sequence)
            .collect::<Vec<u64>>()
    };
    assert_eq!(read(0, 100).await, [1, 2, 3, 4, 5]);
    assert_eq!(read(2, 2).await, [3, 4]);
    assert_eq!(read(5, 100).await, [0; 0]);
}

pub async fn facts_are_read_until_the_bytes_are_passed<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    with_batches(&store, 5).await;
    let read = async |after, max_bytes| {
        let entries = store
            .intake
            .fact_entries(ACME, SLICE, after, max_bytes)
            .await
            .unwrap();
        entries
            .iter()
            .map(|entry| entry.sequence)
            .collect::<Vec<u64>>()
    };
    let one = "record a1 of anvil".len();
    assert_eq!(read(0, 0).await, [1], "one entry at least");
    assert_eq!(
        read(0, 2 * one + 1).await,
        [1, 2, 3],
        "the entry that passes the limit is the last"
    );
    assert_eq!(read(3, usize::MAX).await, [4, 5]);
    assert_eq!(read(5, usize::MAX).await, [0; 0]);
}

/// Each writer has its own handle. The follower reads while they write, and never sees a number before the one below it.
pub async fn a_follower_never_skips_an_entry_of_concurrent_writers<H: Harness>(harness: H) {
    const WRITERS: u32 = 4;
    const COMMITS: u32 = 25;
    let store = harness.ingestion().await;
    with_batches(&store, 1).await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let store = harness.ingestion().await;
        writers.push(async move {
            for n in 0..COMMITS {
                let id = format!("{writer}/{n}");
                let committed = store
                    .facts
                    .commit(batch(
                        ACME,
                        1_000 * (writer + 1) + n,
                        vec![event("anvil", &id, 7)],
                    ))
                    .await
                    .unwrap();
                assert_eq!(committed.heads.len(), 1);
            }
        });
    }
    let follower = async {
        let last = u64::from(1 + WRITERS * COMMITS);
        let mut seen: Vec<FactEntry> = Vec::new();
        while seen.len() < usize::try_from(last).unwrap() {
            let cursor = seen.last().map_or(0, |entry| entry.sequence);
            for entry in store
                .intake
                .fact_entries(ACME, SLICE, cursor, usize::MAX)
                .await
                .unwrap()
            {
                let before = seen.last().map_or(0, |entry| entry.sequence);
                assert_eq!(entry.sequence, before + 1, "an entry was skipped");
                seen.push(entry);
            }
        }
        seen
    };
    let (seen, _) = join(follower, join_all(writers)).await;
    let mut records: Vec<Vec<u8>> = seen
        .into_iter()
        .flat_map(|entry| entry.facts)
        .map(|fact| fact.record)
        .collect();
    records.sort_unstable();
    records.dedup();
    assert_eq!(
        records.len(),
        usize::try_from(1 + WRITERS * COMMITS).unwrap(),
        "each fact once"
    );
}

/// What a commit returned is there for every reader, at once.
pub async fn an_acknowledged_entry_can_be_read<H: Harness>(harness: H) {
    let (writer, reader) = (harness.ingestion().await, harness.ingestion().await);
    with_batches(&writer, 1).await;
    for n in 2..30 {
        let committed = writer
            .facts
            .commit(batch(ACME, n, vec![event("anvil", &format!("e{n}"), 7)]))
            .await
            .unwrap();
        let (slice, sequence) = committed.heads[0];
        let read = reader
            .intake
            .fact_entries(ACME, slice, sequence - 1, usize::MAX)
            .await
            .unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].sequence, sequence);
    }
}

pub async fn entries_tell_of_the_call_that_brought_them<H: Harness>(harness: H) {
    const N_SLICES: u16 = 2;
    let store = harness.ingestion().await;
    let accounts = |n: u32| {
        let fact = |id: u32| {
            let name = format!("{n}/{id}");
            account(&name, u128::from(100 * n + id), &name)
        };
        (0..20).map(fact).collect()
    };
    let traces = [Some([7; 24]), None, Some([8; 24])];
    for (n, trace) in (1..).zip(traces) {
        let batch = FactBatch {
            n_slices: N_SLICES,
            trace,
            ..batch(ACME, n, accounts(n))
        };
        store.facts.commit(batch).await.unwrap();
    }
    for slice in (0..N_SLICES).map(Slice) {
        let read = store
            .intake
            .fact_entries(ACME, slice, 0, usize::MAX)
            .await
            .unwrap();
        let read: Vec<_> = read.iter().map(|entry| entry.trace).collect();
        assert_eq!(read, traces, "slice {}", slice.0);
    }
}
