use rusqlite::{Connection, OptionalExtension, params};

use sextant_domain::id::{AccountUid, ExternalId, TenantId};

use crate::embedded::failure::Work;
use crate::embedded::ingestion::Ingestion;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, rows};
use crate::port::{AccountRow, Accounts, FactVersion, Page};
use crate::{BoxFuture, Result};

impl Accounts for Ingestion {
    fn resolve<'a>(
        &'a self,
        tenant: TenantId,
        ids: &'a [ExternalId],
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>> {
        let ids = ids.to_vec();
        self.file.read("resolving accounts", move |connection| {
            resolve(connection, tenant, ids)
        })
    }

    fn list<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>> {
        let Page { after, limit } = page.clone();
        self.file.read("listing accounts", move |connection| {
            let mut list = connection.prepare_cached(sql!("ingestion/account_list"))?;
            let accounts = list.query_map(
                params![id(tenant.0), after.unwrap_or_default(), rows(limit)],
                |row| {
                    Ok(AccountRow {
                        id: row.external_id(0)?,
                        uid: row.uid(1)?,
                        slice: row.slice(2)?,
                    })
                },
            )?;
            Ok(accounts.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn versions<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<FactVersion>>> {
        let uids = uids.to_vec();
        self.file
            .read("reading facts of accounts", move |connection| {
                versions(connection, tenant, uids)
            })
    }
}

fn resolve(
    connection: &Connection,
    tenant: TenantId,
    mut ids: Vec<ExternalId>,
) -> Work<Vec<AccountRow>> {
    ids.sort_unstable();
    ids.dedup();
    let mut find = connection.prepare_cached(sql!("ingestion/account_find"))?;
    let mut accounts = Vec::with_capacity(ids.len());
    for account in ids {
        let found = find
            .query_row(params![id(tenant.0), account.as_str()], |row| {
                Ok((row.uid(0)?, row.slice(1)?))
            })
            .optional()?;
        if let Some((uid, slice)) = found {
            accounts.push(AccountRow {
                uid,
                id: account,
                slice,
            });
        }
    }
    Ok(accounts)
}

fn versions(
    connection: &Connection,
    tenant: TenantId,
    mut uids: Vec<AccountUid>,
) -> Work<Vec<FactVersion>> {
    uids.sort_unstable();
    uids.dedup();
    let mut of_account = connection.prepare_cached(sql!("ingestion/fact_versions"))?;
    let mut versions = Vec::new();
    for uid in uids {
        let mut rows = of_account.query(params![id(tenant.0), id(uid.0)])?;
        while let Some(row) = rows.next()? {
            let (kind, occurred_at, known_at) = (row.kind(0)?, row.instant(1)?, row.instant(2)?);
            versions.push(FactVersion {
                uid,
                kind,
                occurred_at,
                known_at,
                record: row.get(3)?,
            });
        }
    }
    Ok(versions)
}
