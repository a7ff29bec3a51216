//! Definitions of segmentations.

use tokio_postgres::types::ToSql;

use sextant_domain::id::TenantId;
use sextant_store::port::{Once, SegmentationRow, Segmentations};
use sextant_store::{BoxFuture, Error, Result};

use super::Segmentation;
use crate::postgres::decode::{self, Fields};
use crate::postgres::{requests, rows};

const LOCK: &str = include_str!("../../../queries/postgres/segmentation/lock_segmentations.sql");
const ALL: &str = include_str!("../../../queries/postgres/segmentation/all.sql");
const INSERT: &str = include_str!("../../../queries/postgres/segmentation/insert.sql");

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
    })
}

impl Segmentation {
    async fn define(
        &self,
        tenant: TenantId,
        row: &SegmentationRow,
        once: Once<SegmentationRow>,
    ) -> Result<Vec<u8>> {
        let session = self.pool.session("storing a segmentation").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(answer);
        }
        let (lock, all, insert) = (
            session.prepare(LOCK).await?,
            session.prepare(ALL).await?,
            session.prepare(INSERT).await?,
        );
        let id = rows::tenant(tenant);
        session
            .query(&lock, &[&rows::lock_key(tenant, rows::Guarded::Accounts)])
            .await?;
        let found = session.query(&all, &[&id]).await?;
        let stored = decode::all(&found, "segmentation", segmentation)?;
        if stored.iter().any(|other| other.key == row.key) {
            session.rollback().await?;
            return Err(Error::AlreadyExists {
                what: format!("segmentation \"{}\"", row.key),
            });
        }
        let newest = stored.iter().map(|other| other.number).max().unwrap_or(0);
        let row = SegmentationRow {
            number: newest.saturating_add(1),
            ..row.clone()
        };
        let (number, version) = (i32::from(row.number), i64::from(row.version));
        let closed_on = row.closed_on.map(|day| day.0);
        let params: [&(dyn ToSql + Sync); 9] = [
            &id,
            &row.key,
            &number,
            &row.segmenter_id,
            &row.config,
            &version,
            &row.plugin_digest,
            &row.created_at.0,
            &closed_on,
        ];
        session.query(&insert, &params).await?;
        requests::finish(&session, &once, &row).await
    }
}

impl Segmentations for Segmentation {
    fn create<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a SegmentationRow,
        once: Once<SegmentationRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(self.define(tenant, row, once))
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
