//! Metrics' tables.

use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_store::port::{
    AccountFactRow, AllMovesProgress, MetricsCommit, MoveRow, MovesProgress, ReplicaAccount,
    ReplicaCommit,
};
use sextant_store::{BoxFuture, Error, Result, port};

use super::decode::Fields;
use super::pool::{Config, ConnectError, Pool};
use super::session::Session;
use super::{Service, decode, replica, rows};

const START_CURSOR: &str = include_str!("../../queries/postgres/metrics/start_cursor.sql");
const MOVE_CURSOR: &str = include_str!("../../queries/postgres/metrics/move_cursor.sql");
const START_MOVE_CURSOR: &str =
    include_str!("../../queries/postgres/metrics/start_move_cursor.sql");
const MOVE_MOVE_CURSOR: &str = include_str!("../../queries/postgres/metrics/move_move_cursor.sql");
const INSERT_MOVES: &str = include_str!("../../queries/postgres/metrics/insert_moves.sql");
const MOVES_CURSOR: &str = include_str!("../../queries/postgres/metrics/moves_cursor.sql");
const MOVES_CURSORS: &str = include_str!("../../queries/postgres/metrics/moves_cursors.sql");
const MOVES: &str = include_str!("../../queries/postgres/metrics/moves.sql");

/// The store of metrics: the ports `Metrics` and `Replica`.
#[derive(Debug, Clone)]
pub struct Metrics {
    pool: Pool,
}

impl Metrics {
    /// Connects and checks the version of the schema.
    ///
    /// # Errors
    /// The database does not answer, or its schema has another version.
    pub async fn connect(config: &Config) -> std::result::Result<Self, ConnectError> {
        Ok(Self {
            pool: Pool::connect(config, Service::Metrics).await?,
        })
    }

    async fn store_facts(&self, commit: &ReplicaCommit) -> Result<()> {
        let session = self.pool.session("committing facts").await?;
        session.begin(commit.tenant);
        let (tenant, slice) = (rows::tenant(commit.tenant), rows::slice(commit.slice));
        let (position, expected) = (
            rows::number(commit.cursor),
            rows::number(commit.expected_cursor),
        );
        let moved = if expected == 0 {
            let statement = session.prepare(START_CURSOR).await?;
            session
                .execute(&statement, &[&tenant, &slice, &position])
                .await?
        } else {
            let statement = session.prepare(MOVE_CURSOR).await?;
            session
                .execute(&statement, &[&tenant, &slice, &position, &expected])
                .await?
        };
        if moved == 0 {
            session.rollback().await?;
            return Err(Error::Fenced);
        }
        replica::put(&session, commit).await?;
        session.commit().await
    }

    async fn store_moves(
        &self,
        (tenant, slice): (TenantId, Slice),
        expected_cursor: u64,
        progress: &MovesProgress,
        moves: &[MoveRow],
    ) -> Result<()> {
        let session = self.pool.session("committing moves").await?;
        session.begin(tenant);
        let (tenant, slice) = (rows::tenant(tenant), rows::slice(slice));
        let (position, expected) = (rows::number(progress.cursor), rows::number(expected_cursor));
        let (facts, behind) = (
            rows::number(progress.facts_sequence),
            progress.behind_as_text(),
        );
        let moved = if expected == 0 {
            let statement = session.prepare(START_MOVE_CURSOR).await?;
            session
                .execute(&statement, &[&tenant, &slice, &position, &facts, &behind])
                .await?
        } else {
            let statement = session.prepare(MOVE_MOVE_CURSOR).await?;
            session
                .execute(
                    &statement,
                    &[&tenant, &slice, &position, &facts, &behind, &expected],
                )
                .await?
        };
        if moved == 0 {
            session.rollback().await?;
            return Err(Error::Fenced);
        }
        insert_moves(&session, (tenant, slice), moves).await?;
        session.commit().await
    }
}

async fn insert_moves(
    session: &Session,
    (tenant, slice): (Uuid, i32),
    moves: &[MoveRow],
) -> Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let uids: Vec<Uuid> = moves.iter().map(|row| Uuid::from_u128(row.uid.0)).collect();
    let segmentations: Vec<&str> = moves.iter().map(|row| row.segmentation.as_str()).collect();
    let segments: Vec<&str> = moves.iter().map(|row| row.segment.as_str()).collect();
    let at: Vec<i64> = moves.iter().map(|row| row.at.0).collect();
    let known: Vec<i64> = moves.iter().map(|row| row.known_at.0).collect();
    let statement = session.prepare(INSERT_MOVES).await?;
    session
        .query(
            &statement,
            &[
                &tenant,
                &slice,
                &uids,
                &segmentations,
                &segments,
                &at,
                &known,
            ],
        )
        .await?;
    Ok(())
}

fn progress(row: &mut Fields<'_>) -> Result<MovesProgress> {
    Ok(MovesProgress {
        cursor: row.sequence()?,
        facts_sequence: row.sequence()?,
        behind: MovesProgress::behind_from_text(row.take()?),
    })
}

impl port::Metrics for Metrics {
    fn commit(&self, commit: MetricsCommit) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            match commit {
                MetricsCommit::Facts(commit) => self.store_facts(&commit).await,
                MetricsCommit::Moves {
                    tenant,
                    slice,
                    expected_cursor,
                    progress,
                    moves,
                } => {
                    self.store_moves((tenant, slice), expected_cursor, &progress, &moves)
                        .await
                },
            }
        })
    }

    fn moves_progress(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<MovesProgress>> {
        Box::pin(async move {
            let found = self
                .pool
                .system(
                    "reading a cursor",
                    MOVES_CURSOR,
                    &[&rows::tenant(tenant), &rows::slice(slice)],
                )
                .await?;
            Ok(decode::first(&found, "cursor", progress)?.unwrap_or_default())
        })
    }

    fn all_moves_progress(&self) -> BoxFuture<'_, Result<AllMovesProgress>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading cursors", MOVES_CURSORS, &[])
                .await?;
            decode::all(&found, "cursor", |row| {
                Ok((row.tenant()?, row.slice()?, progress(row)?))
            })
        })
    }

    fn moves(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MoveRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .read(
                    tenant,
                    "reading moves",
                    MOVES,
                    &[&rows::tenant(tenant), &rows::slice(slice)],
                )
                .await?;
            decode::all(&found, "move", |row| {
                Ok(MoveRow {
                    uid: row.uid()?,
                    segmentation: row.take()?,
                    segment: row.take()?,
                    at: row.instant()?,
                    known_at: row.instant()?,
                })
            })
        })
    }
}

impl port::Replica for Metrics {
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
