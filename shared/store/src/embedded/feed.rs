//! The feed tables, which ingestion, scoring and segmentation have alike.

use rusqlite::{Connection, OptionalExtension, params};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;

use crate::embedded::failure::Work;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number, rows};
use crate::port::{FeedEntry, SliceHeads};

/// Takes the next number of a feed and writes the entry. There is one writer, so numbers ascend in commit order, and a
/// number that is rolled back is given again.
pub(super) fn append(
    connection: &Connection,
    tenant: TenantId,
    slice: Slice,
    payload: &[u8],
) -> Work<u64> {
    let mut next = connection.prepare_cached(sql!("feed/head_next"))?;
    let sequence = next.query_row(params![id(tenant.0), slice.0], |row| row.number(0))?;
    let mut insert = connection.prepare_cached(sql!("feed/entry_insert"))?;
    insert.execute(params![id(tenant.0), slice.0, number(sequence), payload])?;
    Ok(sequence)
}

/// The newest number of a feed; 0 before the first.
pub(super) fn newest(connection: &Connection, tenant: TenantId, slice: Slice) -> Work<u64> {
    let mut find = connection.prepare_cached(sql!("feed/head_find"))?;
    let found = find
        .query_row(params![id(tenant.0), slice.0], |row| row.number(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// All heads, by (tenant, slice).
pub(super) fn heads(connection: &Connection) -> Work<Vec<Head>> {
    let mut list = connection.prepare_cached(sql!("feed/head_list"))?;
    let heads = list.query_map([], |row| {
        Ok(Head {
            tenant: row.tenant(0)?,
            slice: row.slice(1)?,
            sequence: row.number(2)?,
        })
    })?;
    Ok(heads.collect::<rusqlite::Result<_>>()?)
}

/// The heads of one tenant, by slice.
pub(super) fn heads_of(connection: &Connection, tenant: TenantId) -> Work<SliceHeads> {
    let mut list = connection.prepare_cached(sql!("feed/head_list_of_tenant"))?;
    let heads = list.query_map(params![id(tenant.0)], |row| {
        Ok((row.slice(0)?, row.number(1)?))
    })?;
    Ok(heads.collect::<rusqlite::Result<_>>()?)
}

/// Entries with numbers above `after`, in order.
pub(super) fn entries(
    connection: &Connection,
    tenant: TenantId,
    slice: Slice,
    after: u64,
    limit: usize,
) -> Work<Vec<FeedEntry>> {
    let mut list = connection.prepare_cached(sql!("feed/entry_list"))?;
    let bound = params![id(tenant.0), slice.0, number(after), rows(limit)];
    let entries = list.query_map(bound, |row| {
        Ok(FeedEntry {
            sequence: row.number(0)?,
            payload: row.get(1)?,
        })
    })?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

/// `Feed` for a store that has a `file`.
macro_rules! impl_feed {
    ($store:ty) => {
        impl crate::port::Feed for $store {
            fn heads(
                &self,
            ) -> crate::BoxFuture<'_, crate::Result<Vec<sextant_domain::position::Head>>> {
                self.file
                    .read("reading feed heads", crate::embedded::feed::heads)
            }

            fn heads_of(
                &self,
                tenant: sextant_domain::id::TenantId,
            ) -> crate::BoxFuture<'_, crate::Result<crate::port::SliceHeads>> {
                self.file.read(
                    "reading feed heads",
                    move |connection: &rusqlite::Connection| {
                        crate::embedded::feed::heads_of(connection, tenant)
                    },
                )
            }

            fn entries(
                &self,
                tenant: sextant_domain::id::TenantId,
                slice: sextant_domain::id::Slice,
                after: u64,
                limit: usize,
            ) -> crate::BoxFuture<'_, crate::Result<Vec<crate::port::FeedEntry>>> {
                let read = move |connection: &rusqlite::Connection| {
                    crate::embedded::feed::entries(connection, tenant, slice, after, limit)
                };
                self.file.read("reading feed entries", read)
            }
        }
    };
}
pub(super) use impl_feed;
