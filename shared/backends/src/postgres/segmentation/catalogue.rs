//! Segmenters that were published.

use std::time::Duration;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_store::port::{
    CODE_CHUNK_BYTES, Catalogue, EventFilter, EventRow, Once, ReadyRow, ReplicaRow, RevisionState,
    SegmenterRow, SegmenterState, StateChange, UseRow,
};
use sextant_store::{BoxFuture, Error, Result};

use super::Segmentation;
use crate::postgres::decode::{self, Fields};
use crate::postgres::session::Session;
use crate::postgres::{requests, rows};

const INSERT: &str = include_str!("../../../queries/postgres/segmentation/segmenter_insert.sql");
const ALL: &str = include_str!("../../../queries/postgres/segmentation/segmenters.sql");
const BY_DIGEST: &str = include_str!("../../../queries/postgres/segmentation/segmenter.sql");
const HOLD: &str = include_str!("../../../queries/postgres/segmentation/segmenter_hold.sql");
const CLAIM: &str = include_str!("../../../queries/postgres/segmentation/segmenter_claim.sql");
const CHANGE: &str = include_str!("../../../queries/postgres/segmentation/segmenter_change.sql");
const INSERT_CODE: &str =
    include_str!("../../../queries/postgres/segmentation/segmenter_code_insert.sql");
const CODE: &str = include_str!("../../../queries/postgres/segmentation/segmenter_code.sql");
const LOCK_EVENTS: &str = include_str!("../../../queries/postgres/segmentation/event_lock.sql");
const NEWEST_EVENT: &str = include_str!("../../../queries/postgres/segmentation/event_newest.sql");
const INSERT_EVENT: &str = include_str!("../../../queries/postgres/segmentation/event_insert.sql");
const EVENTS: &str = include_str!("../../../queries/postgres/segmentation/events.sql");
const USES: &str = include_str!("../../../queries/postgres/segmentation/uses.sql");
const FORGET: &str = include_str!("../../../queries/postgres/segmentation/replica_forget.sql");
const INSERT_REPLICA: &str =
    include_str!("../../../queries/postgres/segmentation/replica_insert.sql");
const REPLICAS: &str = include_str!("../../../queries/postgres/segmentation/replicas.sql");

/// The installation's transactions are of the tenant that nobody is.
const NOBODY: TenantId = TenantId(0);

fn segmenter(row: &mut Fields<'_>) -> Result<SegmenterRow> {
    Ok(SegmenterRow {
        digest: row.take()?,
        segmenter_id: row.take()?,
        version: row.take()?,
        platform: row.take()?,
        state: row.state(SegmenterState::from_code)?,
        published_at: row.instant()?,
        segmenter: row.take()?,
    })
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn event(row: &mut Fields<'_>) -> Result<EventRow> {
    Ok(EventRow {
        number: row.sequence()?,
        at: row.instant()?,
        tenant: row.take::<Option<Uuid>>()?.map(|id| TenantId(id.as_u128())),
        segmenter_id: row.take()?,
        segmentation: row.take()?,
        revision: row.number::<i64, u32>()?,
        event: row.take()?,
    })
}

/// Refuses a version that was published and may not be used; another one stays as it is until the end of the transaction.
pub(super) async fn check_ready(session: &Session, digest: &str) -> Result<()> {
    let hold = session.prepare(HOLD).await?;
    let found = session.query(&hold, &[&digest]).await?;
    match decode::first(&found, "segmenter", segmenter)? {
        Some(found) if found.state != SegmenterState::Ready => {
            session.rollback().await?;
            Err(found.not_ready())
        },
        _ready_or_built_in => Ok(()),
    }
}

/// Writes an event as the next one. Whoever comes after it waits for the end of the transaction, so what is read of the journal has
/// no gap that is filled later.
pub(super) async fn tell(session: &Session, event: &EventRow) -> Result<()> {
    let (lock, insert) = (
        session.prepare(LOCK_EVENTS).await?,
        session.prepare(INSERT_EVENT).await?,
    );
    let (tenant, revision) = (event.tenant.map(rows::tenant), i64::from(event.revision));
    session.query(&lock, &[]).await?;
    let params: [&(dyn ToSql + Sync); 6] = [
        &event.at.0,
        &tenant,
        &event.segmenter_id,
        &event.segmentation,
        &revision,
        &event.event,
    ];
    session.execute(&insert, &params).await.map(|_rows| ())
}

impl Segmentation {
    async fn publish_segmenter(
        &self,
        row: SegmenterRow,
        code: Vec<u8>,
        event: EventRow,
    ) -> Result<bool> {
        let session = self.pool.session("publishing a segmenter").await?;
        let (insert, by_digest, insert_code) = (
            session.prepare(INSERT).await?,
            session.prepare(BY_DIGEST).await?,
            session.prepare(INSERT_CODE).await?,
        );
        session.begin(NOBODY);
        let state = i16::from(row.state.code());
        let params: [&(dyn ToSql + Sync); 7] = [
            &row.digest,
            &row.segmenter_id,
            &row.version,
            &row.platform,
            &state,
            &row.published_at.0,
            &row.segmenter,
        ];
        if session.execute(&insert, &params).await? == 0 {
            let known = session.query(&by_digest, &[&row.digest]).await?;
            session.rollback().await?;
            if known.is_empty() {
                return Err(Error::AlreadyExists {
                    what: format!("segmenter {} {}", row.segmenter_id, row.version),
                });
            }
            return Ok(false);
        }
        for (place, chunk) in (0_i32..).zip(code.chunks(CODE_CHUNK_BYTES)) {
            session
                .execute(&insert_code, &[&row.digest, &place, &chunk])
                .await?;
        }
        tell(&session, &event).await?;
        session.commit().await?;
        Ok(true)
    }

    async fn change_segmenter(
        &self,
        change: StateChange,
        event: EventRow,
        once: Once<SegmenterRow>,
    ) -> Result<Option<Vec<u8>>> {
        let session = self.pool.session("changing a segmenter").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(Some(answer));
        }
        let (claim, statement) = (
            session.prepare(CLAIM).await?,
            session.prepare(CHANGE).await?,
        );
        // Whoever puts it to use at this time is waited for: the next statement sees what has come of it.
        session.query(&claim, &[&change.digest]).await?;
        let from: Vec<i16> = change
            .from
            .iter()
            .map(|state| i16::from(state.code()))
            .collect();
        let to = i16::from(change.to.code());
        let params: [&(dyn ToSql + Sync); 5] = [
            &change.digest,
            &to,
            &change.segmenter,
            &from,
            &change.only_unused,
        ];
        let changed = session.query(&statement, &params).await?;
        let Some(changed) = decode::first(&changed, "segmenter", segmenter)? else {
            session.rollback().await?;
            return Ok(None);
        };
        tell(&session, &event).await?;
        requests::finish(&session, &once, &changed).await.map(Some)
    }

    async fn note_replica(&self, replica: ReplicaRow, silent_for: Duration) -> Result<()> {
        let session = self.pool.session("noting a replica").await?;
        let (forget, insert) = (
            session.prepare(FORGET).await?,
            session.prepare(INSERT_REPLICA).await?,
        );
        let id = Uuid::from_u128(replica.replica);
        let digests = replica.ready.iter().map(|one| one.digest.as_str());
        let digests: Vec<&str> = std::iter::once("").chain(digests).collect();
        let problems = replica.ready.iter().map(|one| rows::text(&one.problem));
        let problems: Vec<_> = std::iter::once(rows::text("")).chain(problems).collect();
        session.begin(NOBODY);
        session
            .execute(&forget, &[&id, &micros(silent_for)])
            .await?;
        let params: [&(dyn ToSql + Sync); 4] = [&id, &replica.name, &digests, &problems];
        session.last(&insert, &params).await.map(|_rows| ())
    }

    async fn list_replicas(&self, within: Duration) -> Result<Vec<ReplicaRow>> {
        let found = self
            .pool
            .system("listing replicas", REPLICAS, &[&micros(within)])
            .await?;
        let mut replicas: Vec<ReplicaRow> = Vec::new();
        for row in &found {
            let mut row = Fields::of(row, "replica");
            let replica = row.id()?;
            let name = row.take()?;
            if replicas.last().is_none_or(|last| last.replica != replica) {
                replicas.push(ReplicaRow {
                    replica,
                    name,
                    ready: Vec::new(),
                });
            }
            let ready = ReadyRow {
                digest: row.take()?,
                problem: row.take()?,
            };
            if let Some(last) = replicas.last_mut().filter(|_| !ready.digest.is_empty()) {
                last.ready.push(ready);
            }
        }
        Ok(replicas)
    }
}

