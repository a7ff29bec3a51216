//! Raw inserts: facts by prepared statements into the tables of the embedded engine, with its settings, one transaction for each
//! batch.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use sextant_store::port::FactBatch;

use crate::rows::{FACTS, IDENTITIES, Rows};

const FACT_INSERT: &str = include_str!("../../queries/sqlite/ingestion/fact_insert.sql");
const DEDUPE_INSERT: &str = include_str!("../../tests/queries/raw_dedupe_insert.sql");
const SCHEMA: [&str; 2] = [
    include_str!("../../queries/sqlite/migrations/ingestion/0001_initial.sql"),
    include_str!("../../queries/sqlite/migrations/ingestion/0003_sequence.sql"),
];

/// A new database with the engine's tables and settings.
pub(crate) fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    for (name, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("wal_autocheckpoint", "8192"),
        ("cache_size", "-16384"),
    ] {
        connection.pragma_update(None, name, value).unwrap();
    }
    for step in SCHEMA {
        connection.execute_batch(step).unwrap();
    }
    connection
}

/// Inserts all batches and returns how long that took.
pub(crate) fn insert_all(connection: &Connection, batches: Vec<FactBatch>) -> Duration {
    let start = tokio::time::Instant::now();
    for batch in batches {
        let transaction = connection.unchecked_transaction().unwrap();
        let mut dedupe = transaction.prepare_cached(DEDUPE_INSERT).unwrap();
        let mut insert = transaction.prepare_cached(FACT_INSERT).unwrap();
        let (tenant, batch_id) = (batch.tenant.0.to_be_bytes(), batch.batch_id.to_be_bytes());
        for (ordinal, fact) in (0_u32..).zip(&batch.facts) {
            let (hash, payload) = (
                fact.identity.hash.to_be_bytes(),
                fact.payload.0.to_be_bytes(),
            );
            dedupe
                .execute(params![tenant, fact.identity.hour, hash, payload])
                .unwrap();
            let times = (fact.occurred_at.0, fact.known_at.0);
            // Nothing refers to the account: any 16 bytes will do.
            let uid = hash;
            insert
                .execute(params![
                    tenant,
                    batch_id,
                    ordinal,
                    uid,
                    fact.kind.code(),
                    times.0,
                    times.1,
                    fact.historical,
                    fact.record,
                    0
                ])
                .unwrap();
        }
        drop((dedupe, insert));
        transaction.commit().unwrap();
    }
    start.elapsed()
}

/// What a file holds, which may be in use.
pub(crate) fn rows(path: &Path) -> Rows {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut rows = Rows::default();
    let mut identities = connection.prepare(IDENTITIES).unwrap();
    let mut identities = identities.query([]).unwrap();
    while let Some(row) = identities.next().unwrap() {
        let [hash, payload] = [1, 2].map(|column| row.get(column).unwrap());
        rows.add_identity(row.get(0).unwrap(), hash, payload);
    }
    let mut facts = connection.prepare(FACTS).unwrap();
    let mut facts = facts.query([]).unwrap();
    while let Some(row) = facts.next().unwrap() {
        let numbers = [0, 1, 2].map(|column| row.get(column).unwrap());
        rows.add_fact(numbers, row.get_ref(3).unwrap().as_blob().unwrap());
    }
    rows
}
