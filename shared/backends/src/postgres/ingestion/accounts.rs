//! Accounts and the facts about them.

use uuid::Uuid;

use sextant_domain::id::{AccountUid, ExternalId, TenantId};
use sextant_store::port::{AccountRow, Accounts, FactVersion, Page, TimelineQuery, TimelineRow};
use sextant_store::{BoxFuture, Result};

use super::{Ingestion, timeline};
use crate::postgres::decode::{self, Fields};
use crate::postgres::rows;

pub(super) const RESOLVE: &str =
    include_str!("../../../queries/postgres/ingestion/resolve_accounts.sql");
const LIST: &str = include_str!("../../../queries/postgres/ingestion/list_accounts.sql");
const VERSIONS: &str = include_str!("../../../queries/postgres/ingestion/versions.sql");

pub(super) fn account(row: &mut Fields<'_>) -> Result<AccountRow> {
    Ok(AccountRow {
        uid: row.uid()?,
        id: row.external_id()?,
        slice: row.slice()?,
    })
}

impl Accounts for Ingestion {
    fn resolve<'a>(
        &'a self,
        tenant: TenantId,
        ids: &'a [ExternalId],
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>> {
        Box::pin(async move {
            let ids: Vec<&str> = ids.iter().map(ExternalId::as_str).collect();
            let found = self
                .pool
                .read(
                    tenant,
                    "resolving accounts",
                    RESOLVE,
                    &[&rows::tenant(tenant), &ids],
                )
                .await?;
            decode::all(&found, "account", account)
        })
    }

    fn list<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>> {
        Box::pin(async move {
            let after = rows::text(page.after.as_deref().unwrap_or_default());
            let (tenant_id, limit) = (rows::tenant(tenant), rows::limit(page.limit));
            let found = self
                .pool
                .read(
                    tenant,
                    "listing accounts",
                    LIST,
                    &[&tenant_id, &after, &limit],
                )
                .await?;
            decode::all(&found, "account", account)
        })
    }

    fn versions<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<FactVersion>>> {
        Box::pin(async move {
            let uids: Vec<Uuid> = uids.iter().map(|uid| Uuid::from_u128(uid.0)).collect();
            let found = self
                .pool
                .read(
                    tenant,
                    "reading facts of accounts",
                    VERSIONS,
                    &[&rows::tenant(tenant), &uids],
                )
                .await?;
            decode::all(&found, "fact", |row| {
                Ok(FactVersion {
                    uid: row.uid()?,
                    kind: row.kind()?,
                    occurred_at: row.instant()?,
                    known_at: row.instant()?,
                    record: row.take()?,
                })
            })
        })
    }

    fn timeline<'a>(
        &'a self,
        tenant: TenantId,
        query: &'a TimelineQuery,
    ) -> BoxFuture<'a, Result<Vec<TimelineRow>>> {
        Box::pin(timeline::read(&self.pool, tenant, query))
    }
}
