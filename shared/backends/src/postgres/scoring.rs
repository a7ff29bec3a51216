//! Scoring's tables.

use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_domain::time::Day;
use sextant_store::port::{
    AccountFactRow, FeedEntry, ModelRow, MonthRow, ReplicaAccount, ScoringCommit, SliceHeads,
    SliceState,
};
use sextant_store::{BoxFuture, Error, Result, port};

use super::decode::Fields;
use super::pool::{Config, ConnectError, Pool};
use super::session::Session;
use super::{Service, decode, feed, replica, rows};

const MOVE_CURSOR: &str = include_str!("../../queries/postgres/scoring/move_cursor.sql");
const STATE: &str = include_str!("../../queries/postgres/scoring/state.sql");
const STATES: &str = include_str!("../../queries/postgres/scoring/states.sql");
const PUT_MONTHS: &str = include_str!("../../queries/postgres/scoring/put_months.sql");
const MONTHS: &str = include_str!("../../queries/postgres/scoring/months.sql");
const PUT_MODELS: &str = include_str!("../../queries/postgres/scoring/put_models.sql");
const MODELS: &str = include_str!("../../queries/postgres/scoring/models.sql");

/// The store of scoring: the ports `Scoring`, `Replica` and `Feed`.
#[derive(Debug, Clone)]
pub struct Scoring {
    pool: Pool,
}

impl Scoring {
    /// Connects and checks the version of the schema.
    ///
    /// # Errors
    /// The database does not answer, or its schema has another version.
    pub async fn connect(config: &Config) -> std::result::Result<Self, ConnectError> {
        Ok(Self {
            pool: Pool::connect(config, Service::Scoring).await?,
        })
    }

    async fn store(&self, commit: &ScoringCommit) -> Result<u64> {
        let replica = &commit.replica;
        let session = self.pool.session("committing scores").await?;
        session.begin(replica.tenant);
        advance(&session, commit).await?;
        replica::put(&session, replica).await?;
        put_months(&session, replica.tenant, replica.slice, &commit.months).await?;
        put_models(&session, replica.tenant, &commit.models).await?;
        let payloads: Vec<&[u8]> = commit
            .evaluations
            .iter()
            .map(|entry| entry.payload.as_slice())
            .collect();
        feed::append_and_commit(&session, replica.tenant, replica.slice, &payloads).await
    }
}

/// Moves the cursor on, if the slice is where the results were computed from.
async fn advance(session: &Session, commit: &ScoringCommit) -> Result<()> {
    let (replica, state) = (&commit.replica, &commit.state);
    let (tenant, slice) = (rows::tenant(replica.tenant), rows::slice(replica.slice));
    let (position, expected) = (
        rows::number(replica.cursor),
        rows::number(replica.expected_cursor),
    );
    let closed_on = state.closed_on.map(|day| day.0);
    let closes_at = state.closes_at.map(|at| at.0);
    let clock = state.clock.map(|at| at.0);
    let pending = state.pending_history.map(i16::from);
    let restated_from = state.restated_from.map(|day| day.0);
    let watermark = state.watermark.map(|at| at.0);
    let version = rows::number(state.version);
    let statement = session.prepare(MOVE_CURSOR).await?;
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 12] = [
        &tenant,
        &slice,
        &position,
        &closed_on,
        &closes_at,
        &clock,
        &state.importing,
        &pending,
        &restated_from,
        &watermark,
        &version,
        &expected,
    ];
    let moved = session.execute(&statement, &params).await?;
    if moved == 0 {
        session.rollback().await?;
        return Err(Error::Fenced);
    }
    Ok(())
}

async fn put_months(
    session: &Session,
    tenant: TenantId,
    slice: Slice,
    months: &[MonthRow],
) -> Result<()> {
    if months.is_empty() {
        return Ok(());
    }
    let months = rows::last_of_each(months, |month| (month.uid, month.month));
    let uids: Vec<Uuid> = months
        .iter()
        .map(|month| Uuid::from_u128(month.uid.0))
        .collect();
    let numbers: Vec<i32> = months.iter().map(|month| month.month).collect();
    let cells: Vec<&[u8]> = months.iter().map(|month| month.cells.as_slice()).collect();
    let statement = session.prepare(PUT_MONTHS).await?;
    session
        .query(
            &statement,
            &[
                &rows::tenant(tenant),
                &rows::slice(slice),
                &uids,
                &numbers,
                &cells,
            ],
        )
        .await?;
    Ok(())
}