impl Catalogue for Segmentation {
    fn publish(
        &self,
        row: SegmenterRow,
        code: Vec<u8>,
        event: EventRow,
    ) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.publish_segmenter(row, code, event))
    }

    fn published(&self) -> BoxFuture<'_, Result<Vec<SegmenterRow>>> {
        Box::pin(async move {
            let found = self.pool.system("listing segmenters", ALL, &[]).await?;
            decode::all(&found, "segmenter", segmenter)
        })
    }

    fn code<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading a segmenter", CODE, &[&digest])
                .await?;
            let chunks = decode::all(&found, "code of a segmenter", |row| row.take::<Vec<u8>>())?;
            Ok((!chunks.is_empty()).then(|| chunks.concat()))
        })
    }

    fn change(
        &self,
        change: StateChange,
        event: EventRow,
        once: Once<SegmenterRow>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(self.change_segmenter(change, event, once))
    }

    fn tell(&self, event: EventRow) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let session = self.pool.session("telling of a segmenter").await?;
            session.begin(NOBODY);
            tell(&session, &event).await?;
            session.commit().await
        })
    }

    fn events<'a>(&'a self, filter: &'a EventFilter) -> BoxFuture<'a, Result<Vec<EventRow>>> {
        Box::pin(async move {
            let tenant = filter.tenant.map(rows::tenant);
            let (before, limit) = (rows::number(filter.before), rows::limit(filter.limit));
            let params: [&(dyn ToSql + Sync); 5] = [
                &tenant,
                &filter.segmenter_id,
                &filter.segmentation,
                &before,
                &limit,
            ];
            let found = self.pool.system("listing events", EVENTS, &params).await?;
            decode::all(&found, "event", event)
        })
    }

    fn newest_event(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading the newest event", NEWEST_EVENT, &[])
                .await?;
            let newest = decode::first(&found, "event", |row| row.sequence())?;
            Ok(newest.unwrap_or(0))
        })
    }

    fn uses(&self) -> BoxFuture<'_, Result<Vec<UseRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("listing uses of segmenters", USES, &[])
                .await?;
            decode::all(&found, "use of a segmenter", |row| {
                Ok(UseRow {
                    tenant: row.tenant()?,
                    segmentation: row.number::<i32, u16>()?,
                    revision: row.number::<i64, u32>()?,
                    state: row.state(RevisionState::from_code)?,
                    digest: row.take()?,
                })
            })
        })
    }

    fn beat(&self, replica: ReplicaRow, silent_for: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.note_replica(replica, silent_for))
    }

    fn replicas(&self, within: Duration) -> BoxFuture<'_, Result<Vec<ReplicaRow>>> {
        Box::pin(self.list_replicas(within))
    }
}
