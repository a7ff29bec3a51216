//! Commits of facts, as a share of keyed COPY: binary COPY of the same rows into identical tables with identical keys and
//! without row-level security, on one connection, committed per 1,000 rows.
//!
//! Both store random ids over two hours for 100,000 known accounts. Of what the engine is given, 1 % are repetitions, which COPY
//! cannot take and no rate counts. After each run of the engine its rows are compared with those of keyed COPY. Prints rows per
//! second and the ratio of each pair of runs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking and prints its result"
)]

#[path = "commit/keyed_copy.rs"]
mod keyed_copy;
#[path = "../../store/examples/ingest_rate/rows.rs"]
mod rows;

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_backends::postgres::{Ingestion, Service};
use sextant_backends::testing::{Database, migrated_database};
use sextant_domain::fact::FactKind;
use sextant_domain::id::{ExternalId, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant;
use sextant_store::port::{FactBatch, Facts, NewFact};

use crate::keyed_copy::{FACT_TYPES, connected, copy, fact_rows};
use crate::rows::Rows;

const N_ACCOUNTS: usize = 100_000;
const N_FACTS: usize = 200_000;
const BATCH: usize = 1_000;
/// One of so many deliveries is a repetition.
const REPEATED: usize = 100;
const N_ROUNDS: usize = 3;
const TWO_HOURS_US: u64 = 7_200_000_000;
const NOON: i64 = 1_768_478_400_000_000;
const RECORD_BYTES: usize = 110;

/// A small generator with a fixed start (splitmix64), so that every run stores the same kind of data.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn account(number: u64) -> ExternalId {
    ExternalId::parse(&format!("account-{number:08}")).unwrap()
}

fn event(numbers: &mut Numbers) -> NewFact {
    let at = Instant(NOON + i64::try_from(numbers.below(TWO_HOURS_US)).unwrap());
    let id = format!("{:016x}{:016x}", numbers.next(), numbers.next());
    let mut record = id.clone().into_bytes();
    record.resize(RECORD_BYTES, b'.');
    NewFact {
        identity: RecordIdentity::new("bench", &id, at),
        payload: PayloadHash::of(&record),
        kind: FactKind::Event,
        account: Some(account(numbers.below(u64::try_from(N_ACCOUNTS).unwrap())).into()),
        new_account_uid: 0,
        occurred_at: at,
        known_at: at,
        historical: false,
        record,
    }
}

fn batch(tenant: TenantId, facts: Vec<NewFact>) -> FactBatch {
    FactBatch {
        tenant,
        n_slices: 1,
        batch_id: Uuid::now_v7().as_u128(),
        recorded_at: Instant(NOON),
        fixed_clock: None,
        sources: facts.iter().map(|_| "bench".into()).collect(),
        facts,
        rejections: Vec::new(),
        trace: None,
    }
}

/// The facts in batches of this size, each filled up with repetitions of what earlier batches brought.
fn deliveries(
    numbers: &mut Numbers,
    tenant: TenantId,
    facts: &[NewFact],
    size: usize,
) -> Vec<FactBatch> {
    let n_repeated = size / REPEATED;
    let mut n_earlier = 0;
    let mut batches = Vec::new();
    for new in facts.chunks(size - n_repeated) {
        let mut all = new.to_vec();
        for _ in 0..n_repeated.min(n_earlier) {
            let chosen = usize::try_from(numbers.next() >> 33).unwrap() % n_earlier;
            all.push(facts[chosen].clone());
        }
        n_earlier += new.len();
        batches.push(batch(tenant, all));
    }
    batches
}

async fn known_accounts(store: &Ingestion, tenant: TenantId) {
    let mut numbers = Numbers(1);
    for first in (0..N_ACCOUNTS).step_by(10_000) {
        let states = (first..first + 10_000).map(|number| NewFact {
            kind: FactKind::Account,
            account: Some(account(u64::try_from(number).unwrap()).into()),
            new_account_uid: Uuid::now_v7().as_u128(),
            ..event(&mut numbers)
        });
        store.commit(batch(tenant, states.collect())).await.unwrap();
    }
}

