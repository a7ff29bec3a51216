//! An import is completed, or a clock moved, by one process while another stores what depends on it.

use std::time::Duration;

use futures_util::future::{join, join3, join4};
use tokio::task::JoinSet;

use sextant_backends::postgres::Ingestion;
use sextant_backends::testing::{Database, migrated_database};
use sextant_domain::fact::FactKind;
use sextant_domain::id::{PayloadHash, Slice, TenantId};
use sextant_domain::rfm::TiePolicy;
use sextant_store::Error;
use sextant_store::port::{
    FactBatch, Facts, Import, Intake, NewFact, Once, Request, SliceHeads, TenantRow, Tenants,
};

use crate::support::{NOON, batch, connect, fact, tenant, waiting, within};

const LIMIT: Duration = Duration::from_secs(30);

fn once<T: std::fmt::Debug + 'static>(owner: Option<TenantId>, name: &'static str) -> Once<T> {
    let request = Request {
        owner,
        method: name,
        id: 1,
        parameters: PayloadHash::of(b""),
        at: NOON,
    };
    Once::new(request, |result: &T| format!("{result:?}").into_bytes())
}

async fn mark(store: &Ingestion, tenant: TenantId, mark: Import) -> Option<Vec<u8>> {
    let name = match mark {
        Import::Started => "start",
        Import::Completed(_) => "complete",
    };
    let once: Once<SliceHeads> = once(Some(tenant), name);
    store.mark_import(tenant, mark, once).await.unwrap()
}

fn tenant_row() -> TenantRow {
    TenantRow {
        tenant: tenant(),
        name: "acme".to_owned(),
        time_zone: "UTC".to_owned(),
        base_currency: "USD".to_owned(),
        fixed_clock: None,
        retention_days: 400,
        n_slices: 1,
        import_opened_at: None,
        created_at: NOON,
        rfm_tie_policy: TiePolicy::default(),
    }
}

/// A tenant with an open import, as two processes know it.
async fn two_processes(database: &Database) -> ([Ingestion; 2], TenantId) {
    let connect = async || Ingestion::connect(&database.config()).await.unwrap();
    let stores = [connect().await, connect().await];
    let row = tenant_row();
    stores[0].create(&row, once(None, "create")).await.unwrap();
    mark(&stores[0], row.tenant, Import::Started).await.unwrap();
    (stores, row.tenant)
}

/// An account of imported history.
fn history() -> NewFact {
    NewFact {
        historical: true,
        ..fact(FactKind::Account, "anvil", "a1")
    }
}

/// The key of the lock of who makes accounts known; that of the import and the clock is this one, rotated by half.
fn lock_key(tenant: TenantId) -> i64 {
    let (_, low) = uuid::Uuid::from_u128(tenant.0).as_u64_pair();
    low.cast_signed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_completed_after_the_history_that_is_being_stored() {
    let database = migrated_database().await;
    let mut tasks = JoinSet::new();
    let ([storing, completing], tenant) = two_processes(&database).await;
    let (holder, watcher) = (
        connect(database.url(), &mut tasks).await,
        connect(database.url(), &mut tasks).await,
    );
    // Who makes an account known waits for this one.
    let key = lock_key(tenant);
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({key})");
    holder.batch_execute(&hold).await.unwrap();
    let stores = storing.commit(batch(tenant, vec![history()]));
    let completes = async {
        waiting(&watcher, 1).await;
        mark(&completing, tenant, Import::Completed(1)).await
    };
    let lets_go = async {
        waiting(&watcher, 2).await;
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (stored, completed, ()) = within(LIMIT, join3(stores, completes, lets_go)).await;
    assert_eq!(stored.unwrap().heads, [(Slice(0), 2)]);
    assert!(completed.is_some());
    let entries = completing.fact_entries(tenant, Slice(0), 0, 1 << 20).await;
    let told: Vec<_> = entries
        .unwrap()
        .iter()
        .map(|entry| (entry.import, entry.facts.len()))
        .collect();
    let marks = [Import::Started, Import::Completed(1)].map(Some);
    assert_eq!(told, [(marks[0], 0), (None, 1), (marks[1], 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_that_comes_while_its_import_is_completed_waits_and_is_refused() {
    let database = migrated_database().await;
    let mut tasks = JoinSet::new();
    let ([storing, _], tenant) = two_processes(&database).await;
    let (completing, watcher) = (
        connect(database.url(), &mut tasks).await,
        connect(database.url(), &mut tasks).await,
    );
    let key = lock_key(tenant).rotate_left(32);
    let complete = format!(
        "BEGIN; SELECT pg_advisory_xact_lock({key}); UPDATE sextant_ingestion.tenant SET import_opened_at = NULL"
    );
    completing.batch_execute(&complete).await.unwrap();
    let stores = storing.commit(batch(tenant, vec![history()]));
    let completes = async {
        waiting(&watcher, 1).await;
        completing.batch_execute("COMMIT").await.unwrap();
    };
    let (stored, ()) = within(LIMIT, join(stores, completes)).await;
    assert!(matches!(stored, Err(Error::NoImport)), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_is_moved_before_what_comes_while_it_waits() {
    let database = migrated_database().await;
    let mut tasks = JoinSet::new();
    let connect_store = async || Ingestion::connect(&database.config()).await.unwrap();
    let (storing, moving) = (connect_store().await, connect_store().await);
    let row = TenantRow {
        fixed_clock: Some(NOON),
        ..tenant_row()
    };
    storing.create(&row, once(None, "create")).await.unwrap();
    let tenant = row.tenant;
    let under_clock = |kind, account, id| FactBatch {
        fixed_clock: Some(NOON),
        ..batch(tenant, vec![fact(kind, account, id)])
    };
    let known = under_clock(FactKind::Account, "anvil", "a1");
    storing.commit(known).await.unwrap();
    let (holder, watcher) = (
        connect(database.url(), &mut tasks).await,
        connect(database.url(), &mut tasks).await,
    );
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({})", lock_key(tenant));
    holder.batch_execute(&hold).await.unwrap();

    // One stores, and waits for the holder; the clock is moved, and waits for that one; then another comes to be stored.
    let first = storing.commit(under_clock(FactKind::Account, "bellows", "b1"));
    let later = NOON.plus_us(1);
    let moves = async {
        waiting(&watcher, 1).await;
        let once: Once<SliceHeads> = once(Some(tenant), "move");
        moving.advance_clock(tenant, later, once).await
    };
    let second = async {
        waiting(&watcher, 2).await;
        storing
            .commit(under_clock(FactKind::Event, "anvil", "e1"))
            .await
    };
    let lets_go = async {
        waiting(&watcher, 3).await;
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (first, moved, second, ()) = within(LIMIT, join4(first, moves, second, lets_go)).await;
    first.unwrap();
    assert!(moved.unwrap().is_some());
    second.unwrap();
    let entries = storing.fact_entries(tenant, Slice(0), 0, 1 << 20).await;
    let told: Vec<_> = entries
        .unwrap()
        .iter()
        .map(|entry| entry.clock.or_else(|| Some(entry.facts.first()?.known_at)))
        .collect();
    assert_eq!(told, [NOON, NOON, later, later].map(Some));
}
