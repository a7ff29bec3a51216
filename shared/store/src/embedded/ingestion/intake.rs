use rusqlite::{Connection, OptionalExtension as _, Row, params};

use sextant_domain::id::{AccountKey, AccountUid, Slice, TenantId};
use sextant_domain::source::HourCount;
use sextant_domain::time::Instant;

use crate::embedded::failure::Work;
use crate::embedded::ingestion::Ingestion;
use crate::embedded::ingestion::entry::Entry;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number, rows};
use crate::port::{
    FactAddress, FactEntry, HeldRow, Intake, Page, RejectionFilter, RejectionRow, SourceRow,
    StoredFact,
};
use crate::{BoxFuture, Error, Result};

impl Intake for Ingestion {
    fn fact_entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<FactEntry>>> {
        self.file.read("reading facts", move |connection| {
            fact_entries(connection, tenant, slice, after, max_bytes)
        })
    }

    fn rejections<'a>(
        &'a self,
        tenant: TenantId,
        filter: &'a RejectionFilter,
        before: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RejectionRow>>> {
        let RejectionFilter { source, reason } = filter.clone();
        self.file.read("listing rejections", move |connection| {
            let mut list = connection.prepare_cached(sql!("ingestion/rejection_list"))?;
            let rejections = list.query_map(
                params![
                    id(tenant.0),
                    number(before.unwrap_or(u64::MAX)),
                    rows(limit),
                    source,
                    reason
                ],
                rejection_row,
            )?;
            Ok(rejections.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn rejections_by<'a>(
        &'a self,
        tenant: TenantId,
        ordinals: &'a [u64],
    ) -> BoxFuture<'a, Result<Vec<RejectionRow>>> {
        let ordinals = ordinals.to_vec();
        self.file.read("reading rejections", move |connection| {
            let mut find = connection.prepare_cached(sql!("ingestion/rejection_find"))?;
            let mut rejections = Vec::with_capacity(ordinals.len());
            for ordinal in ordinals {
                let given = params![id(tenant.0), number(ordinal)];
                rejections.extend(find.query_row(given, rejection_row).optional()?);
            }
            Ok(rejections)
        })
    }

    fn remove_rejections<'a>(
        &'a self,
        tenant: TenantId,
        ordinals: &'a [u64],
    ) -> BoxFuture<'a, Result<()>> {
        let ordinals = ordinals.to_vec();
        self.file.write("removing rejections", move |connection| {
            let mut remove = connection.prepare_cached(sql!("ingestion/rejection_remove"))?;
            for ordinal in ordinals {
                remove.execute(params![id(tenant.0), number(ordinal)])?;
            }
            Ok(())
        })
    }

    fn held(
        &self,
        tenant: TenantId,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<HeldRow>>> {
        self.file.read("listing held records", move |connection| {
            let mut list = connection.prepare_cached(sql!("ingestion/held_list"))?;
            let held =
                list.query_map(params![id(tenant.0), number(after), rows(limit)], held_row)?;
            Ok(held.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn sources<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<SourceRow>>> {
        let Page { after, limit } = page.clone();
        self.file.read("listing sources", move |connection| {
            let tenant = id(tenant.0);
            let mut list = connection.prepare_cached(sql!("ingestion/source_list"))?;
            let mut hours = connection.prepare_cached(sql!("ingestion/source_hour_list"))?;
            let found = list.query_map(params![tenant, after, rows(limit)], source_row)?;
            let mut sources = found.collect::<rusqlite::Result<Vec<_>>>()?;
            for source in &mut sources {
                let counted = hours.query_map(params![tenant, source.source], hour_count)?;
                source.hours = counted.collect::<rusqlite::Result<_>>()?;
            }
            Ok(sources)
        })
    }
}

fn fact_entries(
    connection: &Connection,
    tenant: TenantId,
    slice: Slice,
    after: u64,
    max_bytes: usize,
) -> Work<Vec<FactEntry>> {
    let mut list = connection.prepare_cached(sql!("feed/entry_list"))?;
    let mut stored = list.query(params![id(tenant.0), slice.0, number(after), i64::MAX])?;
    let mut entries = Vec::new();
    let mut bytes = 0_usize;
    while let Some(row) = stored.next()? {
        let sequence = row.number(0)?;
        let payload = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let unreadable = || Error::Unreadable {
            what: format!("feed entry {sequence} of slice {}", slice.0),
        };
        let entry = match Entry::decode(payload).ok_or_else(unreadable)? {
            Entry::Import { recorded_at, mark } => FactEntry {
                sequence,
                recorded_at,
                facts: Vec::new(),
                first: None,
                import: Some(mark),
                clock: None,
                trace: None,
            },
            Entry::Clock { recorded_at, to } => FactEntry {
                sequence,
                recorded_at,
                facts: Vec::new(),
                first: None,
                import: None,
                clock: Some(to),
                trace: None,
            },
            Entry::Facts {
                recorded_at,
                batch_id,
                first,
                end,
                trace,
            } => {
                let facts = facts_of_entry(connection, tenant, batch_id, (first, end))?;
                FactEntry {
                    sequence,
                    recorded_at,
                    facts,
                    first: Some(FactAddress {
                        batch_id,
                        ordinal: first,
                    }),
                    import: None,
                    clock: None,
                    trace,
                }
            },
        };
        bytes += entry
            .facts
            .iter()
            .map(|fact| fact.record.len())
            .sum::<usize>();
        entries.push(entry);
        if bytes > max_bytes {
            break;
        }
    }
    Ok(entries)
}

fn facts_of_entry(
    connection: &Connection,
    tenant: TenantId,
    batch_id: u128,
    (first, end): (u32, u32),
) -> Work<Vec<StoredFact>> {
    let mut of_entry = connection.prepare_cached(sql!("ingestion/fact_of_entry"))?;
    let facts = of_entry.query_map(params![id(tenant.0), id(batch_id), first, end], |row| {
        Ok(StoredFact {
            uid: row
                .get::<_, Option<[u8; 16]>>(0)?
                .map(|bytes| AccountUid(u128::from_be_bytes(bytes))),
            kind: row.kind(1)?,
            occurred_at: row.instant(2)?,
            known_at: row.instant(3)?,
            historical: row.get(4)?,
            record: row.get(5)?,
        })
    })?;
    Ok(facts.collect::<rusqlite::Result<_>>()?)
}

fn rejection_row(row: &Row<'_>) -> rusqlite::Result<RejectionRow> {
    Ok(RejectionRow {
        ordinal: row.number(0)?,
        field: row.get(1)?,
        reason: row.get(2)?,
        hint: row.get(3)?,
        record: row.get(4)?,
        received_at: row.instant(5)?,
    })
}

fn held_row(row: &Row<'_>) -> rusqlite::Result<HeldRow> {
    Ok(HeldRow {
        ordinal: row.number(0)?,
        account: AccountKey::stored(row.get::<_, String>(1)?),
        record: row.get(2)?,
        received_at: row.instant(3)?,
    })
}

/// Without its hours.
fn source_row(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow {
        source: row.get(0)?,
        accepted: row.number(1)?,
        duplicate: row.number(2)?,
        conflict: row.number(3)?,
        held: row.number(4)?,
        rejected: row.number(5)?,
        last_received_at: row.instant(6)?,
        watermark: row.get::<_, Option<i64>>(7)?.map(Instant),
        hours: Vec::new(),
    })
}

fn hour_count(row: &Row<'_>) -> rusqlite::Result<HourCount> {
    Ok(HourCount {
        hour: row.get(0)?,
        n_records: row.number(1)?,
    })
}
