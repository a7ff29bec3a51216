//! `Facts` and `release`: more waits for an account than one transaction stores.

use sextant_domain::id::PayloadHash;
use sextant_domain::time::Instant;

use crate::conformance::make::{
    ACME, SLICE, account, at, batch, changed, entries, event, once, records, sources, tenant_row,
};
use crate::conformance::{Harness, Ingestion};
use crate::port::{
    FactBatch, Import, MAX_RELEASED, MAX_RELEASED_BYTES, NewFact, Outcome, TenantRow,
};
use crate::release::{Backlog, Written};

const RECORD_BYTES: usize = 400_000;
/// Records of so many bytes that are released in the first transaction, and those that wait for the next.
const N_FIRST: usize = MAX_RELEASED_BYTES.div_ceil(RECORD_BYTES);
const N_LEFT: usize = 4;

/// A large record of "anvil"; `NN` in the list of what is stored.
fn large(n: usize) -> NewFact {
    let record = format!("{n:02}{}", "x".repeat(RECORD_BYTES - 2)).into_bytes();
    NewFact {
        payload: PayloadHash::of(&record),
        record,
        ..event("anvil", &format!("e{n}"), 7)
    }
}

fn history(fact: NewFact) -> NewFact {
    NewFact {
        historical: true,
        ..fact
    }
}

async fn n_held(store: &Ingestion) -> usize {
    let held = store.intake.held(ACME, 0, 2 * MAX_RELEASED).await;
    held.unwrap().len()
}

/// What still waits once a batch is stored; `None`: it is not stored, for others are first.
async fn write(store: &Ingestion, batch: FactBatch) -> Option<Backlog> {
    match store.steps.write(batch).await.unwrap() {
        Written::Stored(_, backlog) => Some(backlog),
        Written::Behind(_) => None,
    }
}

// Batches have numbers a hundred apart: a batch that is told in several entries takes those after its own for them.

/// A store where a process ended after the transaction that made "anvil" known. "bellows" is known, too.
async fn interrupted(store: &Ingestion, change: fn(NewFact) -> NewFact) {
    let first = vec![account("bellows", 2, "b1")];
    store.facts.commit(batch(ACME, 100, first)).await.unwrap();
    let waiting = (0..N_FIRST + N_LEFT).map(|n| change(large(n)));
    let waiting = batch(ACME, 200, waiting.collect());
    store.facts.commit(waiting).await.unwrap();
    let brought = batch(ACME, 300, vec![change(account("anvil", 1, "a1"))]);
    assert_eq!(write(store, brought).await, Some(Backlog::Own));
    assert_eq!(n_held(store).await, N_LEFT);
}

/// What is stored, in order; of a large record its number.
async fn stored(store: &Ingestion) -> Vec<String> {
    let mut records = records(store, ACME, SLICE).await;
    for record in &mut records {
        if record.len() == RECORD_BYTES {
            record.truncate(2);
        }
    }
    records
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("{n:02}")).collect()
}

async fn known(store: &Ingestion) -> Vec<(Instant, bool)> {
    let entries = entries(store, ACME, SLICE).await;
    let facts = entries.iter().flat_map(|entry| &entry.facts);
    facts.map(|fact| (fact.known_at, fact.historical)).collect()
}

pub async fn one_transaction_releases_so_many_records_and_not_more<H: Harness>(harness: H) {
    const N_REST: usize = 3;
    let store = harness.ingestion().await;
    let facts = (0..MAX_RELEASED + N_REST).map(|n| event("anvil", &format!("e{n}"), 7));
    let facts: Vec<NewFact> = facts.collect();
    for (n, part) in (1..).zip(facts.chunks(MAX_RELEASED / 2)) {
        store
            .facts
            .commit(batch(ACME, 100 * n, part.to_vec()))
            .await
            .unwrap();
    }
    let brought = batch(ACME, 900, vec![account("anvil", 1, "a1")]);
    assert_eq!(write(&store, brought).await, Some(Backlog::Own));
    assert_eq!(n_held(&store).await, N_REST);
    drop(store);
    // The process ends here, and another goes on.
    let harness = harness.reopen().await;
    let store = harness.ingestion().await;
    let released = store
        .steps
        .release_part(batch(ACME, 1000, Vec::new()))
        .await;
    let released = released.unwrap();
    assert_eq!((released.rest, n_held(&store).await), (false, 0));
    let heads = store.feed.heads_of(ACME).await.unwrap();
    assert_eq!(released.heads, heads);
    let mut expected = vec!["record a1 of anvil".to_owned()];
    expected.extend((0..facts.len()).map(|n| format!("record e{n} of anvil")));
    assert_eq!(stored(&store).await, expected);
    let last = entries(&store, ACME, SLICE).await.pop().unwrap();
    let of_last: Vec<Instant> = last.facts.iter().map(|fact| fact.known_at).collect();
    assert_eq!(of_last, [at(2_000); N_REST], "known when it is released");
    let count = sources(&store, ACME).await.pop().unwrap();
    let n_facts = u64::try_from(facts.len()).unwrap();
    assert_eq!((count.held, count.accepted), (0, n_facts + 1));
}

