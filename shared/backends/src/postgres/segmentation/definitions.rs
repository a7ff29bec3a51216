//! Definitions of segmentations, and what they are decided by.

use tokio_postgres::types::ToSql;

use sextant_domain::id::TenantId;
use sextant_store::port::{
    Activation, CODE_CHUNK_BYTES, EventRow, Once, Request, RevisionRow, RevisionState,
    SegmentationRow, Segmentations,
};
use sextant_store::{BoxFuture, Error, Result};

use super::{Segmentation, catalogue};
use crate::postgres::decode::{self, Fields};
use crate::postgres::session::Session;
use crate::postgres::{requests, rows};

const LOCK: &str = include_str!("../../../queries/postgres/segmentation/lock_segmentations.sql");
const ALL: &str = include_str!("../../../queries/postgres/segmentation/all.sql");
const INSERT: &str = include_str!("../../../queries/postgres/segmentation/insert.sql");
const DECIDE: &str = include_str!("../../../queries/postgres/segmentation/decide.sql");
const INSERT_REVISION: &str =
    include_str!("../../../queries/postgres/segmentation/revision_insert.sql");
const NEWEST: &str = include_str!("../../../queries/postgres/segmentation/revision_newest.sql");
const REVISIONS: &str = include_str!("../../../queries/postgres/segmentation/revisions.sql");
const CLAIM: &str = include_str!("../../../queries/postgres/segmentation/revision_claim.sql");
const LEAVE: &str = include_str!("../../../queries/postgres/segmentation/revision_leave.sql");
const ENTER: &str = include_str!("../../../queries/postgres/segmentation/revision_enter.sql");
const KEEP_SHADOW: &str =
    include_str!("../../../queries/postgres/segmentation/revision_keep_shadow.sql");
const INSERT_STATE: &str = include_str!("../../../queries/postgres/segmentation/state_insert.sql");
const STATE: &str = include_str!("../../../queries/postgres/segmentation/state.sql");
const CLEAR_USES: &str = include_str!("../../../queries/postgres/segmentation/uses_clear.sql");
const NOTE_USES: &str = include_str!("../../../queries/postgres/segmentation/uses_note.sql");

fn segmentation(row: &mut Fields<'_>) -> Result<SegmentationRow> {
    Ok(SegmentationRow {
        key: row.take()?,
        number: row.number::<i32, u16>()?,
        segmenter_id: row.take()?,
        config: row.take()?,
        version: row.number::<i64, u32>()?,
        plugin_digest: row.take()?,
        created_at: row.instant()?,
        closed_on: row.maybe_day()?,
        revision: row.number::<i64, u32>()?,
        fit: row.take()?,
    })
}

fn revision(row: &mut Fields<'_>) -> Result<RevisionRow> {
    Ok(RevisionRow {
        segmentation: row.number::<i32, u16>()?,
        revision: row.number::<i64, u32>()?,
        state: row.state(RevisionState::from_code)?,
        segmenter_id: row.take()?,
        segmenter_version: row.take()?,
        digest: row.take()?,
        config: row.take()?,
        created_at: row.instant()?,
        created_by: row.take()?,
        note: row.take()?,
        shadow: row.take()?,
        fit: row.take()?,
    })
}

async fn lock(session: &Session, tenant: TenantId) -> Result<()> {
    let lock = session.prepare(LOCK).await?;
    let key = rows::lock_key(tenant, rows::Guarded::Accounts);
    session.query(&lock, &[&key]).await.map(|_locked| ())
}

async fn insert_revision(session: &Session, tenant: TenantId, row: &RevisionRow) -> Result<()> {
    let statement = session.prepare(INSERT_REVISION).await?;
    let (id, segmentation) = (rows::tenant(tenant), i32::from(row.segmentation));
    let (revision, state) = (i64::from(row.revision), i16::from(row.state.code()));
    let (config, note) = (rows::text(&row.config), rows::text(&row.note));
    let params: [&(dyn ToSql + Sync); 13] = [
        &id,
        &segmentation,
        &revision,
        &state,
        &row.segmenter_id,
        &row.segmenter_version,
        &row.digest,
        &config,
        &row.created_at.0,
        &row.created_by,
        &note,
        &row.shadow,
        &row.fit,
    ];
    session.execute(&statement, &params).await.map(|_rows| ())
}

