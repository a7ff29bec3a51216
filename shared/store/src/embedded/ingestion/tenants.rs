use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row, params};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Instant;

use crate::embedded::failure::Work;
use crate::embedded::feed;
use crate::embedded::ingestion::Ingestion;
use crate::embedded::ingestion::entry::Entry;
use crate::embedded::requests;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, rows};
use crate::port::{Import, Once, Page, SliceHeads, TenantRow, Tenants};
use crate::{BoxFuture, Error, Result};

impl Tenants for Ingestion {
    fn create<'a>(
        &'a self,
        tenant: &'a TenantRow,
        once: Once<TenantRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        let tenant = tenant.clone();
        self.file.write("creating a tenant", move |connection| {
            create(connection, &tenant, &once)
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
        let page = page.clone();
        self.file.read("listing tenants", move |connection| {
            Ok(page_of(connection, &page)?)
        })
    }

    fn mark_import(
        &self,
        tenant: TenantId,
        mark: Import,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.file.write("marking an import", move |connection| {
            let at = once.request.at;
            let opened_at = (mark == Import::Started).then_some(at.0);
            let change = params![id(tenant.0), opened_at];
            announce(
                connection,
                sql!("ingestion/tenant_mark_import"),
                change,
                tenant,
                Entry::Import {
                    recorded_at: at,
                    mark,
                },
                &once,
            )
        })
    }

    fn advance_clock(
        &self,
        tenant: TenantId,
        to: Instant,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.file.write("moving a clock", move |connection| {
            let change = params![id(tenant.0), to.0];
            announce(
                connection,
                sql!("ingestion/tenant_advance_clock"),
                change,
                tenant,
                Entry::Clock {
                    recorded_at: once.request.at,
                    to,
                },
                &once,
            )
        })
    }
}

/// A page of the tenants of a file that may be in use.
pub(in crate::embedded) fn peek(path: &Path, page: &Page) -> rusqlite::Result<Vec<TenantRow>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    page_of(&connection, page)
}

fn page_of(connection: &Connection, page: &Page) -> rusqlite::Result<Vec<TenantRow>> {
    let mut list = connection.prepare_cached(sql!("ingestion/tenant_list"))?;
    let after = page.after.as_deref().unwrap_or_default();
    list.query_map(params![after, rows(page.limit)], tenant_row)?
        .collect()
}

fn create(connection: &Connection, tenant: &TenantRow, once: &Once<TenantRow>) -> Work<Vec<u8>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(answer);
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
            tenant.import_opened_at.map(|at| at.0),
            tenant.created_at.0,
            tenant.rfm_tie_policy.key()
        ])?;
    requests::keep(connection, once, tenant)
}

/// Changes a tenant, once; if that changed anything, writes the entry to the feed of every slice.
fn announce(
    connection: &Connection,
    query: &str,
    change: impl Params,
    tenant: TenantId,
    entry: Entry,
    once: &Once<SliceHeads>,
) -> Work<Option<Vec<u8>>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(Some(answer));
    }
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
    Ok(Some(requests::keep(connection, once, &heads)?))
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
        import_opened_at: row.instant_or_none(7)?,
        created_at: row.instant(8)?,
        rfm_tie_policy: row.tie_policy(9)?,
    })
}
