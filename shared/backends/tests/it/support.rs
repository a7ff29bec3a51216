use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use sextant_backends::postgres::Ingestion;
use sextant_domain::fact::FactKind;
use sextant_domain::id::{ExternalId, PayloadHash, RecordIdentity, Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_store::port::{FactBatch, Facts, Intake, NewFact, Outcome};

/// 2026-01-15T12:00:00Z.
pub(crate) const NOON: Instant = Instant(1_768_478_400_000_000);

pub(crate) fn tenant() -> TenantId {
    TenantId(Uuid::new_v4().as_u128())
}

pub(crate) fn fact(kind: FactKind, account: &str, id: &str) -> NewFact {
    let record = format!("{account} {id}").into_bytes();
    NewFact {
        identity: RecordIdentity::new("test", id, NOON),
        payload: PayloadHash::of(&record),
        kind,
        account: Some(ExternalId::parse(account).unwrap().into()),
        new_account_uid: Uuid::new_v4().as_u128(),
        occurred_at: NOON,
        known_at: NOON,
        historical: false,
        record,
    }
}

pub(crate) fn batch(tenant: TenantId, facts: Vec<NewFact>) -> FactBatch {
    FactBatch {
        tenant,
        n_slices: 1,
        batch_id: Uuid::now_v7().as_u128(),
        recorded_at: NOON,
        fixed_clock: None,
        sources: facts.iter().map(|_| "test".into()).collect(),
        facts,
        rejections: Vec::new(),
        trace: None,
    }
}

/// Makes an account known.
pub(crate) async fn account(store: &Ingestion, tenant: TenantId, id: &str) {
    let committed = store
        .commit(batch(
            tenant,
            vec![fact(FactKind::Account, id, &format!("state of {id}"))],
        ))
        .await
        .unwrap();
    assert_eq!(committed.outcomes, [Outcome::Accepted]);
}

/// The records of all facts in slice 0, in feed order, following the feed from entry to entry.
pub(crate) async fn records(store: &Ingestion, tenant: TenantId) -> Vec<String> {
    let (mut records, mut after) = (Vec::new(), 0);
    loop {
        let entries = store
            .fact_entries(tenant, Slice(0), after, 1 << 20)
            .await
            .unwrap();
        let Some(last) = entries.last() else {
            return records;
        };
        after = last.sequence;
        records.extend(
            entries
                .into_iter()
                .flat_map(|entry| entry.facts)
                .map(|fact| String::from_utf8(fact.record).unwrap()),
        );
    }
}

/// A plain connection, driven by a task of the given set.
pub(crate) async fn connect(url: &str, tasks: &mut tokio::task::JoinSet<()>) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tasks.spawn(async move {
        // It ends with the client, or with the server in the tests that stop it.
        drop(connection.await);
    });
    client
}

/// A plain connection with the application's rights on a schema.
pub(crate) async fn connect_as_app(
    url: &str,
    schema: &str,
    tasks: &mut tokio::task::JoinSet<()>,
) -> Client {
    let client = connect(url, tasks).await;
    client
        .batch_execute(&format!("SET search_path = {schema}; SET ROLE sextant_app"))
        .await
        .unwrap();
    client
}

/// Fails a test that hangs.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, work).await.unwrap()
}

/// Returns when so many statements of the database wait for a lock: a level to wait for, not a time.
pub(crate) async fn waiting(watcher: &Client, n_wanted: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let row = watcher.query_one(waiting, &[]).await.unwrap();
        if row.get::<_, i64>(0) == n_wanted {
            return;
        }
        tokio::task::yield_now().await;
    }
}
