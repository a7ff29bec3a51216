use rusqlite::{Connection, OptionalExtension, Row, params};

use sextant_domain::id::TenantId;

use crate::embedded::failure::Work;
use crate::embedded::requests;
use crate::embedded::segmentation::{Segmentation, catalogue};
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, rows};
use crate::port::{
    Activation, CODE_CHUNK_BYTES, EventRow, Once, Request, RevisionRow, RevisionState,
    SegmentationRow, Segmentations,
};
use crate::{BoxFuture, Error, Result};

impl Segmentations for Segmentation {
    fn create<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a SegmentationRow,
        first: &'a RevisionRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        let (row, first) = (row.clone(), first.clone());
        self.file
            .write("creating a segmentation", move |connection| {
                create(connection, tenant, (row, first), &once)
            })
    }

    fn propose<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a RevisionRow,
        event: EventRow,
        once: Once<RevisionRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        let row = row.clone();
        self.file.write("proposing a revision", move |connection| {
            propose(connection, tenant, row, &event, &once)
        })
    }

    fn activate<'a>(
        &'a self,
        tenant: TenantId,
        activation: &'a Activation,
        event: EventRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        let activation = activation.clone();
        self.file.write("activating a revision", move |connection| {
            activate(connection, tenant, &activation, &event, &once)
        })
    }

    fn keep_shadow(
        &self,
        tenant: TenantId,
        segmentation: u16,
        revision: u32,
        shadow: Vec<u8>,
    ) -> BoxFuture<'_, Result<()>> {
        self.file.write("keeping a shadow", move |connection| {
            connection
                .prepare_cached(sql!("segmentation/revision_keep_shadow"))?
                .execute(params![id(tenant.0), segmentation, revision, shadow])?;
            Ok(())
        })
    }

    fn revisions(
        &self,
        tenant: TenantId,
        segmentation: u16,
        before: u32,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RevisionRow>>> {
        self.file.read("listing revisions", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/revision_list"))?;
            let bound = params![id(tenant.0), segmentation, before, rows(limit)];
            let revisions = list.query_map(bound, revision_row)?;
            Ok(revisions.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn answered<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        let request = request.clone();
        self.file.read("looking for an answer", move |connection| {
            requests::answer_to(connection, &request)
        })
    }

    fn keep_state<'a>(
        &'a self,
        tenant: TenantId,
        digest: &'a str,
        state: Vec<u8>,
    ) -> BoxFuture<'a, Result<()>> {
        let digest = digest.to_owned();
        self.file.write("keeping a state", move |connection| {
            let mut insert =
                connection.prepare_cached(sql!("segmentation/segmenter_state_insert"))?;
            for (place, chunk) in (0_i64..).zip(state.chunks(CODE_CHUNK_BYTES)) {
                insert.execute(params![id(tenant.0), digest, place, chunk])?;
            }
            Ok(())
        })
    }

    fn state<'a>(
        &'a self,
        tenant: TenantId,
        digest: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        let digest = digest.to_owned();
        self.file.read("reading a state", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/segmenter_state_list"))?;
            let bound = params![id(tenant.0), digest];
            let chunks = list.query_map(bound, |row| row.get::<_, Vec<u8>>(0))?;
            let chunks = chunks.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((!chunks.is_empty()).then(|| chunks.concat()))
        })
    }

    fn all(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<SegmentationRow>>> {
        self.file.read("listing segmentations", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/segmentation_list"))?;
            let segmentations = list.query_map(params![id(tenant.0)], segmentation_row)?;
            Ok(segmentations.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn create(
    connection: &Connection,
    tenant: TenantId,
    (asked, first): (SegmentationRow, RevisionRow),
    once: &Once<SegmentationRow>,
) -> Work<Vec<u8>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(answer);
    }
    let tenant_id = id(tenant.0);
    let mut by_key = connection.prepare_cached(sql!("segmentation/segmentation_by_key"))?;
    if by_key.exists(params![tenant_id, asked.key])? {
        return Err(Error::AlreadyExists {
            what: format!("segmentation \"{}\"", asked.key),
        }
        .into());
    }
    catalogue::check_ready(connection, &asked.plugin_digest)?;
    let mut newest = connection.prepare_cached(sql!("segmentation/segmentation_newest_number"))?;
    let newest: u16 = newest.query_row(params![tenant_id], |row| row.get(0))?;
    let row = SegmentationRow {
        number: newest.saturating_add(1),
        ..asked
    };
    connection
        .prepare_cached(sql!("segmentation/segmentation_insert"))?
        .execute(params![
            tenant_id,
            row.key,
            row.number,
            row.segmenter_id,
            row.config,
            row.version,
            row.plugin_digest,
            row.created_at.0,
            row.closed_on.map(|day| day.0),
            row.revision,
            row.fit
        ])?;
    let first = RevisionRow {
        segmentation: row.number,
        ..first
    };
    insert_revision(connection, tenant, &first)?;
    requests::keep(connection, once, &row)
}

fn insert_revision(connection: &Connection, tenant: TenantId, row: &RevisionRow) -> Work<()> {
    connection
        .prepare_cached(sql!("segmentation/revision_insert"))?
        .execute(params![
            id(tenant.0),
            row.segmentation,
            row.revision,
            row.state.code(),
            row.segmenter_id,
            row.segmenter_version,
            row.digest,
            row.config,
            row.created_at.0,
            row.created_by,
            row.note,
            row.shadow,
            row.fit
        ])?;
    Ok(())
}

/// Revisions of a segmentation that are in a state get another one.
fn leave(
    connection: &Connection,
    tenant: TenantId,
    segmentation: u16,
    (from, to): (RevisionState, RevisionState),
) -> Work<()> {
    connection
        .prepare_cached(sql!("segmentation/revision_leave"))?
        .execute(params![id(tenant.0), segmentation, from.code(), to.code()])?;
    Ok(())
}

fn propose(
    connection: &Connection,
    tenant: TenantId,
    asked: RevisionRow,
    event: &EventRow,
    once: &Once<RevisionRow>,
) -> Work<Vec<u8>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(answer);
    }
    catalogue::check_ready(connection, &asked.digest)?;
    let mut newest = connection.prepare_cached(sql!("segmentation/revision_newest_number"))?;
    let newest: u32 =
        newest.query_row(params![id(tenant.0), asked.segmentation], |row| row.get(0))?;
    let row = RevisionRow {
        revision: newest.saturating_add(1),
        state: RevisionState::Proposed,
        ..asked
    };
    let replaced = (RevisionState::Proposed, RevisionState::Retired);
    leave(connection, tenant, row.segmentation, replaced)?;
    insert_revision(connection, tenant, &row)?;
    let event = EventRow {
        revision: row.revision,
        ..event.clone()
    };
    catalogue::tell(connection, &event)?;
    requests::keep(connection, once, &row)
}

