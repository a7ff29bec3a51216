use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::task::JoinSet;
use uuid::Uuid;

use sextant_backends::postgres::Ingestion;
use sextant_backends::testing::{database, migrated_database};
use sextant_domain::fact::FactKind;
use sextant_domain::id::{Slice, TenantId};
use sextant_store::port::{FactBatch, Facts, Intake, NewFact, Outcome};

use crate::support::{account, batch, connect, connect_as_app, fact, tenant, within};

const APPEND: &str = include_str!("../../queries/postgres/feed/append.sql");
const ENTRIES: &str = include_str!("../../queries/postgres/feed/entries.sql");

#[tokio::test]
async fn a_reader_of_plain_sequence_numbers_skips_what_commits_late() {
    let database = database().await;
    let mut tasks = JoinSet::new();
    let (slow, fast) = (
        connect(database.url(), &mut tasks).await,
        connect(database.url(), &mut tasks).await,
    );
    slow.batch_execute(
        "CREATE TABLE naive (number bigint GENERATED ALWAYS AS IDENTITY, what text)",
    )
    .await
    .unwrap();
    slow.batch_execute("BEGIN; INSERT INTO naive (what) VALUES ('slow')")
        .await
        .unwrap();
    fast.batch_execute("INSERT INTO naive (what) VALUES ('fast')")
        .await
        .unwrap();
    let read = async |after: i64| {
        let rows = fast
            .query(
                "SELECT number, what FROM naive WHERE number > $1 ORDER BY number",
                &[&after],
            )
            .await
            .unwrap();
        rows.iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect::<Vec<(i64, String)>>()
    };
    let seen = read(0).await;
    assert_eq!(seen, [(2, "fast".to_owned())]);
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        read(2).await,
        [],
        "the slow entry has number 1 and is never read"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_taken_under_a_lock_that_lasts_until_the_commit() {
    let database = migrated_database().await;
    let mut tasks = JoinSet::new();
    let schema = "sextant_scoring";
    let (slow, fast) = (
        connect_as_app(database.url(), schema, &mut tasks).await,
        connect_as_app(database.url(), schema, &mut tasks).await,
    );
    let watcher = connect(database.url(), &mut tasks).await;
    let tenant = Uuid::from_u128(tenant().0);
    let begin = format!("BEGIN; SET LOCAL app.tenant_id = '{tenant}'");
    for client in [&slow, &fast] {
        client.batch_execute(&begin).await.unwrap();
    }
    let payload: Vec<&[u8]> = vec![b"x"];
    slow.query(APPEND, &[&tenant, &0_i32, &payload])
        .await
        .unwrap();
    let fast_commits = async {
        let number: i64 = fast
            .query_one(APPEND, &[&tenant, &0_i32, &payload])
            .await
            .unwrap()
            .get(0);
        fast.batch_execute("COMMIT").await.unwrap();
        number
    };
    let slow_commits = async {
        // The fast writer waits for the slow one: a level to wait for, not a time.
        let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database OR database IS NULL
            WHERE NOT granted AND datname = current_database()";
        while watcher
            .query_one(waiting, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            tokio::task::yield_now().await;
        }
        watcher.batch_execute(&begin).await.unwrap();
        watcher
            .batch_execute(&format!("SET LOCAL search_path = {schema}"))
            .await
            .unwrap();
        let visible = watcher
            .query(ENTRIES, &[&tenant, &0_i32, &0_i64, &10_i64])
            .await
            .unwrap();
        assert!(
            visible.is_empty(),
            "no number is visible while a smaller one may still commit"
        );
        slow.batch_execute("COMMIT").await.unwrap();
    };
    let (number, ()) = within(Duration::from_secs(30), join(fast_commits, slow_commits)).await;
    assert_eq!(number, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_follows_concurrent_writers_misses_nothing() {
    const N_WRITERS: usize = 4;
    const N_BATCHES: usize = 40;
    let database = migrated_database().await;
    let tenant = tenant();
    let reader = Ingestion::connect(&database.config()).await.unwrap();
    account(&reader, tenant, "acme").await;
    let mut stores = Vec::new();
    for _ in 0..N_WRITERS {
        stores.push(Ingestion::connect(&database.config()).await.unwrap());
    }
    let writers = stores.iter().enumerate().map(async |(writer, store)| {
        for number in 0..N_BATCHES {
            let events = (0..=number % 7).map(|event| {
                fact(
                    FactKind::Event,
                    "acme",
                    &format!("{writer}/{number}/{event}"),
                )
            });
            store.commit(batch(tenant, events.collect())).await.unwrap();
        }
    });
    let expected: usize =
        1 + N_WRITERS * (0..N_BATCHES).map(|number| number % 7 + 1).sum::<usize>();
    let follow = async {
        let (mut after, mut seen) = (0, 0);
        while seen < expected {
            for entry in reader
                .fact_entries(tenant, Slice(0), after, 10_000)
                .await
                .unwrap()
            {
                assert_eq!(entry.sequence, after + 1, "numbers ascend without gaps");
                after = entry.sequence;
                seen += entry.facts.len();
            }
        }
        assert_eq!(seen, expected);
    };
    within(Duration::from_secs(60), join(join_all(writers), follow)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_writer_and_another_replica_read_the_same_entries() {
    let database = migrated_database().await;
    let writer = Ingestion::connect(&database.config()).await.unwrap();
    let other = Ingestion::connect(&database.config()).await.unwrap();
    let tenant = tenant();
    let sliced = async |store: &Ingestion, facts: Vec<NewFact>| {
        let batch = FactBatch {
            n_slices: 2,
            ..batch(tenant, facts)
        };
        store.commit(batch).await.unwrap().outcomes
    };
    let event = |account: &str, id: &str| fact(FactKind::Event, account, id);
    let state = |account: &str| fact(FactKind::Account, account, &format!("state of {account}"));
    let held = sliced(&writer, vec![event("acme", "early")]).await;
    assert_eq!(held, [Outcome::Held]);
    let accounts = ["acme", "globex", "initech", "umbrella"];
    sliced(&writer, accounts.map(state).into()).await;
    sliced(
        &other,
        accounts
            .map(|id| event(id, &format!("from elsewhere: {id}")))
            .into(),
    )
    .await;
    let twice = || event("acme", "twice");
    let no_account = NewFact {
        account: None,
        ..fact(FactKind::User, "nobody", "a user")
    };
    let last = sliced(
        &writer,
        vec![twice(), no_account, event("globex", "once"), twice()],
    )
    .await;
    assert_eq!(last[3], Outcome::Duplicate);

    let mut n_facts = 0;
    for slice in [Slice(0), Slice(1)] {
        for after in 0..4 {
            let read = async |store: &Ingestion| {
                let entries = store.fact_entries(tenant, slice, after, usize::MAX);
                entries.await.unwrap()
            };
            let (here, there) = (read(&writer).await, read(&other).await);
            // An answer may be cut short; what it holds is the same everywhere.
            assert_eq!(here.is_empty(), there.is_empty(), "{slice:?} after {after}");
            let n_both = here.len().min(there.len());
            assert_eq!(here[..n_both], there[..n_both], "{slice:?} after {after}");
            if after == 0 {
                n_facts += walked(&writer, tenant, slice).await;
                assert_eq!(
                    walked(&other, tenant, slice).await,
                    walked(&writer, tenant, slice).await
                );
            }
        }
    }
    assert_eq!(n_facts, 1 + 4 + 4 + 3);
}

/// How many facts are met by following a slice of a feed.
async fn walked(store: &Ingestion, tenant: TenantId, slice: Slice) -> usize {
    let (mut after, mut n_facts) = (0, 0);
    loop {
        let entries = store.fact_entries(tenant, slice, after, 1);
        let entries = entries.await.unwrap();
        let Some(last) = entries.last() else {
            return n_facts;
        };
        after = last.sequence;
        n_facts += entries.iter().map(|entry| entry.facts.len()).sum::<usize>();
    }
}
