//! `Facts` and `Tenants` together: no news is stored as known before where a clock that stands still stands.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{join, join_all};

use sextant_domain::time::Instant;

use crate::conformance::make::{ACME, SLICE, account, at, batch, entries, event, once, tenant_row};
use crate::conformance::{Harness, Ingestion};
use crate::port::{FactBatch, Import, NewFact, TenantRow};

/// A store that knows a tenant, whose clock stands at second 100, and its account "anvil".
async fn with_anvil<H: Harness>(harness: &H) -> Ingestion {
    let store = harness.ingestion().await;
    let row = TenantRow {
        fixed_clock: Some(at(100)),
        ..tenant_row(ACME, "acme")
    };
    let created = store.tenants.create(&row, once(None, "acme", 0));
    created.await.unwrap();
    let first = vec![account("anvil", 1, "a1")];
    store.facts.commit(at_100(1, first)).await.unwrap();
    store
}

/// A batch that passed the door when the clock stood at second 100, where all of it became known.
fn at_100(n: u32, facts: Vec<NewFact>) -> FactBatch {
    let facts = facts.into_iter().map(|fact| NewFact {
        known_at: at(100),
        ..fact
    });
    FactBatch {
        fixed_clock: Some(at(100)),
        ..batch(ACME, n, facts.collect())
    }
}

async fn advance(store: &Ingestion, to: i64) {
    let once = once(Some(ACME), &format!("to {to}"), to);
    let moved = store.tenants.advance_clock(ACME, at(to), once).await;
    assert!(moved.unwrap().is_some());
}

async fn known(store: &Ingestion) -> Vec<(Instant, bool)> {
    let entries = entries(store, ACME, SLICE).await;
    let facts = entries.iter().flat_map(|entry| &entry.facts);
    facts.map(|fact| (fact.known_at, fact.historical)).collect()
}

pub async fn news_that_passed_the_door_before_the_clock_was_moved_is_known_where_it_stands<
    H: Harness,
>(
    harness: H,
) {
    let store = with_anvil(&harness).await;
    let once = once(Some(ACME), "import", 1);
    let started = store.tenants.mark_import(ACME, Import::Started, once);
    assert!(started.await.unwrap().is_some());
    advance(&store, 200).await;
    let history = NewFact {
        historical: true,
        ..event("anvil", "e2", 7)
    };
    let facts = vec![event("anvil", "e1", 7), history];
    store.facts.commit(at_100(2, facts)).await.unwrap();
    let expected = [(at(100), false), (at(200), false), (at(100), true)];
    assert_eq!(known(&store).await, expected);
}

pub async fn what_was_held_is_known_once_its_account_is<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let once = once(Some(ACME), "import", 1);
    let started = store.tenants.mark_import(ACME, Import::Started, once);
    assert!(started.await.unwrap().is_some());
    let history = |fact| NewFact {
        historical: true,
        ..fact
    };
    let of_both = |account: &str| {
        [
            event(account, &format!("news of {account}"), 7),
            history(event(account, &format!("history of {account}"), 7)),
        ]
    };
    let held = [of_both("bellows"), of_both("crucible")].concat();
    store.facts.commit(at_100(2, held)).await.unwrap();
    advance(&store, 200).await;
    let news = at_100(3, vec![account("bellows", 2, "b1")]);
    store.facts.commit(news).await.unwrap();
    let imported = at_100(4, vec![history(account("crucible", 3, "c1"))]);
    store.facts.commit(imported).await.unwrap();
    let (now, assumed) = ((at(200), false), (at(100), true));
    let expected = [(at(100), false), now, now, now, assumed, now, assumed];
    assert_eq!(
        known(&store).await,
        expected,
        "history is assumed known only where its account is history too"
    );
}

pub async fn news_that_is_stored_while_the_clock_moves_is_known_in_the_order_of_the_feed<
    H: Harness,
>(
    harness: H,
) {
    const WRITERS: u32 = 3;
    /// Commits of a writer; the clock moves once all of them have made one.
    const COMMITS: u32 = 12;
    let first = with_anvil(&harness).await;
    let mut stores = Vec::new();
    for _ in 0..WRITERS {
        stores.push(harness.ingestion().await);
    }
    let begun = tokio::sync::Semaphore::new(0);
    let writers = (0..).zip(&stores).map(async |(writer, store)| {
        for round in 0..COMMITS {
            let number = 100 * (writer + 1) + round;
            let facts = vec![event("anvil", &format!("e{number}"), 0)];
            store.facts.commit(at_100(number, facts)).await.unwrap();
            begun.add_permits(1);
        }
    });
    let moves = async {
        drop(begun.acquire_many(WRITERS).await.unwrap());
        advance(&first, 200).await;
    };
    join(join_all(writers), moves).await;
    let (mut clock, mut n_facts) = (at(100), 0);
    for entry in entries(&first, ACME, SLICE).await {
        clock = entry.clock.unwrap_or(clock);
        let known = entry.facts.iter().map(|fact| fact.known_at);
        assert!(known.clone().all(|known| known == clock), "{entry:?}");
        n_facts += known.count();
    }
    assert_eq!(n_facts, usize::try_from(1 + WRITERS * COMMITS).unwrap());
}

/// Writers that never pause do not keep a clock from being moved.
pub async fn a_clock_is_moved_while_writers_go_on<H: Harness>(harness: H) {
    const WRITERS: u32 = 4;
    const MOVES: i64 = 5;
    let first = with_anvil(&harness).await;
    let mut stores = Vec::new();
    for _ in 0..WRITERS {
        stores.push(harness.ingestion().await);
    }
    let moved = AtomicBool::new(false);
    let writers = (0..).zip(&stores).map(async |(writer, store)| {
        for number in (10_000 * (writer + 1)).. {
            if moved.load(Ordering::Relaxed) {
                return;
            }
            let facts = vec![event("anvil", &format!("e{number}"), 0)];
            store.facts.commit(at_100(number, facts)).await.unwrap();
        }
    });
    let moves = async {
        for step in 1..=MOVES {
            advance(&first, 100 + step).await;
        }
        moved.store(true, Ordering::Relaxed);
    };
    join(join_all(writers), moves).await;
    let clocks = entries(&first, ACME, SLICE).await;
    let clocks = clocks.iter().filter_map(|entry| entry.clock);
    let expected: Vec<Instant> = (1..=MOVES).map(|step| at(100 + step)).collect();
    assert_eq!(clocks.collect::<Vec<_>>(), expected);
}
