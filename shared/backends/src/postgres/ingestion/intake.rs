//! What has come in: the feed of facts, refusals, what is held, counts.

use std::collections::HashMap;

use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::source::HourCount;
use sextant_domain::time::Instant;
use sextant_store::port::{
    FactAddress, FactEntry, HeldRow, Intake, Page, RejectionFilter, RejectionRow, SourceRow,
    StoredFact, Trace,
};
use sextant_store::{BoxFuture, Result};

use super::Ingestion;
use super::tenants::import_of;
use crate::postgres::decode::{self, Fields};
use crate::postgres::rows;

const READ_FEED: &str = include_str!("../../../queries/postgres/ingestion/read_feed.sql");
const READ_FACTS: &str = include_str!("../../../queries/postgres/ingestion/read_facts.sql");
const REJECTIONS: &str = include_str!("../../../queries/postgres/ingestion/rejections.sql");
const REJECTIONS_BY_ORDINAL: &str =
    include_str!("../../../queries/postgres/ingestion/rejections_by_ordinal.sql");
const REMOVE_REJECTIONS: &str =
    include_str!("../../../queries/postgres/ingestion/remove_rejections.sql");
const HELD: &str = include_str!("../../../queries/postgres/ingestion/held.sql");
const SOURCES: &str = include_str!("../../../queries/postgres/ingestion/sources.sql");

/// Entries that are looked at in one call.
const MAX_ENTRIES: usize = 1_000;

/// A feed entry before its facts are read.
struct Announced {
    sequence: u64,
    recorded_at: Instant,
    batch: Option<Batch>,
    import: Option<i16>,
    clock: Option<Instant>,
    trace: Option<Trace>,
}

/// Where the facts of an entry are.
#[derive(Clone, Copy)]
struct Batch {
    id: Uuid,
    first_at: i64,
    last_at: i64,
    record_bytes: usize,
}

fn announced(row: &mut Fields<'_>) -> Result<Announced> {
    let (sequence, recorded_at) = (row.sequence()?, row.instant()?);
    let (id, first_at, last_at) = (
        row.take::<Option<Uuid>>()?,
        row.take::<Option<i64>>()?,
        row.take::<Option<i64>>()?,
    );
    let record_bytes = row.number::<i64, usize>()?;
    let batch = id
        .zip(first_at)
        .zip(last_at)
        .map(|((id, first_at), last_at)| Batch {
            id,
            first_at,
            last_at,
            record_bytes,
        });
    Ok(Announced {
        sequence,
        recorded_at,
        batch,
        import: row.take()?,
        clock: row.maybe_instant()?,
        trace: trace(row.take()?),
    })
}

/// Anything else than a trace and a span is none.
fn trace(stored: Option<&[u8]>) -> Option<Trace> {
    stored.and_then(|bytes| bytes.try_into().ok())
}

/// The leading entries up to the one that passes `max_bytes`.
fn within(mut entries: Vec<Announced>, max_bytes: usize) -> Vec<Announced> {
    let mut bytes = 0_usize;
    let end = entries.iter().position(|entry| {
        bytes = bytes.saturating_add(entry.batch.map_or(0, |batch| batch.record_bytes));
        bytes > max_bytes
    });
    if let Some(last) = end {
        entries.truncate(last + 1);
    }
    entries
}

fn rejection(row: &mut Fields<'_>) -> Result<RejectionRow> {
    Ok(RejectionRow {
        ordinal: row.sequence()?,
        field: row.take()?,
        reason: row.take()?,
        hint: row.take()?,
        record: row.take()?,
        received_at: row.instant()?,
    })
}

impl Ingestion {
    async fn read_entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<FactEntry>> {
        let (opened, limits) = (self.pool.opened(), (MAX_ENTRIES, max_bytes));
        let recent = self.recent.read(opened, (tenant, slice), after, limits);
        if !recent.is_empty() {
            return Ok(recent);
        }
        let params = (
            rows::tenant(tenant),
            rows::slice(slice),
            rows::number(after),
            rows::limit(MAX_ENTRIES),
        );
        let found = self
            .pool
            .read(
                tenant,
                "reading the feed",
                READ_FEED,
                &[&params.0, &params.1, &params.2, &params.3],
            )
            .await?;
        let entries = within(decode::all(&found, "feed entry", announced)?, max_bytes);
        let batches: Vec<Batch> = entries.iter().filter_map(|entry| entry.batch).collect();
        let mut facts = self.read_facts(tenant, slice, &batches).await?;
        Ok(entries
            .into_iter()
            .map(|entry| FactEntry {
                sequence: entry.sequence,
                recorded_at: entry.recorded_at,
                facts: entry
                    .batch
                    .and_then(|batch| facts.remove(&batch.id))
                    .unwrap_or_default(),
                first: entry.batch.map(|batch| FactAddress {
                    batch_id: batch.id.as_u128(),
                    ordinal: 0,
                }),
                import: entry.import.map(import_of),
                clock: entry.clock,
                trace: entry.trace,
            })
            .collect())
    }

