//! API keys.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_store::port::{KeyRow, Keys, Once, Page};
use sextant_store::{BoxFuture, Error, Result};

use super::Ingestion;
use crate::postgres::decode::{self, Fields};
use crate::postgres::{requests, rows};

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

impl Ingestion {
    async fn insert_key(&self, key: &KeyRow, once: Once<KeyRow>) -> Result<Vec<u8>> {
        let (secret, scopes) = (key.secret_sha256.as_slice(), i64::from(key.scopes));
        let (tenant, title) = (key.tenant.map(rows::tenant), rows::text(&key.title));
        let (expires_at, revoked_at) =
            (key.expires_at.map(|at| at.0), key.revoked_at.map(|at| at.0));
        let session = self.pool.session("storing an access key").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(answer);
        }
        let statement = session.prepare(INSERT).await?;
        let params: [&(dyn ToSql + Sync); 8] = [
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
            session.rollback().await?;
            return Err(Error::AlreadyExists {
                what: format!("access key \"{}\"", key.key_id),
            });
        }
        requests::finish(&session, &once, key).await
    }

    async fn revoke_key(
        &self,
        tenant: Option<TenantId>,
        key_id: &str,
        once: Once<KeyRow>,
    ) -> Result<Option<Vec<u8>>> {
        let session = self.pool.session("revoking an access key").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(Some(answer));
        }
        let statement = session.prepare(REVOKE).await?;
        let (tenant, key_id) = (tenant.map(rows::tenant), rows::text(key_id));
        let params: [&(dyn ToSql + Sync); 3] = [&tenant, &key_id, &once.request.at.0];
        let revoked = session.query(&statement, &params).await?;
        let Some(revoked) = decode::first(&revoked, "access key", key)? else {
            session.rollback().await?;
            return Ok(None);
        };
        requests::finish(&session, &once, &revoked).await.map(Some)
    }
}

impl Keys for Ingestion {
    fn create<'a>(&'a self, key: &'a KeyRow, once: Once<KeyRow>) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(self.insert_key(key, once))
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
        once: Once<KeyRow>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(self.revoke_key(tenant, key_id, once))
    }
}
