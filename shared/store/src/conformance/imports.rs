//! `Facts` and `Tenants` together: history is stored only while an import is open.

use futures_util::future::{join, join_all};

use crate::conformance::make::{
    ACME, SLICE, account, at, batch, entries, event, once, records, rejection, sources, tenant_row,
};
use crate::conformance::{Harness, Ingestion};
use crate::port::{FactBatch, Import, NewFact, Outcome, RejectionFilter};
use crate::{Error, Result};

/// A store that knows a tenant and its account "anvil".
async fn with_anvil<H: Harness>(harness: &H) -> Ingestion {
    let store = harness.ingestion().await;
    let row = tenant_row(ACME, "acme");
    let created = store.tenants.create(&row, once(None, "acme", 0));
    created.await.unwrap();
    let first = batch(ACME, 1, vec![account("anvil", 1, "a1")]);
    store.facts.commit(first).await.unwrap();
    store
}

pub(super) async fn mark(store: &Ingestion, mark: Import, seconds: i64) {
    let once = once(Some(ACME), &format!("mark {seconds}"), seconds);
    let marked = store.tenants.mark_import(ACME, mark, once).await.unwrap();
    assert!(marked.is_some());
}

fn history(fact: NewFact) -> NewFact {
    NewFact {
        historical: true,
        ..fact
    }
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(result: &Result<T>) {
    assert!(matches!(result, Err(Error::NoImport)), "{result:?}");
}

pub async fn history_is_stored_only_while_an_import_is_open<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let facts = || {
        vec![
            event("anvil", "news", 0),
            history(event("anvil", "e1", 0)),
            account("bellows", 2, "b1"),
            history(event("nobody", "held", 0)),
        ]
    };
    let refused = async |number| {
        let counts = sources(&store, ACME).await;
        let heads = store.feed.heads().await.unwrap();
        let whole = FactBatch {
            rejections: vec![rejection("crm", "value")],
            ..batch(ACME, number, facts())
        };
        is_refused(&store.facts.commit(whole).await);
        assert_eq!(sources(&store, ACME).await, counts);
        assert_eq!(store.feed.heads().await.unwrap(), heads);
        assert_eq!(
            store
                .intake
                .rejections(ACME, &RejectionFilter::ALL, None, 9)
                .await
                .unwrap(),
            []
        );
    };
    refused(2).await;
    assert_eq!(store.intake.held(ACME, 0, 9).await.unwrap(), []);
    let held_alone = batch(ACME, 3, vec![history(event("nobody", "held", 0))]);
    is_refused(&store.facts.commit(held_alone).await);

    mark(&store, Import::Started, 10).await;
    let committed = store.facts.commit(batch(ACME, 4, facts())).await.unwrap();
    let accepted = Outcome::Accepted;
    assert_eq!(
        committed.outcomes,
        [accepted, accepted, accepted, Outcome::Held],
        "identities are free"
    );
    let stored = entries(&store, ACME, SLICE).await;
    let flags = stored.iter().flat_map(|entry| &entry.facts);
    let flags: Vec<bool> = flags.map(|fact| fact.historical).collect();
    assert_eq!(flags, [false, false, true, false]);

    // What was stored, too, is refused once it is completed; news is not.
    mark(&store, Import::Completed(1), 11).await;
    refused(5).await;
    let news = batch(ACME, 6, vec![event("anvil", "more news", 0)]);
    store.facts.commit(news).await.unwrap();
    // What was held while it was open comes with its account.
    let brings = batch(ACME, 7, vec![account("nobody", 3, "n1")]);
    store.facts.commit(brings).await.unwrap();
    let stored = records(&store, ACME, SLICE).await;
    assert_eq!(stored.last().unwrap(), "record held of nobody");
    let last = entries(&store, ACME, SLICE).await.pop().unwrap();
    let flags: Vec<bool> = last.facts.iter().map(|fact| fact.historical).collect();
    assert_eq!(flags, [false, false], "as news, like its account");

    // Another import of the same tenant.
    mark(&store, Import::Started, 12).await;
    let late = batch(ACME, 8, vec![history(event("anvil", "e2", 0))]);
    assert_eq!(
        store.facts.commit(late).await.unwrap().outcomes,
        [Outcome::Accepted]
    );
}

pub async fn history_that_is_refused_does_not_spoil_what_comes_beside_it<H: Harness>(harness: H) {
    let store = with_anvil(&harness).await;
    let commits = (2..40).map(|n| {
        let news = event("anvil", &format!("e{n}"), 0);
        let fact = if n % 4 == 0 { history(news) } else { news };
        store.facts.commit(batch(ACME, n, vec![fact]))
    });
    let results = join_all(commits).await;
    for (n, result) in (2..40).zip(results) {
        match n % 4 {
            0 => is_refused(&result),
            _ => assert_eq!(result.unwrap().outcomes, [Outcome::Accepted], "commit {n}"),
        }
    }
}

pub async fn no_history_comes_after_the_completion_of_its_import<H: Harness>(harness: H) {
    const WRITERS: u32 = 3;
    /// Commits of a writer before the import is completed; then it goes on until it is refused.
    const BEFORE: u32 = 5;
    let first = with_anvil(&harness).await;
    let mut stores = Vec::new();
    for _ in 0..WRITERS {
        stores.push(harness.ingestion().await);
    }
    mark(&first, Import::Started, 10).await;
    let (begun, all_begun) = (tokio::sync::Semaphore::new(0), WRITERS * BEFORE);
    let writers = (0..).zip(&stores).map(async |(writer, store)| {
        let mut n_stored = 0;
        for round in 0.. {
            let number = 1_000 * (writer + 1) + round;
            let fact = history(event("anvil", &format!("e{number}"), 0));
            match store.facts.commit(batch(ACME, number, vec![fact])).await {
                Ok(_) => n_stored += 1,
                refused => {
                    is_refused(&refused);
                    break;
                },
            }
            begun.add_permits(1);
        }
        n_stored
    });
    let completes = async {
        drop(begun.acquire_many(all_begun).await.unwrap());
        mark(&first, Import::Completed(1), 11).await;
    };
    let (n_stored, ()) = join(join_all(writers), completes).await;
    let entries = entries(&first, ACME, SLICE).await;
    let last = entries.last().unwrap();
    assert_eq!(last.import, Some(Import::Completed(1)));
    let n_facts: usize = entries.iter().map(|entry| entry.facts.len()).sum();
    assert_eq!(n_facts, 1 + n_stored.into_iter().sum::<usize>());
    assert_eq!(last.recorded_at, at(11));
}
