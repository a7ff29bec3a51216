use rusqlite::{Connection, OptionalExtension, Row, params};

use sextant_domain::id::TenantId;

use crate::embedded::failure::Work;
use crate::embedded::ingestion::Ingestion;
use crate::embedded::requests;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, rows};
use crate::port::{KeyRow, Keys, Once, Page};
use crate::{BoxFuture, Error, Result};

impl Keys for Ingestion {
    fn create<'a>(&'a self, key: &'a KeyRow, once: Once<KeyRow>) -> BoxFuture<'a, Result<Vec<u8>>> {
        let key = key.clone();
        self.file.write("creating a key", move |connection| {
            create(connection, &key, &once)
        })
    }

    fn by_id<'a>(&'a self, key_id: &'a str) -> BoxFuture<'a, Result<Option<KeyRow>>> {
        let key_id = key_id.to_owned();
        self.file.read("reading a key", move |connection| {
            by_id(connection, &key_id)
        })
    }

    fn list<'a>(
        &'a self,
        tenant: Option<TenantId>,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<KeyRow>>> {
        let page = page.clone();
        self.file.read("listing keys", move |connection| {
            list(connection, tenant, page)
        })
    }

    fn revoke<'a>(
        &'a self,
        tenant: Option<TenantId>,
        key_id: &'a str,
        once: Once<KeyRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        let key_id = key_id.to_owned();
        self.file.write("revoking a key", move |connection| {
            revoke(connection, tenant, &key_id, &once)
        })
    }
}

fn create(connection: &Connection, key: &KeyRow, once: &Once<KeyRow>) -> Work<Vec<u8>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(answer);
    }
    let created = connection
        .prepare_cached(sql!("ingestion/key_insert"))?
        .execute(params![
            key.key_id,
            key.secret_sha256,
            key.tenant.map(|tenant| id(tenant.0)),
            key.scopes,
            key.title,
            key.created_at.0,
            key.expires_at.map(|at| at.0),
            key.revoked_at.map(|at| at.0)
        ])?;
    if created == 0 {
        return Err(Error::AlreadyExists {
            what: format!("key \"{}\"", key.key_id),
        }
        .into());
    }
    requests::keep(connection, once, key)
}

fn by_id(connection: &Connection, key_id: &str) -> Work<Option<KeyRow>> {
    Ok(connection
        .prepare_cached(sql!("ingestion/key_by_id"))?
        .query_row(params![key_id], key_row)
        .optional()?)
}

fn list(connection: &Connection, tenant: Option<TenantId>, page: Page) -> Work<Vec<KeyRow>> {
    let after = page.after.unwrap_or_default();
    let limit = rows(page.limit);
    let keys = match tenant {
        Some(tenant) => {
            let mut list = connection.prepare_cached(sql!("ingestion/key_list"))?;
            list.query_map(params![id(tenant.0), after, limit], key_row)?
                .collect::<rusqlite::Result<_>>()?
        },
        None => {
            let mut list = connection.prepare_cached(sql!("ingestion/key_list_all"))?;
            list.query_map(params![after, limit], key_row)?
                .collect::<rusqlite::Result<_>>()?
        },
    };
    Ok(keys)
}

fn revoke(
    connection: &Connection,
    tenant: Option<TenantId>,
    key_id: &str,
    once: &Once<KeyRow>,
) -> Work<Option<Vec<u8>>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(Some(answer));
    }
    let Some(key) = by_id(connection, key_id)? else {
        return Ok(None);
    };
    if tenant.is_some() && key.tenant != tenant {
        return Ok(None);
    }
    connection
        .prepare_cached(sql!("ingestion/key_revoke"))?
        .execute(params![key_id, once.request.at.0])?;
    let revoked = KeyRow {
        revoked_at: key.revoked_at.or(Some(once.request.at)),
        ..key
    };
    Ok(Some(requests::keep(connection, once, &revoked)?))
}

fn key_row(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        key_id: row.get(0)?,
        secret_sha256: row.get(1)?,
        tenant: row
            .get::<_, Option<[u8; 16]>>(2)?
            .map(|bytes| TenantId(u128::from_be_bytes(bytes))),
        scopes: row.get(3)?,
        title: row.get(4)?,
        created_at: row.instant(5)?,
        expires_at: row.instant_or_none(6)?,
        revoked_at: row.instant_or_none(7)?,
    })
}