/// Commits with so many callers at once; returns rows per second.
async fn commit_all(store: &Ingestion, batches: Vec<FactBatch>, n_callers: usize) -> f64 {
    let mut queues: Vec<Vec<FactBatch>> = (0..n_callers).map(|_| Vec::new()).collect();
    for (number, batch) in batches.into_iter().enumerate() {
        queues[number % n_callers].push(batch);
    }
    let started = tokio::time::Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for queue in queues {
        let store = store.clone();
        callers.spawn(async move {
            for batch in queue {
                store.commit(batch).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    per_second(started.elapsed())
}

fn per_second(spent: Duration) -> f64 {
    f64::from(u32::try_from(N_FACTS).unwrap()) / spent.as_secs_f64()
}

/// Batches without repetitions.
fn batches(facts: &[NewFact]) -> Vec<Vec<NewFact>> {
    facts.chunks(BATCH).map(<[NewFact]>::to_vec).collect()
}

const INSERT_FACTS: &str = include_str!("../queries/postgres/ingestion/insert_facts.sql");
const STAGE: &str = "CREATE TEMPORARY TABLE stage (LIKE fact) ON COMMIT DELETE ROWS";

/// How facts get past row-level security.
#[derive(Debug, Clone, Copy)]
enum Bulk {
    /// INSERT … SELECT … FROM unnest.
    Unnest,
    /// COPY into a temporary table, INSERT … SELECT from it.
    Stage,
}

/// Facts alone, with the rights of the application; returns rows per second.
async fn bulk_run(facts: &[NewFact], bulk: Bulk) -> f64 {
    let database = migrated_database().await;
    settle(&database).await;
    let spent = connected(database.url(), async |client| {
        bulk_all(client, batches(facts), bulk).await
    });
    let rate = per_second(spent.await);
    database.drop_now().await;
    rate
}

async fn bulk_all(client: &Client, batches: Vec<Vec<NewFact>>, bulk: Bulk) -> Duration {
    let tenant = Uuid::new_v4();
    let open = "SET search_path = sextant_ingestion; SELECT create_partition('fact', 672);
        DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO sextant_app', current_database()); END $$; SET ROLE sextant_app";
    client.batch_execute(open).await.unwrap();
    client.batch_execute(STAGE).await.unwrap();
    let insert = client.prepare(INSERT_FACTS).await.unwrap();
    let from_stage = client
        .prepare("INSERT INTO fact SELECT * FROM stage")
        .await
        .unwrap();
    let started = tokio::time::Instant::now();
    for facts in batches {
        client
            .batch_execute(&format!("BEGIN; SET LOCAL app.tenant_id = '{tenant}'"))
            .await
            .unwrap();
        match bulk {
            Bulk::Unnest => unnest(client, &insert, tenant, &facts).await,
            Bulk::Stage => {
                copy(
                    client,
                    "COPY stage FROM STDIN BINARY",
                    &FACT_TYPES,
                    fact_rows(tenant, Uuid::now_v7(), facts),
                )
                .await;
                client.execute(&from_stage, &[]).await.unwrap();
            },
        }
        client.batch_execute("COMMIT").await.unwrap();
    }
    started.elapsed()
}

async fn unnest(
    client: &Client,
    insert: &tokio_postgres::Statement,
    tenant: Uuid,
    facts: &[NewFact],
) {
    let batch_ids = vec![Uuid::now_v7(); facts.len()];
    let times: Vec<i64> = facts.iter().map(|fact| fact.occurred_at.0).collect();
    let ordinals: Vec<i32> = (0_i32..).take(facts.len()).collect();
    let kinds: Vec<i16> = facts
        .iter()
        .map(|fact| i16::from(fact.kind.code()))
        .collect();
    let (slices, historical, uids) = (
        vec![0_i32; facts.len()],
        vec![false; facts.len()],
        vec![Some(tenant); facts.len()],
    );
    let records: Vec<&[u8]> = facts.iter().map(|fact| fact.record.as_slice()).collect();
    let params: [&(dyn ToSql + Sync); 10] = [
        &tenant,
        &batch_ids,
        &times,
        &times,
        &ordinals,
        &slices,
        &kinds,
        &historical,
        &uids,
        &records,
    ];
    client.execute(insert, &params).await.unwrap();
}

/// Every run starts in a database of its own with the accounts in it. Returns rows per second, and the rows.
async fn commit_run(
    numbers: &mut Numbers,
    facts: &[NewFact],
    size: usize,
    n_callers: usize,
) -> (f64, Rows) {
    let database = migrated_database().await;
    let store = Ingestion::connect(&database.config()).await.unwrap();
    let tenant = TenantId(Uuid::new_v4().as_u128());
    known_accounts(&store, tenant).await;
    let accounts = stored(&database).await;
    settle(&database).await;
    let rate = commit_all(&store, deliveries(numbers, tenant, facts, size), n_callers).await;
    drop(store);
    let rows = stored(&database).await.since(accounts);
    database.drop_now().await;
    (rate, rows)
}

/// What the engine has stored.
async fn stored(database: &Database) -> Rows {
    let schema = Service::Ingestion.schema();
    let rows = async |client: &_| keyed_copy::rows(client, schema).await;
    connected(database.url(), rows).await
}

/// Keyed COPY. Returns rows per second, and the rows.
async fn copy_run(facts: &[NewFact]) -> (f64, Rows) {
    let database = migrated_database().await;
    settle(&database).await;
    let copied = connected(database.url(), async |client| {
        let spent = keyed_copy::copy_all(client, Uuid::new_v4(), batches(facts)).await;
        let rows = keyed_copy::rows(client, "keyed_copy").await;
        (per_second(spent), rows)
    });
    let copied = copied.await;
    database.drop_now().await;
    copied
}

/// Writes dirty pages out, so that one run does not pay for the one before.
async fn settle(database: &Database) {
    connected(database.url(), async |client| {
        client.batch_execute("CHECKPOINT").await.unwrap();
    })
    .await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut numbers = Numbers(20_260_115);
        for round in 1..=N_ROUNDS {
            let facts: Vec<NewFact> = (0..N_FACTS).map(|_| event(&mut numbers)).collect();
            let (copy, copied) = copy_run(&facts).await;
            println!("round {round}: keyed COPY {copy:.0} rows/s");
            for bulk in [Bulk::Unnest, Bulk::Stage] {
                let rate = bulk_run(&facts, bulk).await;
                println!("round {round}: facts alone by {bulk:?} {rate:.0} rows/s");
            }
            for (size, n_callers) in [(1_000, 1), (1_000, 2), (100, 16), (100, 1)] {
                let (rate, rows) = commit_run(&mut numbers, &facts, size, n_callers).await;
                assert_eq!(rows, copied, "rows of the engine and of keyed COPY");
                println!("round {round}: {size} facts per batch, {n_callers} at once: {rate:.0} rows/s, {:.2} of COPY", rate / copy);
            }
        }
    });
}
