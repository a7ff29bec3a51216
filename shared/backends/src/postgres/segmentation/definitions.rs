//! Definitions of segmentations.

use tokio_postgres::types::ToSql;

use sextant_domain::id::TenantId;
use sextant_store::port::{SegmentationRow, Segmentations};
use sextant_store::{BoxFuture, Error, Result};

use super::Segmentation;
use crate::postgres::decode::{self, Fields};
use crate::postgres::rows;

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
    })
}

/// What a caller states; the rest is given anew with each attempt.
fn same_parameters(left: &SegmentationRow, right: &SegmentationRow) -> bool {
    left.key == right.key && left.segmenter_id == right.segmenter_id && left.config == right.config
}

impl Segmentation {
    async fn define(
        &self,
        tenant: TenantId,
        row: &SegmentationRow,
        request_id: &str,
    ) -> Result<SegmentationRow> {
        let session = self.pool.session("storing a segmentation").await?;
        session.begin(tenant);
        let (lock, all, insert) = (
            session.prepare(LOCK).await?,
            session.prepare(ALL).await?,
            session.prepare(INSERT).await?,
        );
        let id = rows::tenant(tenant);
        session.query(&lock, &[&rows::lock_key(tenant)]).await?;
        let found = session.query(&all, &[&id]).await?;
        let stored = decode::all(&found, "segmentation", |row| {
            Ok((segmentation(row)?, row.take::<String>()?))
        })?;
        if let Some((same_request, _)) = stored.iter().find(|(_, request)| request == request_id) {
            session.commit().await?;
            return if same_parameters(same_request, row) {
                Ok(same_request.clone())
            } else {
                Err(Error::RequestIdReused)
            };
        }
        if stored.iter().any(|(other, _)| other.key == row.key) {
            session.commit().await?;
            return Err(Error::AlreadyExists {
                what: format!("segmentation \"{}\"", row.key),
            });
        }
        let newest = stored
            .iter()
            .map(|(other, _)| other.number)
            .max()
            .unwrap_or(0);
        let row = SegmentationRow {
            number: newest.saturating_add(1),
            ..row.clone()
        };
        let (number, version) = (i32::from(row.number), i64::from(row.version));
        let params: [&(dyn ToSql + Sync); 9] = [
            &id,
            &row.key,
            &number,
            &row.segmenter_id,
            &row.config,
            &version,
            &row.plugin_digest,
            &row.created_at.0,
            &request_id,
        ];
        session.last(&insert, &params).await?;
        Ok(row)
    }
}

impl Segmentations for Segmentation {
    fn create<'a>(
        &'a self,
        tenant: TenantId,
        row: &'a SegmentationRow,
        request_id: &'a str,
    ) -> BoxFuture<'a, Result<SegmentationRow>> {
        Box::pin(self.define(tenant, row, request_id))
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
