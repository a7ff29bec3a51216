use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Instant;

use crate::embedded::failure::Work;
use crate::embedded::feed;
use crate::embedded::ingestion::Ingestion;
use crate::embedded::ingestion::entry::Entry;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, rows};
use crate::port::{Import, Page, TenantRow, Tenants};
use crate::{BoxFuture, Error, Result};

impl Tenants for Ingestion {
    fn create<'a>(
        &'a self,
        tenant: &'a TenantRow,
        request_id: &'a str,
    ) -> BoxFuture<'a, Result<TenantRow>> {
        let (tenant, request_id) = (tenant.clone(), request_id.to_owned());
        self.file.write("creating a tenant", move |connection| {
            create(connection, tenant, &request_id)
        })
    }

    fn by_id(&self, tenant: TenantId) -> BoxFuture<'_, Result<Option<TenantRow>>> {
        self.file.read("reading a tenant", move |connection| {
            one(
                connection,
                sql!("ingestion/tenant_by_id"),
                params![id(tenant.0)],
            )
        })
    }

    fn by_name<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TenantRow>>> {
        let name = name.to_owned();
        self.file.read("reading a tenant", move |connection| {
            one(connection, sql!("ingestion/tenant_by_name"), params![name])
        })
    }

    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<TenantRow>>> {
        let Page { after, limit } = page.clone();
        self.file.read("listing tenants", move |connection| {
            let mut list = connection.prepare_cached(sql!("ingestion/tenant_list"))?;
            let tenants =
                list.query_map(params![after.unwrap_or_default(), rows(limit)], tenant_row)?;
            Ok(tenants.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn mark_import(
        &self,
        tenant: TenantId,
        mark: Import,
        at: Instant,
    ) -> BoxFuture<'_, Result<Option<Vec<(Slice, u64)>>>> {
        self.file.write("marking an import", move |connection| {
            let change = params![id(tenant.0), mark == Import::Started];
            announce(
                connection,
                sql!("ingestion/tenant_mark_import"),
                change,
                tenant,
                Entry::Import {
                    recorded_at: at,
                    mark,
                },
            )
        })
    }

    fn advance_clock(
        &self,
        tenant: TenantId,
        to: Instant,
        at: Instant,
    ) -> BoxFuture<'_, Result<Option<Vec<(Slice, u64)>>>> {
        self.file.write("moving a clock", move |connection| {
            let change = params![id(tenant.0), to.0];
            announce(
                connection,
                sql!("ingestion/tenant_advance_clock"),
                change,
                tenant,
                Entry::Clock {
                    recorded_at: at,
                    to,
                },
            )
        })
    }
}

fn create(connection: &Connection, tenant: TenantRow, request_id: &str) -> Work<TenantRow> {
    if let Some(stored) = one(
        connection,
        sql!("ingestion/tenant_by_request"),
        params![request_id],
    )? {
        return if has_parameters_of(&stored, &tenant) {
            Ok(stored)
        } else {
            Err(Error::RequestIdReused.into())
        };
    }
    if one(
        connection,
        sql!("ingestion/tenant_by_name"),
        params![tenant.name],
    )?
    .is_some()
    {
        return Err(Error::AlreadyExists {
            what: format!("tenant \"{}\"", tenant.name),
        }
        .into());
    }
    connection
        .prepare_cached(sql!("ingestion/tenant_insert"))?
        .execute(params![
            id(tenant.tenant.0),
            tenant.name,
            tenant.time_zone,
            tenant.base_currency,
            tenant.fixed_clock.map(|at| at.0),
            tenant.retention_days,
            tenant.n_slices,
            tenant.importing,
            tenant.created_at.0,
            tenant.rfm_tie_policy.key(),
            request_id
        ])?;
    Ok(tenant)
}

/// The id and the time of creation differ from attempt to attempt; the clock may have moved and an import begun since.
fn has_parameters_of(stored: &TenantRow, asked: &TenantRow) -> bool {
    let asked_now = TenantRow {
        tenant: stored.tenant,
        fixed_clock: stored.fixed_clock,
        importing: stored.importing,
        created_at: stored.created_at,
        ..asked.clone()
    };
    stored.fixed_clock.is_some() == asked.fixed_clock.is_some() && *stored == asked_now
}

/// Changes a tenant; if that changed anything, writes the entry to the feed of every slice.
fn announce(
    connection: &Connection,
    query: &str,
    change: impl Params,
    tenant: TenantId,
    entry: Entry,
) -> Work<Option<Vec<(Slice, u64)>>> {
    let changed: Option<u16> = connection
        .prepare_cached(query)?
        .query_row(change, |row| row.get(0))
        .optional()?;
    let Some(n_slices) = changed else {
        return Ok(None);
    };
    let payload = entry.encode();
    let mut heads = Vec::with_capacity(usize::from(n_slices));
    for slice in (0..n_slices).map(Slice) {
        heads.push((slice, feed::append(connection, tenant, slice, &payload)?));
    }
    Ok(Some(heads))
}

fn one(connection: &Connection, query: &str, key: impl Params) -> Work<Option<TenantRow>> {
    Ok(connection
        .prepare_cached(query)?
        .query_row(key, tenant_row)
        .optional()?)
}

fn tenant_row(row: &Row<'_>) -> rusqlite::Result<TenantRow> {
    Ok(TenantRow {
        tenant: row.tenant(0)?,
        name: row.get(1)?,
        time_zone: row.get(2)?,
        base_currency: row.get(3)?,
        fixed_clock: row.instant_or_none(4)?,
        retention_days: row.get(5)?,
        n_slices: row.get(6)?,
        importing: row.get(7)?,
        created_at: row.instant(8)?,
        rfm_tie_policy: row.tie_policy(9)?,
    })
}
