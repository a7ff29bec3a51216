//! What a following service keeps of ingestion's feed.

use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_store::Result;
use sextant_store::port::{AccountFactRow, ReplicaAccount, ReplicaCommit};

use super::pool::Pool;
use super::session::Session;
use super::{decode, rows};

const CURSOR: &str = include_str!("../../queries/postgres/replica/cursor.sql");
const CURSORS: &str = include_str!("../../queries/postgres/replica/cursors.sql");
const ACCOUNTS: &str = include_str!("../../queries/postgres/replica/accounts.sql");
const FACTS: &str = include_str!("../../queries/postgres/replica/facts.sql");
const PUT_ACCOUNTS: &str = include_str!("../../queries/postgres/replica/put_accounts.sql");
const PUT_FACTS: &str = include_str!("../../queries/postgres/replica/put_facts.sql");

pub(super) async fn cursor(pool: &Pool, tenant: TenantId, slice: Slice) -> Result<u64> {
    let found = pool
        .system(
            "reading a cursor",
            CURSOR,
            &[&rows::tenant(tenant), &rows::slice(slice)],
        )
        .await?;
    Ok(decode::first(&found, "cursor", |row| row.sequence())?.unwrap_or(0))
}

pub(super) async fn cursors(pool: &Pool) -> Result<Vec<(TenantId, Slice, u64)>> {
    let found = pool.system("reading cursors", CURSORS, &[]).await?;
    decode::all(&found, "cursor", |row| {
        Ok((row.tenant()?, row.slice()?, row.sequence()?))
    })
}

pub(super) async fn accounts(
    pool: &Pool,
    tenant: TenantId,
    slice: Slice,
) -> Result<Vec<ReplicaAccount>> {
    let found = pool
        .read(
            tenant,
            "reading accounts",
            ACCOUNTS,
            &[&rows::tenant(tenant), &rows::slice(slice)],
        )
        .await?;
    decode::all(&found, "account", |row| {
        Ok(ReplicaAccount {
            uid: row.uid()?,
            id: row.external_id()?,
            name: row.take()?,
        })
    })
}

pub(super) async fn facts(
    pool: &Pool,
    tenant: TenantId,
    slice: Slice,
) -> Result<Vec<AccountFactRow>> {
    let found = pool
        .read(
            tenant,
            "reading facts",
            FACTS,
            &[&rows::tenant(tenant), &rows::slice(slice)],
        )
        .await?;
    decode::all(&found, "fact", |row| {
        Ok(AccountFactRow {
            uid: row.uid()?,
            sequence: row.sequence()?,
            ordinal: row.number::<i64, u32>()?,
            kind: row.kind()?,
            occurred_at: row.instant()?,
            known_at: row.instant()?,
            record: row.take()?,
        })
    })
}

/// Stores accounts and facts of a commit, within its transaction.
pub(super) async fn put(session: &Session, commit: &ReplicaCommit) -> Result<()> {
    put_accounts(
        session,
        PUT_ACCOUNTS,
        (commit.tenant, commit.slice),
        &commit.accounts,
    )
    .await?;
    if commit.facts.is_empty() {
        return Ok(());
    }
    let facts = &commit.facts;
    let uids: Vec<Uuid> = facts
        .iter()
        .map(|fact| Uuid::from_u128(fact.uid.0))
        .collect();
    let sequences: Vec<i64> = facts
        .iter()
        .map(|fact| rows::number(fact.sequence))
        .collect();
    let ordinals: Vec<i64> = facts.iter().map(|fact| i64::from(fact.ordinal)).collect();
    let kinds: Vec<i16> = facts
        .iter()
        .map(|fact| i16::from(fact.kind.code()))
        .collect();
    let occurred: Vec<i64> = facts.iter().map(|fact| fact.occurred_at.0).collect();
    let known: Vec<i64> = facts.iter().map(|fact| fact.known_at.0).collect();
    let records: Vec<&[u8]> = facts.iter().map(|fact| fact.record.as_slice()).collect();
    let statement = session.prepare(PUT_FACTS).await?;
    let (tenant, slice) = (rows::tenant(commit.tenant), rows::slice(commit.slice));
    session
        .query(
            &statement,
            &[
                &tenant, &slice, &uids, &sequences, &ordinals, &kinds, &occurred, &known, &records,
            ],
        )
        .await?;
    Ok(())
}

/// Stores new and renamed accounts by a statement of the service's own.
pub(super) async fn put_accounts(
    session: &Session,
    sql: &str,
    (tenant, slice): (TenantId, Slice),
    accounts: &[ReplicaAccount],
) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let accounts = rows::last_of_each(accounts, |account| account.uid);
    let uids: Vec<Uuid> = accounts
        .iter()
        .map(|account| Uuid::from_u128(account.uid.0))
        .collect();
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
    let names: Vec<_> = accounts
        .iter()
        .map(|account| rows::text(&account.name))
        .collect();
    let statement = session.prepare(sql).await?;
    session
        .query(
            &statement,
            &[
                &rows::tenant(tenant),
                &rows::slice(slice),
                &uids,
                &ids,
                &names,
            ],
        )
        .await?;
    Ok(())
}