/// Revisions of a segmentation that are in a state get another one.
async fn leave(
    session: &Session,
    (tenant, segmentation): (TenantId, u16),
    (from, to): (RevisionState, RevisionState),
) -> Result<()> {
    let statement = session.prepare(LEAVE).await?;
    let (from, to) = (i16::from(from.code()), i16::from(to.code()));
    let (tenant, segmentation) = (rows::tenant(tenant), i32::from(segmentation));
    let params: [&(dyn ToSql + Sync); 4] = [&tenant, &segmentation, &from, &to];
    session.execute(&statement, &params).await.map(|_rows| ())
}

/// Notes for all who have to load them of which segmenters the revisions of a segmentation are.
async fn note_uses(session: &Session, tenant: TenantId, segmentation: u16) -> Result<()> {
    let (tenant, segmentation) = (rows::tenant(tenant), i32::from(segmentation));
    for statement in [CLEAR_USES, NOTE_USES] {
        let statement = session.prepare(statement).await?;
        session
            .execute(&statement, &[&tenant, &segmentation])
            .await?;
    }
    Ok(())
}

impl Segmentation {
    async fn define(
        &self,
        tenant: TenantId,
        (row, first): (&SegmentationRow, &RevisionRow),
        once: Once<SegmentationRow>,
    ) -> Result<Vec<u8>> {
        let session = self.pool.session("storing a segmentation").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(answer);
        }
        let (all, insert) = (session.prepare(ALL).await?, session.prepare(INSERT).await?);
        let id = rows::tenant(tenant);
        lock(&session, tenant).await?;
        let found = session.query(&all, &[&id]).await?;
        let stored = decode::all(&found, "segmentation", segmentation)?;
        if stored.iter().any(|other| other.key == row.key) {
            session.rollback().await?;
            return Err(Error::AlreadyExists {
                what: format!("segmentation \"{}\"", row.key),
            });
        }
        catalogue::check_ready(&session, &row.plugin_digest).await?;
        let newest = stored.iter().map(|other| other.number).max().unwrap_or(0);
        let row = SegmentationRow {
            number: newest.saturating_add(1),
            ..row.clone()
        };
        let (number, version) = (i32::from(row.number), i64::from(row.version));
        let (closed_on, revision) = (row.closed_on.map(|day| day.0), i64::from(row.revision));
        let params: [&(dyn ToSql + Sync); 11] = [
            &id,
            &row.key,
            &number,
            &row.segmenter_id,
            &row.config,
            &version,
            &row.plugin_digest,
            &row.created_at.0,
            &closed_on,
            &revision,
            &row.fit,
        ];
        session.query(&insert, &params).await?;
        let first = RevisionRow {
            segmentation: row.number,
            ..first.clone()
        };
        insert_revision(&session, tenant, &first).await?;
        note_uses(&session, tenant, row.number).await?;
        requests::finish(&session, &once, &row).await
    }

    async fn propose_revision(
        &self,
        tenant: TenantId,
        asked: &RevisionRow,
        event: EventRow,
        once: Once<RevisionRow>,
    ) -> Result<Vec<u8>> {
        let session = self.pool.session("proposing a revision").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(answer);
        }
        lock(&session, tenant).await?;
        catalogue::check_ready(&session, &asked.digest).await?;
        let newest = session.prepare(NEWEST).await?;
        let (id, segmentation) = (rows::tenant(tenant), i32::from(asked.segmentation));
        let found = session.query(&newest, &[&id, &segmentation]).await?;
        let newest = decode::first(&found, "revision", |row| row.number::<i64, u32>())?;
        let row = RevisionRow {
            revision: newest.unwrap_or(0).saturating_add(1),
            state: RevisionState::Proposed,
            ..asked.clone()
        };
        let of = (tenant, row.segmentation);
        let replaced = (RevisionState::Proposed, RevisionState::Retired);
        leave(&session, of, replaced).await?;
        insert_revision(&session, tenant, &row).await?;
        note_uses(&session, tenant, row.segmentation).await?;
        let event = EventRow {
            revision: row.revision,
            ..event
        };
        catalogue::tell(&session, &event).await?;
        requests::finish(&session, &once, &row).await
    }

    async fn activate_revision(
        &self,
        tenant: TenantId,
        activation: &Activation,
        event: EventRow,
        once: Once<SegmentationRow>,
    ) -> Result<Option<Vec<u8>>> {
        let session = self.pool.session("activating a revision").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(Some(answer));
        }
        lock(&session, tenant).await?;
        let (claim, decide, enter) = (
            session.prepare(CLAIM).await?,
            session.prepare(DECIDE).await?,
            session.prepare(ENTER).await?,
        );
        let (id, number) = (rows::tenant(tenant), i32::from(activation.segmentation));
        let asked = i64::from(activation.revision);
        let found = session.query(&claim, &[&id, &number, &asked]).await?;
        let found = decode::first(&found, "revision", revision)?;
        let Some(found) = found.filter(|found| found.state == activation.from_state) else {
            session.rollback().await?;
            return Ok(None);
        };
        if activation.is_overtaken(&found) {
            session.rollback().await?;
            return Err(Error::Fenced);
        }
        catalogue::check_ready(&session, &found.digest).await?;
        let (from_version, revision) = (
            i64::from(activation.from_version),
            i64::from(found.revision),
        );
        let closed_on = activation.closed_on.map(|day| day.0);
        let params: [&(dyn ToSql + Sync); 9] = [
            &id,
            &number,
            &from_version,
            &found.segmenter_id,
            &found.config,
            &found.digest,
            &revision,
            &closed_on,
            &found.fit,
        ];
        let decided = session.query(&decide, &params).await?;
        let Some(row) = decode::first(&decided, "segmentation", segmentation)? else {
            session.rollback().await?;
            return Ok(None);
        };
        let of = (tenant, activation.segmentation);
        leave(
            &session,
            of,
            (RevisionState::Previous, RevisionState::Retired),
        )
        .await?;
        leave(&session, of, (RevisionState::Active, activation.leaves)).await?;
        let active = i16::from(RevisionState::Active.code());
        session
            .execute(&enter, &[&id, &number, &revision, &active])
            .await?;
        note_uses(&session, tenant, activation.segmentation).await?;
        catalogue::tell(&session, &event).await?;
        requests::finish(&session, &once, &row).await.map(Some)
    }
}