fn activate(
    connection: &Connection,
    tenant: TenantId,
    activation: &Activation,
    event: &EventRow,
    once: &Once<SegmentationRow>,
) -> Work<Option<Vec<u8>>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(Some(answer));
    }
    let (tenant_id, segmentation) = (id(tenant.0), activation.segmentation);
    let mut find = connection.prepare_cached(sql!("segmentation/revision_find"))?;
    let revision = find
        .query_row(
            params![tenant_id, segmentation, activation.revision],
            revision_row,
        )
        .optional()?;
    let revision = revision.filter(|revision| revision.state == activation.from_state);
    let mut by_number = connection.prepare_cached(sql!("segmentation/segmentation_by_number"))?;
    let before = by_number
        .query_row(params![tenant_id, segmentation], segmentation_row)
        .optional()?;
    let before = before.filter(|before| before.version == activation.from_version);
    let (Some(revision), Some(before)) = (revision, before) else {
        return Ok(None);
    };
    if activation.is_overtaken(&revision) {
        return Err(Error::Fenced.into());
    }
    catalogue::check_ready(connection, &revision.digest)?;
    let forgotten = (RevisionState::Previous, RevisionState::Retired);
    leave(connection, tenant, segmentation, forgotten)?;
    let left = (RevisionState::Active, activation.leaves);
    leave(connection, tenant, segmentation, left)?;
    connection
        .prepare_cached(sql!("segmentation/revision_enter"))?
        .execute(params![
            tenant_id,
            segmentation,
            revision.revision,
            RevisionState::Active.code()
        ])?;
    connection
        .prepare_cached(sql!("segmentation/segmentation_decide"))?
        .execute(params![
            tenant_id,
            segmentation,
            revision.segmenter_id,
            revision.config,
            revision.digest,
            revision.revision,
            activation.closed_on.map(|day| day.0),
            revision.fit
        ])?;
    catalogue::tell(connection, event)?;
    let row = SegmentationRow {
        segmenter_id: revision.segmenter_id,
        config: revision.config,
        version: before.version.saturating_add(1),
        plugin_digest: revision.digest,
        fit: revision.fit,
        revision: revision.revision,
        closed_on: activation.closed_on,
        ..before
    };
    requests::keep(connection, once, &row).map(Some)
}

fn segmentation_row(row: &Row<'_>) -> rusqlite::Result<SegmentationRow> {
    Ok(SegmentationRow {
        key: row.get(0)?,
        number: row.get(1)?,
        segmenter_id: row.get(2)?,
        config: row.get(3)?,
        version: row.get(4)?,
        plugin_digest: row.get(5)?,
        created_at: row.instant(6)?,
        closed_on: row.day_or_none(7)?,
        revision: row.get(8)?,
        fit: row.get(9)?,
    })
}

fn revision_row(row: &Row<'_>) -> rusqlite::Result<RevisionRow> {
    Ok(RevisionRow {
        segmentation: row.get(0)?,
        revision: row.get(1)?,
        state: row.state(2, RevisionState::from_code)?,
        segmenter_id: row.get(3)?,
        segmenter_version: row.get(4)?,
        digest: row.get(5)?,
        config: row.get(6)?,
        created_at: row.instant(7)?,
        created_by: row.get(8)?,
        note: row.get(9)?,
        shadow: row.get(10)?,
        fit: row.get(11)?,
    })
}
