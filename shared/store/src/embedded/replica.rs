//! The replica tables, which scoring and metrics have alike.

use rusqlite::{Connection, OptionalExtension, Row, params};

use sextant_domain::id::{Slice, TenantId};

use crate::Error;
use crate::embedded::failure::Work;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number};
use crate::port::{AccountFactRow, ReplicaAccount, ReplicaCommit};

/// Stores what came from ingestion's feed, if the cursor is where the writer believes.
pub(super) fn store(connection: &Connection, commit: &ReplicaCommit) -> Work<()> {
    let ReplicaCommit {
        tenant,
        slice,
        expected_cursor,
        cursor: reached,
        accounts,
        facts,
    } = commit;
    if cursor(connection, *tenant, *slice)? != *expected_cursor {
        return Err(Error::Fenced.into());
    }
    let tenant = id(tenant.0);
    connection
        .prepare_cached(sql!("replica/cursor_put"))?
        .execute(params![tenant, slice.0, number(*reached)])?;
    let mut put = connection.prepare_cached(sql!("replica/account_put"))?;
    for account in accounts {
        put.execute(params![
            tenant,
            slice.0,
            id(account.uid.0),
            account.id.as_str(),
            account.name
        ])?;
    }
    let mut insert = connection.prepare_cached(sql!("replica/fact_insert"))?;
    for fact in facts {
        insert.execute(params![
            tenant,
            slice.0,
            id(fact.uid.0),
            number(fact.sequence),
            fact.ordinal,
            fact.kind.code(),
            fact.occurred_at.0,
            fact.known_at.0,
            fact.record
        ])?;
    }
    Ok(())
}

pub(super) fn cursor(connection: &Connection, tenant: TenantId, slice: Slice) -> Work<u64> {
    let mut find = connection.prepare_cached(sql!("replica/cursor_find"))?;
    let found = find
        .query_row(params![id(tenant.0), slice.0], |row| row.number(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

pub(super) fn cursors(connection: &Connection) -> Work<Vec<(TenantId, Slice, u64)>> {
    let mut list = connection.prepare_cached(sql!("replica/cursor_list"))?;
    let cursors = list.query_map([], cursor_row)?;
    Ok(cursors.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn accounts(
    connection: &Connection,
    tenant: TenantId,
    slice: Slice,
) -> Work<Vec<ReplicaAccount>> {
    let mut list = connection.prepare_cached(sql!("replica/account_list"))?;
    let accounts = list.query_map(params![id(tenant.0), slice.0], |row| account_row(row, 0))?;
    Ok(accounts.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn facts(
    connection: &Connection,
    tenant: TenantId,
    slice: Slice,
) -> Work<Vec<AccountFactRow>> {
    let mut list = connection.prepare_cached(sql!("replica/fact_list"))?;
    let facts = list.query_map(params![id(tenant.0), slice.0], |row| {
        Ok(AccountFactRow {
            uid: row.uid(0)?,
            sequence: row.number(1)?,
            ordinal: row.get(2)?,
            kind: row.kind(3)?,
            occurred_at: row.instant(4)?,
            known_at: row.instant(5)?,
            record: row.get(6)?,
        })
    })?;
    Ok(facts.collect::<rusqlite::Result<_>>()?)
}

/// A row of tenant, slice and number.
fn cursor_row(row: &Row<'_>) -> rusqlite::Result<(TenantId, Slice, u64)> {
    Ok((row.tenant(0)?, row.slice(1)?, row.number(2)?))
}

/// An account whose uid, external id and name begin at a column.
pub(super) fn account_row(row: &Row<'_>, first: usize) -> rusqlite::Result<ReplicaAccount> {
    Ok(ReplicaAccount {
        uid: row.uid(first)?,
        id: row.external_id(first + 1)?,
        name: row.get(first + 2)?,
    })
}

/// `Replica` for a store that has a `file`.
macro_rules! impl_replica {
    ($store:ty) => {
        impl crate::port::Replica for $store {
            fn cursor(
                &self,
                tenant: sextant_domain::id::TenantId,
                slice: sextant_domain::id::Slice,
            ) -> crate::BoxFuture<'_, crate::Result<u64>> {
                self.file.read("reading a cursor", move |connection| {
                    crate::embedded::replica::cursor(connection, tenant, slice)
                })
            }

            fn cursors(
                &self,
            ) -> crate::BoxFuture<
                '_,
                crate::Result<Vec<(sextant_domain::id::TenantId, sextant_domain::id::Slice, u64)>>,
            > {
                self.file
                    .read("reading cursors", crate::embedded::replica::cursors)
            }

            fn accounts(
                &self,
                tenant: sextant_domain::id::TenantId,
                slice: sextant_domain::id::Slice,
            ) -> crate::BoxFuture<'_, crate::Result<Vec<crate::port::ReplicaAccount>>> {
                self.file.read("reading accounts", move |connection| {
                    crate::embedded::replica::accounts(connection, tenant, slice)
                })
            }

            fn facts(
                &self,
                tenant: sextant_domain::id::TenantId,
                slice: sextant_domain::id::Slice,
            ) -> crate::BoxFuture<'_, crate::Result<Vec<crate::port::AccountFactRow>>> {
                self.file.read("reading facts", move |connection| {
                    crate::embedded::replica::facts(connection, tenant, slice)
                })
            }
        }
    };
}
pub(super) use impl_replica;
