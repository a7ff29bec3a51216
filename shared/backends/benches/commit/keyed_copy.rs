//! Keyed COPY: binary COPY of facts into tables with the keys of ours, without row-level security, on one connection, one commit
//! for each batch.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use sextant_store::port::NewFact;

use crate::rows::{FACTS, IDENTITIES, Rows};

const TABLES: &str = "
DROP SCHEMA IF EXISTS keyed_copy CASCADE; CREATE SCHEMA keyed_copy; SET search_path = keyed_copy;
CREATE TABLE dedupe (LIKE sextant_ingestion.dedupe INCLUDING INDEXES) PARTITION BY RANGE (hour);
CREATE TABLE dedupe_all PARTITION OF dedupe FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
CREATE TABLE fact (LIKE sextant_ingestion.fact INCLUDING INDEXES) PARTITION BY RANGE (occurred_at);
CREATE TABLE fact_all PARTITION OF fact FOR VALUES FROM (MINVALUE) TO (MAXVALUE);";

const DEDUPE_TYPES: [Type; 4] = [Type::UUID, Type::INT4, Type::UUID, Type::UUID];

/// Types of the columns of `fact`.
pub(crate) const FACT_TYPES: [Type; 10] = [
    Type::UUID,
    Type::UUID,
    Type::INT8,
    Type::INT8,
    Type::INT4,
    Type::INT4,
    Type::INT2,
    Type::BOOL,
    Type::UUID,
    Type::BYTEA,
];

/// The values of one row.
pub(crate) type Row = Vec<Box<dyn ToSql + Sync + Send>>;

/// Rows of `fact`.
pub(crate) fn fact_rows(tenant: Uuid, batch_id: Uuid, facts: Vec<NewFact>) -> Vec<Row> {
    let rows = facts
        .into_iter()
        .zip(0_i32..)
        .map(|(fact, ordinal)| -> Row {
            vec![
                Box::new(tenant),
                Box::new(batch_id),
                Box::new(fact.occurred_at.0),
                Box::new(fact.known_at.0),
                Box::new(ordinal),
                Box::new(0_i32),
                Box::new(i16::from(fact.kind.code())),
                Box::new(fact.historical),
                Box::new(tenant),
                Box::new(fact.record),
            ]
        });
    rows.collect()
}

fn dedupe_rows(tenant: Uuid, facts: &[NewFact]) -> Vec<Row> {
    let rows = facts.iter().map(|fact| -> Row {
        vec![
            Box::new(tenant),
            Box::new(fact.identity.hour),
            Box::new(Uuid::from_u128(fact.identity.hash)),
            Box::new(Uuid::from_u128(fact.payload.0)),
        ]
    });
    rows.collect()
}

/// Sends rows by one COPY.
pub(crate) async fn copy(client: &Client, sql: &str, types: &[Type], rows: Vec<Row>) {
    let sink = client.copy_in(sql).await.unwrap();
    let writer = tokio_postgres::binary_copy::BinaryCopyInWriter::new(sink, types);
    let mut writer = std::pin::pin!(writer);
    for row in &rows {
        let values = row.iter().map(|value| &**value as &(dyn ToSql + Sync));
        writer.as_mut().write_raw(values).await.unwrap();
    }
    writer.finish().await.unwrap();
}

/// Works on a connection of its own.
pub(crate) async fn connected<T>(url: &str, work: impl AsyncFnOnce(&Client) -> T) -> T {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let working = async {
        let result = work(&client).await;
        drop(client);
        result
    };
    let (result, ended) = futures_util::future::join(working, connection).await;
    ended.unwrap();
    result
}

/// Copies all batches into empty tables of the schema `keyed_copy` and returns how long that took. The encoding of rows is part
/// of it, as it is of a commit.
pub(crate) async fn copy_all(
    client: &Client,
    tenant: Uuid,
    batches: Vec<Vec<NewFact>>,
) -> Duration {
    client.batch_execute(TABLES).await.unwrap();
    let started = tokio::time::Instant::now();
    for facts in batches {
        let identities = dedupe_rows(tenant, &facts);
        let facts = fact_rows(tenant, Uuid::now_v7(), facts);
        client.batch_execute("BEGIN").await.unwrap();
        copy(
            client,
            "COPY dedupe FROM STDIN BINARY",
            &DEDUPE_TYPES,
            identities,
        )
        .await;
        copy(client, "COPY fact FROM STDIN BINARY", &FACT_TYPES, facts).await;
        client.batch_execute("COMMIT").await.unwrap();
    }
    started.elapsed()
}

/// What a schema holds. Fails where row-level security would hide some of it.
pub(crate) async fn rows(client: &Client, schema: &str) -> Rows {
    let open = format!("SET search_path = {schema}; SET row_security = off");
    client.batch_execute(&open).await.unwrap();
    let mut rows = Rows::default();
    let parameters = std::iter::empty::<&(dyn ToSql + Sync)>;
    let identities = client.query_raw(IDENTITIES, parameters()).await.unwrap();
    let mut identities = pin!(identities);
    while let Some(row) = identities.try_next().await.unwrap() {
        let [hash, payload] = [1, 2].map(|column| row.get::<_, Uuid>(column).into_bytes());
        rows.add_identity(row.get(0), hash, payload);
    }
    let mut facts = pin!(client.query_raw(FACTS, parameters()).await.unwrap());
    while let Some(row) = facts.try_next().await.unwrap() {
        let (kind, historical): (i16, bool) = (row.get(1), row.get(2));
        let numbers = [row.get(0), kind.into(), historical.into()];
        rows.add_fact(numbers, row.get(3));
    }
    rows
}