    /// The facts of batches in a slice, by batch, in the order in which they were stored.
    async fn read_facts(
        &self,
        tenant: TenantId,
        slice: Slice,
        batches: &[Batch],
    ) -> Result<HashMap<Uuid, Vec<StoredFact>>> {
        let bounds = (
            batches.iter().map(|batch| batch.first_at).min(),
            batches.iter().map(|batch| batch.last_at).max(),
        );
        let (Some(first_at), Some(last_at)) = bounds else {
            return Ok(HashMap::new());
        };
        let ids: Vec<Uuid> = batches.iter().map(|batch| batch.id).collect();
        let (tenant_id, slice) = (rows::tenant(tenant), rows::slice(slice));
        let found = self
            .pool
            .read(
                tenant,
                "reading facts of the feed",
                READ_FACTS,
                &[&tenant_id, &ids, &slice, &first_at, &last_at],
            )
            .await?;
        let mut facts: HashMap<Uuid, Vec<StoredFact>> = HashMap::new();
        for row in &found {
            let mut row = Fields::of(row, "fact");
            facts
                .entry(row.take()?)
                .or_default()
                .push(stored_fact(&mut row)?);
        }
        Ok(facts)
    }
}

fn stored_fact(row: &mut Fields<'_>) -> Result<StoredFact> {
    Ok(StoredFact {
        uid: row
            .take::<Option<Uuid>>()?
            .map(|uid| sextant_domain::id::AccountUid(uid.as_u128())),
        kind: row.kind()?,
        occurred_at: row.instant()?,
        known_at: row.instant()?,
        historical: row.take()?,
        record: row.take()?,
    })
}

impl Intake for Ingestion {
    fn fact_entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<FactEntry>>> {
        Box::pin(self.read_entries(tenant, slice, after, max_bytes))
    }

    fn rejections<'a>(
        &'a self,
        tenant: TenantId,
        filter: &'a RejectionFilter,
        before: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RejectionRow>>> {
        Box::pin(async move {
            let (before, limit) = (before.map_or(i64::MAX, rows::number), rows::limit(limit));
            let source = filter.source.as_deref().map(rows::text);
            let reason = filter.reason.as_deref().map(rows::text);
            let found = self
                .pool
                .read(
                    tenant,
                    "listing rejections",
                    REJECTIONS,
                    &[&rows::tenant(tenant), &before, &limit, &source, &reason],
                )
                .await?;
            decode::all(&found, "rejection", rejection)
        })
    }

    fn rejections_by<'a>(
        &'a self,
        tenant: TenantId,
        ordinals: &'a [u64],
    ) -> BoxFuture<'a, Result<Vec<RejectionRow>>> {
        Box::pin(async move {
            let ordinals: Vec<i64> = ordinals.iter().map(|one| rows::number(*one)).collect();
            let found = self
                .pool
                .read(
                    tenant,
                    "reading rejections",
                    REJECTIONS_BY_ORDINAL,
                    &[&rows::tenant(tenant), &ordinals],
                )
                .await?;
            decode::all(&found, "rejection", rejection)
        })
    }

    fn remove_rejections<'a>(
        &'a self,
        tenant: TenantId,
        ordinals: &'a [u64],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let ordinals: Vec<i64> = ordinals.iter().map(|one| rows::number(*one)).collect();
            let session = self.pool.session("removing rejections").await?;
            session.begin(tenant);
            let remove = session.prepare(REMOVE_REJECTIONS).await?;
            session
                .execute(&remove, &[&rows::tenant(tenant), &ordinals])
                .await?;
            session.commit().await
        })
    }

    fn held(
        &self,
        tenant: TenantId,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<HeldRow>>> {
        Box::pin(async move {
            let (after, limit) = (rows::number(after), rows::limit(limit));
            let found = self
                .pool
                .read(
                    tenant,
                    "listing held records",
                    HELD,
                    &[&rows::tenant(tenant), &after, &limit],
                )
                .await?;
            decode::all(&found, "held record", |row| {
                Ok(HeldRow {
                    ordinal: row.sequence()?,
                    account: row.account_key()?,
                    record: row.take()?,
                    received_at: row.instant()?,
                })
            })
        })
    }

    fn sources<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<SourceRow>>> {
        Box::pin(async move {
            let after = page.after.as_deref().map(rows::text);
            let (tenant_id, limit) = (rows::tenant(tenant), rows::limit(page.limit));
            let found = self
                .pool
                .read(
                    tenant,
                    "listing sources",
                    SOURCES,
                    &[&tenant_id, &after, &limit],
                )
                .await?;
            decode::all(&found, "source", source)
        })
    }
}

fn source(row: &mut Fields<'_>) -> Result<SourceRow> {
    let mut source = SourceRow {
        source: row.take()?,
        accepted: row.sequence()?,
        duplicate: row.sequence()?,
        conflict: row.sequence()?,
        held: row.sequence()?,
        rejected: row.sequence()?,
        last_received_at: row.instant()?,
        watermark: row.maybe_instant()?,
        hours: Vec::new(),
    };
    let (hours, records) = (row.take::<Vec<i32>>()?, row.take::<Vec<i64>>()?);
    for (hour, n_records) in hours.into_iter().zip(records) {
        source.hours.push(HourCount {
            hour,
            n_records: n_records.unsigned_abs(),
        });
    }
    Ok(source)
}