impl Segmentations for Segmentation {
    fn create<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a SegmentationRow,
        first: &'a RevisionRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(self.define(tenant, (row, first), once))
    }

    fn propose<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a RevisionRow,
        event: EventRow,
        once: Once<RevisionRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(self.propose_revision(tenant, row, event, once))
    }

    fn activate<'a>(
        &'a self,
        tenant: TenantId,
        activation: &'a Activation,
        event: EventRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(self.activate_revision(tenant, activation, event, once))
    }

    fn keep_shadow(
        &self,
        tenant: TenantId,
        segmentation: u16,
        revision: u32,
        shadow: Vec<u8>,
    ) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let (id, number) = (rows::tenant(tenant), i32::from(segmentation));
            let revision = i64::from(revision);
            let params: [&(dyn ToSql + Sync); 4] = [&id, &number, &revision, &shadow];
            self.pool
                .read(tenant, "keeping a shadow", KEEP_SHADOW, &params)
                .await
                .map(|_rows| ())
        })
    }

    fn revisions(
        &self,
        tenant: TenantId,
        segmentation: u16,
        before: u32,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RevisionRow>>> {
        Box::pin(async move {
            let (id, number) = (rows::tenant(tenant), i32::from(segmentation));
            let (before, limit) = (i64::from(before), rows::limit(limit));
            let params: [&(dyn ToSql + Sync); 4] = [&id, &number, &before, &limit];
            let found = self
                .pool
                .read(tenant, "reading revisions", REVISIONS, &params)
                .await?;
            decode::all(&found, "revision", revision)
        })
    }

    fn answered<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(requests::answered(&self.pool, request))
    }

    fn keep_state<'a>(
        &'a self,
        tenant: TenantId,
        digest: &'a str,
        state: Vec<u8>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let session = self.pool.session("keeping a state").await?;
            let (insert, id) = (session.prepare(INSERT_STATE).await?, rows::tenant(tenant));
            session.begin(tenant);
            for (place, chunk) in (0_i32..).zip(state.chunks(CODE_CHUNK_BYTES)) {
                let params: [&(dyn ToSql + Sync); 4] = [&id, &digest, &place, &chunk];
                session.execute(&insert, &params).await?;
            }
            session.commit().await
        })
    }

    fn state<'a>(
        &'a self,
        tenant: TenantId,
        digest: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(async move {
            let params: [&(dyn ToSql + Sync); 2] = [&rows::tenant(tenant), &digest];
            let found = self
                .pool
                .read(tenant, "reading a state", STATE, &params)
                .await?;
            let chunks = decode::all(&found, "state of a segmenter", |row| row.take::<Vec<u8>>())?;
            Ok((!chunks.is_empty()).then(|| chunks.concat()))
        })
    }

    fn all(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<SegmentationRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .read(
                    tenant,
                    "reading segmentations",
                    ALL,
                    &[&rows::tenant(tenant)],
                )
                .await?;
            decode::all(&found, "segmentation", segmentation)
        })
    }
}
