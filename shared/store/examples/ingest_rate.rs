//! How fast the embedded engine commits facts, against raw prepared inserts of the same rows into the same tables with the
//! same durability, 1,000 per transaction. They take turns; the medians are compared, and after each round the rows.
//!
//! `cargo run --release -p sextant-store --example ingest_rate [directory]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and stops when something is wrong"
)]

#[path = "ingest_rate/raw_inserts.rs"]
mod raw_inserts;
#[path = "ingest_rate/rows.rs"]
mod rows;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::runtime;
use uuid::Uuid;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{ExternalId, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant;
use sextant_store::embedded::Embedded;
use sextant_store::port::{FactBatch, Facts, NewFact, Outcome};

const N_ACCOUNTS: usize = 100_000;
const ROUNDS: usize = 9;
const BATCHES: usize = 50;
const FACTS: usize = 1_000;
const RECORD_BYTES: usize = 180;
const TENANT: TenantId = TenantId(1);
const HOUR_US: i64 = 3_600_000_000;
const START: Instant = Instant(1_767_225_600_000_000);

fn main() {
    let scratch = TempDir::new().unwrap();
    let directory = env::args_os()
        .nth(1)
        .map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(&directory));
}

async fn measure(directory: &Path) {
    let names: Vec<ExternalId> = (0..N_ACCOUNTS)
        .map(|n| ExternalId::parse(&format!("account-{n}")).unwrap())
        .collect();
    let raw_file = directory.join("raw.db");
    let raw = raw_inserts::open(&raw_file);
    let folders = ["one", "four"].map(|writers| directory.join(writers));
    let mut stores = Vec::new();
    for folder in &folders {
        let store = Embedded::open(folder).unwrap().ingestion();
        for some in names.chunks(FACTS) {
            let facts = some
                .iter()
                .map(|name| fact(name, FactKind::Account))
                .collect();
            store.commit(batch(facts)).await.unwrap();
        }
        stores.push(store);
    }
    let files = folders.map(|folder| folder.join("ingestion.db"));
    let accounts = files.each_ref().map(|file| raw_inserts::rows(file));
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let batches: Vec<FactBatch> = (0..BATCHES).map(|_| batch(events(&names))).collect();
        rates[0].push(rate(raw_inserts::insert_all(&raw, batches.clone())));
        rates[1].push(rate(commit_one_by_one(&*stores[0], batches.clone()).await));
        rates[2].push(rate(commit_four_at_once(&*stores[1], batches).await));
        let inserted = raw_inserts::rows(&raw_file);
        for (file, accounts) in files.iter().zip(accounts) {
            let committed = raw_inserts::rows(file).since(accounts);
            assert_eq!(committed, inserted, "rows of {}", file.display());
        }
        println!(
            "round {round}: raw {:.0}, one writer {:.0}, four writers {:.0} facts/s",
            rates[0][round], rates[1][round], rates[2][round]
        );
    }
    let [raw, one, four] = rates.map(median);
    println!(
        "median: raw {raw:.0}, one writer {one:.0} ({:.2}), four writers {four:.0} ({:.2})",
        one / raw,
        four / raw
    );
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Facts per second.
fn rate(spent: Duration) -> f64 {
    let facts = u32::try_from(BATCHES * FACTS).unwrap();
    f64::from(facts) / spent.as_secs_f64()
}

async fn commit_one_by_one(store: &dyn Facts, batches: Vec<FactBatch>) -> Duration {
    let start = tokio::time::Instant::now();
    for batch in batches {
        let committed = store.commit(batch).await.unwrap();
        assert!(
            committed
                .outcomes
                .iter()
                .all(|outcome| *outcome == Outcome::Accepted)
        );
    }
    start.elapsed()
}

async fn commit_four_at_once(store: &dyn Facts, mut batches: Vec<FactBatch>) -> Duration {
    let start = tokio::time::Instant::now();
    while !batches.is_empty() {
        let some = batches.split_off(batches.len().saturating_sub(4));
        join_all(
            some.into_iter()
                .map(async |batch| store.commit(batch).await.unwrap()),
        )
        .await;
    }
    start.elapsed()
}

/// Events of accounts in random order with random ids, of own times spread over two hours.
fn events(names: &[ExternalId]) -> Vec<NewFact> {
    let account = || usize::try_from(Uuid::new_v4().as_u128() % 100_000).unwrap();
    (0..FACTS)
        .map(|_| fact(&names[account()], FactKind::Event))
        .collect()
}

fn fact(account: &ExternalId, kind: FactKind) -> NewFact {
    let id = Uuid::new_v4();
    let within = i64::try_from(id.as_u128() % 7_200_000_000).unwrap();
    let occurred_at = Instant(START.0 + within);
    let record: Vec<u8> = id
        .as_bytes()
        .iter()
        .copied()
        .cycle()
        .take(RECORD_BYTES)
        .collect();
    NewFact {
        identity: RecordIdentity::new("app", &id.to_string(), occurred_at),
        payload: PayloadHash::of(&record),
        kind,
        account: Some(account.clone().into()),
        new_account_uid: Uuid::now_v7().as_u128(),
        occurred_at,
        known_at: START.plus_us(2 * HOUR_US),
        historical: false,
        record,
    }
}

fn batch(facts: Vec<NewFact>) -> FactBatch {
    let source: Arc<str> = "app".into();
    FactBatch {
        tenant: TENANT,
        n_slices: 1,
        batch_id: Uuid::now_v7().as_u128(),
        recorded_at: START.plus_us(2 * HOUR_US),
        fixed_clock: None,
        sources: vec![source; facts.len()],
        facts,
        rejections: Vec::new(),
        trace: None,
    }
}
