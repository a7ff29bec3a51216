use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use sextant_backends::postgres::Ingestion;
use sextant_backends::testing::{database, migrated_database};
use sextant_domain::fact::FactKind;
use sextant_domain::id::{Slice, TenantId};
use sextant_store::port::{Facts, Intake, Outcome, Page};

use crate::support::{account, batch, connect, fact, records, tenant, waiting, within};

#[tokio::test]
async fn checking_before_inserting_counts_a_record_twice() {
    // The shape that the dedupe table exists to prevent: both writers look, see nothing, and insert.
    let database = database().await;
    let mut tasks = JoinSet::new();
    let (first, second) = (
        connect(database.url(), &mut tasks).await,
        connect(database.url(), &mut tasks).await,
    );
    first
        .batch_execute("CREATE TABLE naive (hash text)")
        .await
        .unwrap();
    for writer in [&first, &second] {
        writer.batch_execute("BEGIN").await.unwrap();
        assert!(
            writer
                .query("SELECT FROM naive WHERE hash = 'x'", &[])
                .await
                .unwrap()
                .is_empty()
        );
    }
    for writer in [&first, &second] {
        writer
            .batch_execute("INSERT INTO naive VALUES ('x'); COMMIT")
            .await
            .unwrap();
    }
    let count: i64 = first
        .query_one("SELECT count(*) FROM naive", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_of_the_same_records_store_each_once() {
    const N_WRITERS: usize = 6;
    const N_RECORDS: usize = 200;
    let database = migrated_database().await;
    let tenant = tenant();
    let mut stores = Vec::new();
    for _ in 0..N_WRITERS {
        stores.push(Ingestion::connect(&database.config()).await.unwrap());
    }
    account(&stores[0], tenant, "acme").await;
    let deliveries = stores.iter().enumerate().map(|(writer, store)| {
        // Every writer brings the same records, each in an order of its own.
        let mut facts: Vec<_> = (0..N_RECORDS)
            .map(|number| fact(FactKind::Event, "acme", &format!("e{number}")))
            .collect();
        facts.rotate_left(writer * 31);
        store.commit(batch(tenant, facts))
    });
    let answers = within(Duration::from_secs(60), join_all(deliveries)).await;
    let outcomes: Vec<Outcome> = answers
        .into_iter()
        .flat_map(|answer| answer.unwrap().outcomes)
        .collect();
    let count = |wanted| {
        outcomes
            .iter()
            .filter(|outcome| **outcome == wanted)
            .count()
    };
    assert_eq!(count(Outcome::Accepted), N_RECORDS);
    assert_eq!(count(Outcome::Duplicate), N_RECORDS * (N_WRITERS - 1));
    let mut stored = records(&stores[0], tenant).await;
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored.len(), N_RECORDS + 1);
    let counts = stores[0].sources(tenant, &Page::first(10)).await.unwrap();
    assert_eq!((counts[0].accepted, counts[0].duplicate), (201, 1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_batches_share_a_transaction_and_keep_their_own_answers() {
    const N_CALLERS: usize = 64;
    let database = migrated_database().await;
    let tenant = tenant();
    let store = Ingestion::connect(&database.config()).await.unwrap();
    account(&store, tenant, "acme").await;
    // Neighbours bring the same record.
    let calls = (0..N_CALLERS).map(|caller| {
        store.commit(batch(
            tenant,
            vec![fact(FactKind::Event, "acme", &format!("e{}", caller / 2))],
        ))
    });
    let answers = within(Duration::from_secs(60), join_all(calls)).await;
    let outcomes: Vec<Outcome> = answers
        .into_iter()
        .flat_map(|answer| answer.unwrap().outcomes)
        .collect();
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Accepted)
            .count(),
        N_CALLERS / 2
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Duplicate)
            .count(),
        N_CALLERS / 2
    );
    let entries = store
        .fact_entries(tenant, Slice(0), 0, 1 << 20)
        .await
        .unwrap();
    assert_eq!(
        entries.len(),
        N_CALLERS / 2 + 1,
        "one entry for each batch that stored something"
    );
    let mut tasks = JoinSet::new();
    let owner = connect(database.url(), &mut tasks).await;
    // Rows of one transaction have the same xmin.
    let sql = "SELECT count(DISTINCT xmin::text) FROM sextant_ingestion.feed";
    let n_transactions: i64 = owner.query_one(sql, &[]).await.unwrap().get(0);
    assert!(
        n_transactions < 10,
        "{n_transactions} transactions for {N_CALLERS} batches"
    );
    assert_eq!(records(&store, tenant).await.len(), N_CALLERS / 2 + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fact_waits_for_ever_when_its_account_appears_at_the_same_moment() {
    const N_ACCOUNTS: usize = 40;
    let database = migrated_database().await;
    let tenant = tenant();
    let (left, right) = (
        Ingestion::connect(&database.config()).await.unwrap(),
        Ingestion::connect(&database.config()).await.unwrap(),
    );
    for number in 0..N_ACCOUNTS {
        let id = format!("a{number}");
        let event = left.commit(batch(
            tenant,
            vec![fact(FactKind::Event, &id, &format!("event of {id}"))],
        ));
        let state = right.commit(batch(
            tenant,
            vec![fact(FactKind::Account, &id, &format!("state of {id}"))],
        ));
        let (event, state) = within(
            Duration::from_secs(30),
            futures_util::future::join(event, state),
        )
        .await;
        assert_eq!(state.unwrap().outcomes, [Outcome::Accepted]);
        assert!(matches!(
            event.unwrap().outcomes[..],
            [Outcome::Accepted | Outcome::Held]
        ));
    }
    assert_eq!(left.held(tenant, 0, 100).await.unwrap(), []);
    assert_eq!(records(&left, tenant).await.len(), 2 * N_ACCOUNTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_whose_callers_have_gone_keep_their_places() {
    let database = migrated_database().await;
    let tenant = tenant();
    let store = Ingestion::connect(&database.config()).await.unwrap();
    account(&store, tenant, "acme").await;
    let mut tasks = JoinSet::new();
    let watcher = connect(database.url(), &mut tasks).await;
    let holder = connect(database.url(), &mut tasks).await;
    hold_up(&holder, tenant).await;
    for n_waiting in 1..=2 {
        let event = fact(FactKind::Event, "unknown", &format!("e{n_waiting}"));
        let mut call = Box::pin(store.commit(batch(tenant, vec![event])));
        tokio::select! {
            biased;
            answer = &mut call => panic!("{answer:?}"),
            () = waiting(&watcher, n_waiting) => {},
        }
        // Here its caller goes.
    }
    let known = || vec![fact(FactKind::Event, "acme", "e3")];
    let third = within(
        Duration::from_secs(30),
        store.commit(batch(tenant, known())),
    )
    .await;
    let told = format!("{third:?}");
    assert!(
        told.contains("all writers of the tenant are busy"),
        "{told}"
    );
    holder.batch_execute("COMMIT").await.unwrap();
    waiting(&watcher, 0).await;
    let third = within(
        Duration::from_secs(30),
        store.commit(batch(tenant, known())),
    )
    .await;
    assert_eq!(third.unwrap().outcomes, [Outcome::Accepted]);
}

/// Facts of unknown accounts wait until the connection commits.
async fn hold_up(holder: &Client, tenant: TenantId) {
    let (_, key) = uuid::Uuid::from_u128(tenant.0).as_u64_pair();
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({})", key.cast_signed());
    holder.batch_execute(&hold).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_being_written_is_answered_however_long_that_takes() {
    let database = migrated_database().await;
    let tenant = tenant();
    let store = Ingestion::connect(&database.config()).await.unwrap();
    let mut tasks = JoinSet::new();
    let watcher = connect(database.url(), &mut tasks).await;
    let holder = connect(database.url(), &mut tasks).await;
    hold_up(&holder, tenant).await;
    let call = |id: &str| store.commit(batch(tenant, vec![fact(FactKind::Event, "unknown", id)]));
    let mut written = Box::pin(futures_util::future::join(call("e1"), async {
        waiting(&watcher, 1).await;
        call("e2").await
    }));
    tokio::select! {
        biased;
        answer = &mut written => panic!("{answer:?}"),
        () = waiting(&watcher, 2) => {},
    }
    // Who comes last gives up last.
    let busy = tokio::select! {
        biased;
        answer = &mut written => panic!("{answer:?}"),
        busy = call("e3") => format!("{busy:?}"),
    };
    assert!(
        busy.contains("all writers of the tenant are busy"),
        "{busy}"
    );
    holder.batch_execute("COMMIT").await.unwrap();
    let (first, second) = within(Duration::from_secs(30), written).await;
    assert_eq!(first.unwrap().outcomes, [Outcome::Held]);
    assert_eq!(second.unwrap().outcomes, [Outcome::Held]);
}
