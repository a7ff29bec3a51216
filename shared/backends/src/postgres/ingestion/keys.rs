//! API keys.

use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_store::port::{KeyRow, Keys, Page};
use sextant_store::{BoxFuture, Error, Result};

use super::Ingestion;
use crate::postgres::decode::{self, Fields};
use crate::postgres::rows;

const INSERT: &str = include_str!("../../../queries/postgres/ingestion/insert_key.sql");
const BY_ID: &str = include_str!("../../../queries/postgres/ingestion/key_by_id.sql");
const LIST: &str = include_str!("../../../queries/postgres/ingestion/list_keys.sql");
const REVOKE: &str = include_str!("../../../queries/postgres/ingestion/revoke_key.sql");

fn key(row: &mut Fields<'_>) -> Result<KeyRow> {
    Ok(KeyRow {
        key_id: row.take()?,
        secret_sha256: row.number::<Vec<u8>, [u8; 32]>()?,
        tenant: row.take::<Option<Uuid>>()?.map(|id| TenantId(id.as_u128())),
        scopes: row.number::<i64, u32>()?,
        title: row.take()?,
        created_at: row.instant()?,
        expires_at: row.maybe_instant()?,
        revoked_at: row.maybe_instant()?,
    })
}

impl Keys for Ingestion {
    fn create<'a>(&'a self, key: &'a KeyRow) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (secret, scopes) = (key.secret_sha256.as_slice(), i64::from(key.scopes));
            let (tenant, title) = (key.tenant.map(rows::tenant), rows::text(&key.title));
            let (expires_at, revoked_at) =
                (key.expires_at.map(|at| at.0), key.revoked_at.map(|at| at.0));
            let session = self.pool.session("storing an access key").await?;
            let statement = session.prepare(INSERT).await?;
            let params: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
                &key.key_id,
                &secret,
                &tenant,
                &scopes,
                &title,
                &key.created_at.0,
                &expires_at,
                &revoked_at,
            ];
            if session.execute(&statement, &params).await? == 0 {
                return Err(Error::AlreadyExists {
                    what: format!("access key \"{}\"", key.key_id),
                });
            }
            Ok(())
        })
    }

    fn by_id<'a>(&'a self, key_id: &'a str) -> BoxFuture<'a, Result<Option<KeyRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading an access key", BY_ID, &[&rows::text(key_id)])
                .await?;
            decode::first(&found, "access key", key)
        })
    }

    fn list<'a>(
        &'a self,
        tenant: Option<TenantId>,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<KeyRow>>> {
        Box::pin(async move {
            let after = rows::text(page.after.as_deref().unwrap_or_default());
            let (tenant, limit) = (tenant.map(rows::tenant), rows::limit(page.limit));
            let found = self
                .pool
                .system("listing access keys", LIST, &[&tenant, &after, &limit])
                .await?;
            decode::all(&found, "access key", key)
        })
    }

    fn revoke<'a>(
        &'a self,
        tenant: Option<TenantId>,
        key_id: &'a str,
        at: Instant,
    ) -> BoxFuture<'a, Result<Option<KeyRow>>> {
        Box::pin(async move {
            let params = (tenant.map(rows::tenant), rows::text(key_id));
            let found = self
                .pool
                .system(
                    "revoking an access key",
                    REVOKE,
                    &[&params.0, &params.1, &at.0],
                )
                .await?;
            decode::first(&found, "access key", key)
        })
    }
}
