use rusqlite::{Connection, Row, params};

use sextant_domain::id::TenantId;

use crate::embedded::failure::Work;
use crate::embedded::requests;
use crate::embedded::segmentation::Segmentation;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id};
use crate::port::{Once, SegmentationRow, Segmentations};
use crate::{BoxFuture, Error, Result};

impl Segmentations for Segmentation {
    fn create<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a SegmentationRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        let row = row.clone();
        self.file
            .write("creating a segmentation", move |connection| {
                create(connection, tenant, row, &once)
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
    asked: SegmentationRow,
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
            row.closed_on.map(|day| day.0)
        ])?;
    requests::keep(connection, once, &row)
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
    })
}