pub async fn one_transaction_releases_so_many_bytes_and_not_many_more<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    interrupted(&store, |fact| fact).await;
    let released = store.steps.release_part(batch(ACME, 400, Vec::new())).await;
    assert!(!released.unwrap().rest);
    assert_eq!(n_held(&store).await, 0);
    // There is nothing more, and asking again stores nothing.
    let heads = store.feed.heads_of(ACME).await.unwrap();
    let again = store
        .steps
        .release_part(batch(ACME, 500, Vec::new()))
        .await
        .unwrap();
    assert_eq!((again.rest, again.heads), (false, Vec::new()));
    assert_eq!(store.feed.heads_of(ACME).await.unwrap(), heads);
}

pub async fn a_commit_releases_all_that_waited<H: Harness>(harness: H) {
    const N: usize = 2 * N_FIRST + N_LEFT;
    let store = harness.ingestion().await;
    let mut waiting: Vec<NewFact> = (0..N).map(large).collect();
    waiting.push(event("nobody", "n1", 7));
    store.facts.commit(batch(ACME, 100, waiting)).await.unwrap();
    let brought = vec![account("anvil", 1, "a1"), event("anvil", "own", 8)];
    let committed = store.facts.commit(batch(ACME, 200, brought)).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Accepted; 2]);
    let heads = store.feed.heads_of(ACME).await.unwrap();
    assert_eq!(committed.heads, heads, "it tells how far all of it goes");
    let own = ["record a1 of anvil", "record own of anvil"].map(str::to_owned);
    let expected = [own.to_vec(), numbers(0, N)].concat();
    assert_eq!(stored(&store).await, expected);
    assert_eq!(n_held(&store).await, 1);
}

pub async fn what_waited_is_stored_before_what_comes_next<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    interrupted(&store, |fact| fact).await;
    let last = large(N_FIRST + N_LEFT - 1);
    let next = || vec![changed(&last), event("anvil", "next", 7)];
    assert_eq!(write(&store, batch(ACME, 400, next())).await, None);
    assert_eq!(n_held(&store).await, N_LEFT);
    let committed = store.facts.commit(batch(ACME, 500, next())).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Conflict, Outcome::Accepted]);
    let first = ["record b1 of bellows", "record a1 of anvil"].map(str::to_owned);
    let expected = [
        first.to_vec(),
        numbers(0, N_FIRST + N_LEFT),
        vec!["record next of anvil".to_owned()],
    ];
    assert_eq!(stored(&store).await, expected.concat());
    let heads = store.feed.heads_of(ACME).await.unwrap();
    assert_eq!(committed.heads, heads);
}

pub async fn what_was_left_is_released_by_whoever_commits_next<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    interrupted(&store, |fact| fact).await;
    drop(store);
    let harness = harness.reopen().await;
    let store = harness.ingestion().await;
    let of_other = |id| vec![event("bellows", id, 7)];
    let only = write(&store, batch(ACME, 400, of_other("only"))).await;
    assert_eq!(only, Some(Backlog::OfOthers), "it waits for nobody");
    let other = batch(ACME, 500, of_other("other"));
    let committed = store.facts.commit(other).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Accepted]);
    assert_eq!(n_held(&store).await, 0);
    let all = stored(&store).await;
    assert_eq!(all.len(), 2 + N_FIRST + N_LEFT + 2);
    assert_eq!(
        all[all.len() - N_LEFT..],
        numbers(N_FIRST, N_FIRST + N_LEFT)
    );
}

pub async fn history_that_is_released_after_its_import_is_news<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let created = tenant_row(ACME, "acme");
    let created = store.tenants.create(&created, once(None, "acme", 0));
    created.await.unwrap();
    let mark = async |mark, seconds| {
        let once = once(Some(ACME), &format!("mark {seconds}"), seconds);
        let marked = store.tenants.mark_import(ACME, mark, once).await;
        assert!(marked.unwrap().is_some());
    };
    mark(Import::Started, 1).await;
    interrupted(&store, history).await;
    mark(Import::Completed(1), 2).await;
    let released = store.steps.release_part(batch(ACME, 400, Vec::new())).await;
    assert!(!released.unwrap().rest);
    let known = known(&store).await;
    let assumed = known.iter().filter(|known| **known == (at(8), true));
    let news = known.iter().rev().take(N_LEFT);
    assert_eq!(assumed.count(), N_FIRST);
    assert!(news.clone().all(|news| *news == (at(1_400), false)));
}

pub async fn what_was_left_is_known_where_the_clock_stands_when_it_is_released<H: Harness>(
    harness: H,
) {
    let store = harness.ingestion().await;
    let row = TenantRow {
        fixed_clock: Some(at(2_000)),
        ..tenant_row(ACME, "acme")
    };
    let created = store.tenants.create(&row, once(None, "acme", 0));
    created.await.unwrap();
    interrupted(&store, |fact| fact).await;
    let once = once(Some(ACME), "move", 1);
    let moved = store.tenants.advance_clock(ACME, at(3_000), once).await;
    assert!(moved.unwrap().is_some());
    let call = FactBatch {
        fixed_clock: Some(at(2_000)),
        ..batch(ACME, 400, Vec::new())
    };
    store.steps.release_part(call).await.unwrap();
    let entries = entries(&store, ACME, SLICE).await;
    let mut after = entries.iter().skip_while(|entry| entry.clock.is_none());
    assert_eq!(after.next().unwrap().clock, Some(at(3_000)));
    let known: Vec<Instant> = after
        .flat_map(|entry| &entry.facts)
        .map(|fact| fact.known_at)
        .collect();
    assert_eq!(known, [at(3_000); N_LEFT]);
}
