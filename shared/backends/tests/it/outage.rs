use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use sextant_backends::postgres::{Config, ConnectError, Ingestion, Probe, migrate};
use sextant_backends::testing::{Database, PostgresServer};
use sextant_domain::fact::FactKind;
use sextant_domain::id::TenantId;
use sextant_store::Error;
use sextant_store::port::{Facts, Writable as _};

use crate::support::{account, batch, connect, fact, records, tenant, within};

/// Writes batches until told to stop; returns the records that were acknowledged. Nothing is sent twice.
async fn write(
    store: Ingestion,
    tenant: TenantId,
    writer: usize,
    stop: Arc<AtomicBool>,
) -> (Vec<String>, usize) {
    let (mut acknowledged, mut n_failed) = (Vec::new(), 0);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let facts: Vec<_> = (0..5)
            .map(|event| {
                fact(
                    FactKind::Event,
                    "acme",
                    &format!("{writer}/{number}/{event}"),
                )
            })
            .collect();
        let sent: Vec<String> = facts
            .iter()
            .map(|fact| String::from_utf8(fact.record.clone()).unwrap())
            .collect();
        match store.commit(batch(tenant, facts)).await {
            Ok(_) => acknowledged.extend(sent),
            Err(Error::Unavailable { .. }) => n_failed += 1,
            Err(error) => panic!("{error:?}"),
        }
        number += 1;
    }
    (acknowledged, n_failed)
}

async fn commits(store: &Ingestion, tenant: TenantId, id: &str) -> Result<(), Error> {
    store
        .commit(batch(tenant, vec![fact(FactKind::Event, "acme", id)]))
        .await
        .map(drop)
}

/// Answers each connection with an error, the last one for ever.
async fn answer(listener: TcpListener, errors: &[(&str, &str)]) {
    let mut errors = errors.iter().peekable();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let n_asked = stream.read(&mut [0; 1_024]).await.unwrap();
        assert!(n_asked > 0);
        let (code, text) = errors.peek().unwrap();
        let fields = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0");
        let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
        let answer = [b"E", &length[..], fields.as_bytes()].concat();
        stream.write_all(&answer).await.unwrap();
        if errors.len() > 1 {
            errors.next();
        }
    }
}

