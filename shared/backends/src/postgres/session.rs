//! A connection in the hands of one call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use deadpool_postgres::Object;
use futures_util::future::{join, join3};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_store::{Error, Result};

const BEGIN: &str = include_str!("../../queries/postgres/session/begin.sql");
const COMMIT: &str = include_str!("../../queries/postgres/session/commit.sql");
const ROLLBACK: &str = include_str!("../../queries/postgres/session/rollback.sql");

/// A connection that goes back to the pool only in a known state: after an error, or when it is dropped within a
/// transaction, it is closed instead, and the server rolls back.
///
/// Messages are sent in the order in which futures are first polled, without waiting for answers. So the opening of a
/// transaction travels with its first statement and the commit with its last one. Statements that travel together must be
/// prepared before any of them is polled.
#[derive(Debug)]
pub(super) struct Session {
    object: Option<Object>,
    doing: &'static str,
    dirty: AtomicBool,
    /// What opens the transaction, until its first statement takes it along.
    opening: Mutex<Option<String>>,
}

impl Session {
    pub(super) fn new(object: Object, doing: &'static str) -> Self {
        Self {
            object: Some(object),
            doing,
            dirty: AtomicBool::new(false),
            opening: Mutex::new(None),
        }
    }

    /// Begins a transaction of a tenant; its opening travels with the first statement.
    pub(super) fn begin(&self, tenant: TenantId) {
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = Some(begin(tenant));
    }

    /// Prepares a statement, or takes it from those that the connection has prepared.
    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement> {
        self.client()?
            .prepare_cached(sql)
            .await
            .map_err(|error| self.failed(error))
    }

    /// Runs a statement.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let client = self.client()?;
        let (opened, rows) = join(self.open(client), client.query(statement, params)).await;
        opened.and(rows).map_err(|error| self.failed(error))
    }

    /// Runs a statement; returns how many rows it wrote.
    pub(super) async fn execute(
        &self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64> {
        let client = self.client()?;
        let (opened, written) = join(self.open(client), client.execute(statement, params)).await;
        opened.and(written).map_err(|error| self.failed(error))
    }

    async fn open(&self, client: &Object) -> std::result::Result<(), tokio_postgres::Error> {
        let opening = self
            .opening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(begin) = opening else { return Ok(()) };
        self.dirty.store(true, Ordering::Relaxed);
        client.batch_execute(&begin).await
    }

    /// Runs the last statement of a transaction and commits.
    pub(super) async fn last(
        &self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let client = self.client()?;
        let (rows, committed) = join(
            client.query(statement, params),
            client.batch_execute(COMMIT),
        )
        .await;
        // The commit of a failed transaction succeeds (and rolls back): the statement's own result decides first.
        let rows = rows.map_err(|error| self.failed(error))?;
        committed.map_err(|error| self.failed(error))?;
        self.dirty.store(false, Ordering::Relaxed);
        Ok(rows)
    }

    /// Commits.
    pub(super) async fn commit(&self) -> Result<()> {
        self.client()?
            .batch_execute(COMMIT)
            .await
            .map_err(|error| self.failed(error))?;
        self.dirty.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Takes back what the transaction wrote, so that the connection can be used again.
    pub(super) async fn rollback(&self) -> Result<()> {
        self.client()?
            .batch_execute(ROLLBACK)
            .await
            .map_err(|error| self.failed(error))?;
        self.dirty.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Runs a transaction of one statement. All of it is sent at once, so it ends even when nobody waits for it.
    pub(super) async fn only(
        &self,
        tenant: TenantId,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let client = self.client()?;
        let begin = begin(tenant);
        let (begun, rows, committed) = join3(
            client.batch_execute(&begin),
            client.query(statement, params),
            client.batch_execute(COMMIT),
        )
        .await;
        let rows = begun.and(rows).map_err(|error| self.failed(error))?;
        committed.map_err(|error| self.failed(error))?;
        Ok(rows)
    }

    /// Turns an error of the database into the port's, and gives the connection up.
    fn failed(&self, error: tokio_postgres::Error) -> Error {
        self.dirty.store(true, Ordering::Relaxed);
        let state = error.code();
        if state.is_none_or(|state| SERVER_IS_GONE.contains(state))
            && let Some(pool) = self.object.as_ref().and_then(Object::pool)
        {
            // Its neighbours lead to the same server: open new ones, which resolve the address again.
            drop(pool.retain(|_client, _metrics| false));
        }
        if state == Some(&SqlState::DISK_FULL) {
            return Error::Full { doing: self.doing };
        }
        Error::unavailable(self.doing, error)
    }

    fn client(&self) -> Result<&Object> {
        self.object.as_ref().ok_or(Error::Unavailable {
            doing: self.doing,
            source: "the connection was given up".into(),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if *self.dirty.get_mut()
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}

/// The server was switched to read-only or is being shut down.
const SERVER_IS_GONE: [SqlState; 4] = [
    SqlState::READ_ONLY_SQL_TRANSACTION,
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
];

fn begin(tenant: TenantId) -> String {
    BEGIN.replace("{tenant}", &Uuid::from_u128(tenant.0).to_string())
}
