//! Tenants, their imports and clocks.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_store::port::{Import, Once, Page, SliceHeads, TenantRow, Tenants};
use sextant_store::{BoxFuture, Error, Result};

use super::{APPEND_FEED, Ingestion};
use crate::postgres::decode::{self, Fields};
use crate::postgres::requests;
use crate::postgres::rows::{self, Guarded};

const INSERT: &str = include_str!("../../../queries/postgres/ingestion/insert_tenant.sql");
const BY_ID: &str = include_str!("../../../queries/postgres/ingestion/tenant_by_id.sql");
const BY_NAME: &str = include_str!("../../../queries/postgres/ingestion/tenant_by_name.sql");
const LIST: &str = include_str!("../../../queries/postgres/ingestion/list_tenants.sql");
const ADVANCE_CLOCK: &str = include_str!("../../../queries/postgres/ingestion/advance_clock.sql");
const LOCK_TENANT: &str = include_str!("../../../queries/postgres/ingestion/lock_tenant.sql");
const MARK_IMPORT: &str = include_str!("../../../queries/postgres/ingestion/mark_import.sql");

fn tenant(row: &mut Fields<'_>) -> Result<TenantRow> {
    Ok(TenantRow {
        tenant: row.tenant()?,
        name: row.take()?,
        time_zone: row.take()?,
        base_currency: row.take()?,
        fixed_clock: row.maybe_instant()?,
        retention_days: row.number::<i64, u32>()?,
        n_slices: row.number::<i32, u16>()?,
        import_opened_at: row.maybe_instant()?,
        created_at: row.instant()?,
        rfm_tie_policy: row.tie_policy()?,
    })
}

/// How the feed stores where an import begins (−1) or ends (the schedule).
pub(super) fn import_code(mark: Import) -> i16 {
    match mark {
        Import::Started => -1,
        Import::Completed(schedule) => i16::from(schedule),
    }
}

/// The reverse of [`import_code`].
pub(super) fn import_of(code: i16) -> Import {
    u8::try_from(code).map_or(Import::Started, Import::Completed)
}

impl Ingestion {
    async fn insert_tenant(&self, row: &TenantRow, once: Once<TenantRow>) -> Result<Vec<u8>> {
        let (id, fixed_clock) = (rows::tenant(row.tenant), row.fixed_clock.map(|at| at.0));
        let import_opened_at = row.import_opened_at.map(|at| at.0);
        let (retention, n_slices) = (i64::from(row.retention_days), i32::from(row.n_slices));
        let session = self.pool.session("storing a tenant").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(answer);
        }
        let statement = session.prepare(INSERT).await?;
        let params: [&(dyn ToSql + Sync); 10] = [
            &id,
            &row.name,
            &row.time_zone,
            &row.base_currency,
            &fixed_clock,
            &retention,
            &n_slices,
            &import_opened_at,
            &row.created_at.0,
            &row.rfm_tie_policy.key(),
        ];
        if session.execute(&statement, &params).await? == 0 {
            session.rollback().await?;
            return Err(Error::AlreadyExists {
                what: format!("tenant \"{}\"", row.name),
            });
        }
        requests::finish(&session, &once, row).await
    }

    async fn write_mark(
        &self,
        tenant: TenantId,
        mark: Import,
        once: Once<SliceHeads>,
    ) -> Result<Option<Vec<u8>>> {
        let opened_at = matches!(mark, Import::Started).then_some(once.request.at.0);
        let announcement = Announcement {
            import: Some(import_code(mark)),
            clock: None,
        };
        self.change_and_announce(tenant, (MARK_IMPORT, &opened_at), announcement, once)
            .await
    }

    async fn move_clock(
        &self,
        tenant: TenantId,
        to: Instant,
        once: Once<SliceHeads>,
    ) -> Result<Option<Vec<u8>>> {
        let announcement = Announcement {
            import: None,
            clock: Some(to.0),
        };
        self.change_and_announce(tenant, (ADVANCE_CLOCK, &to.0), announcement, once)
            .await
    }

    /// Changes a tenant by a statement that returns its number of slices (or nothing: there is nothing to change), and writes
    /// an entry to the feed of every slice. Only the answer to the request is written after the numbers of the feed.
    async fn change_and_announce(
        &self,
        tenant: TenantId,
        (change, value): (&str, &(dyn ToSql + Sync)),
        announcement: Announcement,
        once: Once<SliceHeads>,
    ) -> Result<Option<Vec<u8>>> {
        let session = self.pool.session("announcing a change of a tenant").await?;
        if let Some(answer) = requests::claim(&session, &once).await? {
            return Ok(Some(answer));
        }
        let (lock, change, append) = (
            session.prepare(LOCK_TENANT).await?,
            session.prepare(change).await?,
            session.prepare(APPEND_FEED).await?,
        );
        let (id, key) = (rows::tenant(tenant), rows::lock_key(tenant, Guarded::State));
        session.query(&lock, &[&key]).await?;
        let changed = session.query(&change, &[&id, value]).await?;
        let Some(n_slices) = decode::first(&changed, "tenant", |row| row.take::<i32>())? else {
            session.rollback().await?;
            return Ok(None);
        };
        let slices: Vec<i32> = (0..n_slices.max(1)).collect();
        let (no_bounds, no_bytes) = (vec![None::<i64>; slices.len()], vec![0_i64; slices.len()]);
        let no_batch = vec![None::<Uuid>; slices.len()];
        let Announcement { import, clock } = announcement;
        let recorded_at = vec![once.request.at.0; slices.len()];
        let no_trace = vec![None::<&[u8]>; slices.len()];
        let params: [&(dyn ToSql + Sync); 10] = [
            &id,
            &recorded_at,
            &no_batch,
            &slices,
            &no_bounds,
            &no_bounds,
            &no_bytes,
            &import,
            &clock,
            &no_trace,
        ];
        let heads = session.query(&append, &params).await?;
        let mut heads = decode::all(&heads, "feed head", |row| {
            Ok((row.slice()?, row.sequence()?))
        })?;
        heads.sort_unstable();
        requests::finish(&session, &once, &heads).await.map(Some)
    }
}

/// A feed entry without facts.
struct Announcement {
    import: Option<i16>,
    clock: Option<i64>,
}

impl Tenants for Ingestion {
    fn create<'a>(
        &'a self,
        tenant: &'a TenantRow,
        once: Once<TenantRow>,
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(self.insert_tenant(tenant, once))
    }

    fn by_id(&self, id: TenantId) -> BoxFuture<'_, Result<Option<TenantRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading a tenant", BY_ID, &[&rows::tenant(id)])
                .await?;
            decode::first(&found, "tenant", tenant)
        })
    }

    fn by_name<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TenantRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading a tenant", BY_NAME, &[&rows::text(name)])
                .await?;
            decode::first(&found, "tenant", tenant)
        })
    }

    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<TenantRow>>> {
        Box::pin(async move {
            let after = rows::text(page.after.as_deref().unwrap_or_default());
            let found = self
                .pool
                .system("listing tenants", LIST, &[&after, &rows::limit(page.limit)])
                .await?;
            decode::all(&found, "tenant", tenant)
        })
    }

    fn mark_import(
        &self,
        tenant: TenantId,
        mark: Import,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(self.write_mark(tenant, mark, once))
    }

    fn advance_clock(
        &self,
        tenant: TenantId,
        to: Instant,
        once: Once<SliceHeads>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(self.move_clock(tenant, to, once))
    }
}
