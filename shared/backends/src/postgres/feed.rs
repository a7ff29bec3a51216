//! The feed of a service that writes opaque entries.

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_store::Result;
use sextant_store::port::{FeedEntry, SliceHeads};

use super::pool::Pool;
use super::session::Session;
use super::{decode, rows};

const HEADS: &str = include_str!("../../queries/postgres/feed/heads.sql");
const HEADS_OF_TENANT: &str = include_str!("../../queries/postgres/feed/heads_of_tenant.sql");
const HEAD: &str = include_str!("../../queries/postgres/feed/head.sql");
const ENTRIES: &str = include_str!("../../queries/postgres/feed/entries.sql");
const APPEND: &str = include_str!("../../queries/postgres/feed/append.sql");

pub(super) async fn heads(pool: &Pool) -> Result<Vec<Head>> {
    let rows = pool.system("reading feed heads", HEADS, &[]).await?;
    decode::all(&rows, "feed head", |row| {
        Ok(Head {
            tenant: row.tenant()?,
            slice: row.slice()?,
            sequence: row.sequence()?,
        })
    })
}

pub(super) async fn heads_of(pool: &Pool, tenant: TenantId) -> Result<SliceHeads> {
    let params = rows::tenant(tenant);
    let found = pool
        .system("reading feed heads", HEADS_OF_TENANT, &[&params])
        .await?;
    decode::all(&found, "feed head", |row| {
        Ok((row.slice()?, row.sequence()?))
    })
}

pub(super) async fn entries(
    pool: &Pool,
    tenant: TenantId,
    slice: Slice,
    after: u64,
    limit: usize,
) -> Result<Vec<FeedEntry>> {
    entries_by(pool, ENTRIES, (tenant, slice), after, limit).await
}

/// Entries by a statement of the service's own.
pub(super) async fn entries_by(
    pool: &Pool,
    sql: &str,
    (tenant, slice): (TenantId, Slice),
    after: u64,
    limit: usize,
) -> Result<Vec<FeedEntry>> {
    let params = (
        rows::tenant(tenant),
        rows::slice(slice),
        rows::number(after),
        rows::limit(limit),
    );
    let found = pool
        .read(
            tenant,
            "reading the feed",
            sql,
            &[&params.0, &params.1, &params.2, &params.3],
        )
        .await?;
    decode::all(&found, "feed entry", |row| {
        Ok(FeedEntry {
            sequence: row.sequence()?,
            payload: row.take()?,
        })
    })
}

/// Ends a transaction: writes the entries, if any, and commits. Returns the number of the slice's newest entry.
pub(super) async fn append_and_commit(
    session: &Session,
    tenant: TenantId,
    slice: Slice,
    payloads: &[&[u8]],
) -> Result<u64> {
    let (tenant, slice) = (rows::tenant(tenant), rows::slice(slice));
    let found = if payloads.is_empty() {
        let head = session.prepare(HEAD).await?;
        session.last(&head, &[&tenant, &slice]).await?
    } else {
        let append = session.prepare(APPEND).await?;
        session.last(&append, &[&tenant, &slice, &payloads]).await?
    };
    let numbers = decode::all(&found, "feed number", |row| row.sequence())?;
    Ok(numbers.into_iter().max().unwrap_or(0))
}