async fn put_models(session: &Session, tenant: TenantId, models: &[ModelRow]) -> Result<()> {
    if models.is_empty() {
        return Ok(());
    }
    let models = rows::last_of_each(models, |model| model.closed_on);
    let closes: Vec<i32> = models.iter().map(|model| model.closed_on.0).collect();
    let known: Vec<i64> = models.iter().map(|model| model.known_at.0).collect();
    let bytes: Vec<&[u8]> = models.iter().map(|model| model.models.as_slice()).collect();
    let statement = session.prepare(PUT_MODELS).await?;
    session
        .query(
            &statement,
            &[&rows::tenant(tenant), &closes, &known, &bytes],
        )
        .await?;
    Ok(())
}

fn slice_state(row: &mut Fields<'_>) -> Result<SliceState> {
    Ok(SliceState {
        closed_on: row.maybe_day()?,
        closes_at: row.maybe_instant()?,
        clock: row.maybe_instant()?,
        importing: row.take()?,
        pending_history: row.maybe_byte()?,
        restated_from: row.maybe_day()?,
        watermark: row.maybe_instant()?,
        version: row.sequence()?,
    })
}

impl port::Scoring for Scoring {
    fn commit(&self, commit: ScoringCommit) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.store(&commit).await })
    }

    fn state(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceState>> {
        Box::pin(async move {
            let found = self
                .pool
                .system(
                    "reading the state of a slice",
                    STATE,
                    &[&rows::tenant(tenant), &rows::slice(slice)],
                )
                .await?;
            Ok(decode::first(&found, "state of a slice", slice_state)?.unwrap_or_default())
        })
    }

    fn states(&self) -> BoxFuture<'_, Result<Vec<(TenantId, Slice, SliceState)>>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading the states of slices", STATES, &[])
                .await?;
            decode::all(&found, "state of a slice", |row| {
                Ok((row.tenant()?, row.slice()?, slice_state(row)?))
            })
        })
    }

    fn months(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MonthRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .read(
                    tenant,
                    "reading roll-ups",
                    MONTHS,
                    &[&rows::tenant(tenant), &rows::slice(slice)],
                )
                .await?;
            decode::all(&found, "roll-up", |row| {
                Ok(MonthRow {
                    uid: row.uid()?,
                    month: row.take()?,
                    cells: row.take()?,
                })
            })
        })
    }

    fn models(
        &self,
        tenant: TenantId,
        before: Option<Day>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ModelRow>>> {
        Box::pin(async move {
            let (tenant_id, before, limit) = (
                rows::tenant(tenant),
                before.map(|day| day.0),
                rows::limit(limit),
            );
            let found = self
                .pool
                .read(
                    tenant,
                    "reading models",
                    MODELS,
                    &[&tenant_id, &before, &limit],
                )
                .await?;
            decode::all(&found, "model", |row| {
                Ok(ModelRow {
                    closed_on: Day(row.take()?),
                    known_at: row.instant()?,
                    models: row.take()?,
                })
            })
        })
    }
}

impl port::Replica for Scoring {
    fn cursor(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<u64>> {
        Box::pin(replica::cursor(&self.pool, tenant, slice))
    }

    fn cursors(&self) -> BoxFuture<'_, Result<Vec<(TenantId, Slice, u64)>>> {
        Box::pin(replica::cursors(&self.pool))
    }

    fn accounts(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<Vec<ReplicaAccount>>> {
        Box::pin(replica::accounts(&self.pool, tenant, slice))
    }

    fn facts(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<AccountFactRow>>> {
        Box::pin(replica::facts(&self.pool, tenant, slice))
    }
}

impl port::Feed for Scoring {
    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>> {
        Box::pin(feed::heads(&self.pool))
    }

    fn heads_of(&self, tenant: TenantId) -> BoxFuture<'_, Result<SliceHeads>> {
        Box::pin(feed::heads_of(&self.pool, tenant))
    }

    fn entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<FeedEntry>>> {
        Box::pin(feed::entries(&self.pool, tenant, slice, after, limit))
    }
}