#[tokio::test]
async fn a_server_that_starts_or_stops_is_waited_for_and_one_that_refuses_is_not() {
    const REFUSED: (&str, &str) = ("3D000", "database \"nothing\" does not exist");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config::new(format!(
        "postgresql://postgres@{address}/nothing?sslmode=disable"
    ));
    let errors = [
        ("57P03", "the database system is shutting down"),
        ("57P03", "the database system is starting up"),
        REFUSED,
        ("XX000", "asked once too often"),
    ];
    let connected = async {
        tokio::select! {
            connected = Ingestion::connect(&config) => connected,
            () = answer(listener, &errors) => panic!("it answers for ever"),
        }
    };
    let refused = within(Duration::from_secs(30), connected)
        .await
        .unwrap_err();
    let ConnectError::Refused(source) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(source.to_string(), format!("FATAL: {}", REFUSED.1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_under_load_loses_nothing_acknowledged() {
    let server = Arc::new(PostgresServer::start());
    let database = Database::on(&server).await;
    migrate(database.url()).await.unwrap();
    let tenant = tenant();
    let store = Ingestion::connect(&Config {
        wait_timeout: Duration::from_millis(500),
        ..database.config()
    })
    .await
    .unwrap();
    account(&store, tenant, "acme").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        writers.spawn(write(store.clone(), tenant, writer, Arc::clone(&stop)));
    }
    for round in 0..3 {
        let crashing = Arc::clone(&server);
        tokio::task::spawn_blocking(move || {
            crashing.crash();
            crashing.start_again();
        })
        .await
        .unwrap();
        // The same engine recovers: wait until it commits again.
        within(Duration::from_secs(30), async {
            while commits(&store, tenant, &format!("after crash {round}"))
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    let results = within(Duration::from_secs(60), writers.join_all()).await;
    let n_failed: usize = results.iter().map(|(_, failed)| failed).sum();
    assert!(n_failed > 0, "the crashes were noticed");
    // An engine that has stored nothing itself reads what is in the tables.
    let reader = Ingestion::connect(&database.config()).await.unwrap();
    let stored = records(&reader, tenant).await;
    let unique: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len(), "nothing is stored twice");
    for (acknowledged, _) in &results {
        assert!(!acknowledged.is_empty());
        assert!(
            acknowledged.iter().all(|record| unique.contains(record)),
            "nothing acknowledged is lost"
        );
    }
}

async fn pids(client: &Client) -> BTreeSet<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sextant_ingestion'";
    client
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_turns_read_only_loses_its_connections_and_gets_new_ones() {
    let server = PostgresServer::start();
    let database = Database::on(&server).await;
    migrate(database.url()).await.unwrap();
    let tenant = tenant();
    let store = Ingestion::connect(&database.config()).await.unwrap();
    account(&store, tenant, "acme").await;
    let mut tasks = JoinSet::new();
    let admin = connect(database.url(), &mut tasks).await;
    let before = pids(&admin).await;
    assert!(!before.is_empty());

    database.turn_read_only().await;
    let mut number = 0;
    let error = within(Duration::from_secs(30), async {
        loop {
            number += 1;
            if let Err(error) = commits(&store, tenant, &format!("e{number}")).await {
                break error;
            }
        }
    })
    .await;
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    within(Duration::from_secs(30), async {
        while !pids(&admin).await.is_disjoint(&before) {}
    })
    .await;

    database.turn_writable().await;
    within(Duration::from_secs(30), async {
        while commits(&store, tenant, "afterwards").await.is_err() {}
    })
    .await;
    let reader = Ingestion::connect(&database.config()).await.unwrap();
    assert_eq!(records(&reader, tenant).await.len(), number + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_leaves_no_open_transaction_behind() {
    let server = PostgresServer::start();
    let database = Database::on(&server).await;
    migrate(database.url()).await.unwrap();
    let tenant = tenant();
    let store = Ingestion::connect(&Config {
        pool_size: 2,
        ..database.config()
    })
    .await
    .unwrap();
    account(&store, tenant, "acme").await;
    for number in 0..200_u64 {
        let id = format!("e{number}");
        let given_up = tokio::time::timeout(
            Duration::from_micros(number * 20),
            commits(&store, tenant, &id),
        )
        .await;
        drop(given_up);
    }
    within(Duration::from_secs(10), commits(&store, tenant, "last"))
        .await
        .unwrap();
    let reader = Ingestion::connect(&database.config()).await.unwrap();
    let stored = records(&reader, tenant).await;
    let unique: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len());
}

/// Asks until the answer is as it should be.
async fn until(probe: &Probe, wanted: fn(&Result<(), Error>) -> bool) {
    within(Duration::from_secs(30), async {
        while !wanted(&probe.check_writable().await) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_read_only_or_gone_cannot_be_written_until_it_is_back() {
    let unavailable: fn(&Result<(), Error>) -> bool =
        |answer| matches!(answer, Err(Error::Unavailable { .. }));
    let server = PostgresServer::start();
    let database = Database::on(&server).await;
    migrate(database.url()).await.unwrap();
    let probe = Probe::new(&database.config()).unwrap();
    probe.check_writable().await.unwrap();

    database.turn_read_only().await;
    until(&probe, unavailable).await;
    database.turn_writable().await;
    until(&probe, Result::is_ok).await;

    tokio::task::block_in_place(|| server.crash());
    until(&probe, unavailable).await;
    tokio::task::block_in_place(|| server.start_again());
    until(&probe, Result::is_ok).await;
}
