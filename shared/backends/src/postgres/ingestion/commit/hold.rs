//! Facts of unknown accounts: made known, kept, or released.

use std::collections::HashMap;

use uuid::Uuid;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, ExternalId, PayloadHash, RecordIdentity, Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_store::Result;
use sextant_store::port::{FactBatch, NewFact};

use super::{Homes, decide, missing, resolve};
use crate::postgres::decode::{self, Fields};
use crate::postgres::rows;
use crate::postgres::session::Session;

const LOCK: &str = include_str!("../../../../queries/postgres/ingestion/lock_accounts.sql");
const INSERT_ACCOUNTS: &str =
    include_str!("../../../../queries/postgres/ingestion/insert_accounts.sql");
const FIND_HELD: &str = include_str!("../../../../queries/postgres/ingestion/find_held.sql");
const INSERT_HELD: &str = include_str!("../../../../queries/postgres/ingestion/insert_held.sql");
const TAKE_HELD: &str = include_str!("../../../../queries/postgres/ingestion/take_held.sql");

/// A fact that was held.
pub(super) struct Released {
    ordinal: u64,
    pub(super) identity: RecordIdentity,
    pub(super) payload: PayloadHash,
    pub(super) account: ExternalId,
    pub(super) source: String,
    pub(super) kind: FactKind,
    pub(super) occurred_at: Instant,
    pub(super) known_at: Instant,
    pub(super) historical: bool,
    pub(super) record: Vec<u8>,
}

/// What a batch changes among the facts that wait for their account.
#[derive(Default)]
pub(super) struct Waiting {
    /// Held facts whose accounts have just appeared, in the order in which they came.
    pub(super) released: Vec<Released>,
    /// Places of the facts that made those accounts known, by external id.
    pub(super) released_by: HashMap<String, usize>,
    /// Places of the facts that wait from now on.
    pub(super) kept: Vec<usize>,
    /// Places of the facts that wait since before, or came twice.
    pub(super) again: Vec<usize>,
    /// Places of the facts that contradict one that waits.
    pub(super) contradicting: Vec<usize>,
}

/// Makes accounts known, releases what waited for them and keeps the facts of those that stay unknown, if there are unknown
/// ones at all.
///
/// All of it is done under a lock per tenant until the commit. Without it, one writer could keep a fact while another makes
/// its account known, neither seeing the other's row, and the fact would wait for ever.
pub(super) async fn settle<'b>(
    session: &Session,
    batch: &'b FactBatch,
    homes: &mut Homes<'b>,
) -> Result<Waiting> {
    let unknown = missing(batch, homes);
    if unknown.is_empty() {
        return Ok(Waiting::default());
    }
    let lock = session.prepare(LOCK).await?;
    session
        .query(
            &lock,
            &[&rows::lock_key(batch.tenant, rows::Guarded::Accounts)],
        )
        .await?;
    // Another writer may have made accounts known before it let the lock go.
    resolve(session, batch.tenant, &unknown, homes).await?;
    let mut waiting = Waiting {
        released_by: create(session, batch, homes).await?,
        ..Waiting::default()
    };
    if !waiting.released_by.is_empty() {
        let appeared: Vec<&str> = waiting.released_by.keys().map(String::as_str).collect();
        waiting.released = release(session, batch.tenant, &appeared).await?;
    }
    hold(session, batch, homes, &mut waiting).await?;
    Ok(waiting)
}

/// Makes the accounts known whose states are in the batch; returns those that were not known before, and the places of
/// their states.
async fn create<'b>(
    session: &Session,
    batch: &'b FactBatch,
    homes: &mut Homes<'b>,
) -> Result<HashMap<String, usize>> {
    let mut created = HashMap::new();
    let (mut ids, mut uids, mut slices) = (Vec::new(), Vec::new(), Vec::new());
    for (place, fact) in batch
        .facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| fact.kind == FactKind::Account)
    {
        let Some(id) = fact
            .account
            .as_ref()
            .filter(|id| !homes.contains_key(id.as_str()))
        else {
            continue;
        };
        let slice = Slice::of_account(id, batch.n_slices);
        homes.insert(id.as_str(), (AccountUid(fact.new_account_uid), slice));
        created.insert(id.as_str().to_owned(), place);
        ids.push(id.as_str());
        uids.push(Uuid::from_u128(fact.new_account_uid));
        slices.push(rows::slice(slice));
    }
    if !ids.is_empty() {
        let insert = session.prepare(INSERT_ACCOUNTS).await?;
        session
            .query(
                &insert,
                &[&rows::tenant(batch.tenant), &ids, &uids, &slices],
            )
            .await?;
    }
    Ok(created)
}

async fn release(session: &Session, tenant: TenantId, appeared: &[&str]) -> Result<Vec<Released>> {
    let take = session.prepare(TAKE_HELD).await?;
    let found = session
        .query(&take, &[&rows::tenant(tenant), &appeared])
        .await?;
    let mut released = decode::all(&found, "held record", |row: &mut Fields<'_>| {
        Ok(Released {
            ordinal: row.sequence()?,
            identity: decide::identity(row)?,
            payload: PayloadHash(row.id()?),
            account: row.external_id()?,
            source: row.take()?,
            kind: row.kind()?,
            occurred_at: row.instant()?,
            known_at: row.instant()?,
            historical: row.take()?,
            record: row.take()?,
        })
    })?;
    released.sort_unstable_by_key(|held| held.ordinal);
    Ok(released)
}

/// Keeps the facts whose accounts are unknown.
async fn hold(
    session: &Session,
    batch: &FactBatch,
    homes: &Homes<'_>,
    waiting: &mut Waiting,
) -> Result<()> {
    let unknown: Vec<usize> = batch
        .facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| {
            fact.account
                .as_ref()
                .is_some_and(|id| !homes.contains_key(id.as_str()))
        })
        .map(|(place, _)| place)
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let facts: Vec<(usize, &NewFact)> = unknown
        .iter()
        .filter_map(|place| Some((*place, batch.facts.get(*place)?)))
        .collect();
    let hours: Vec<i32> = facts.iter().map(|(_, fact)| fact.identity.hour).collect();
    let hashes: Vec<Uuid> = facts
        .iter()
        .map(|(_, fact)| Uuid::from_u128(fact.identity.hash))
        .collect();
    let find = session.prepare(FIND_HELD).await?;
    let found = session
        .query(&find, &[&rows::tenant(batch.tenant), &hours, &hashes])
        .await?;
    let mut held: HashMap<RecordIdentity, PayloadHash> =
        decode::all(&found, "held record", decide::identity_and_payload)?
            .into_iter()
            .collect();
    for (place, fact) in facts {
        match held.get(&fact.identity) {
            Some(payload) if *payload == fact.payload => waiting.again.push(place),
            Some(_) => waiting.contradicting.push(place),
            None => {
                held.insert(fact.identity, fact.payload);
                waiting.kept.push(place);
            },
        }
    }
    insert_held(session, batch, &waiting.kept).await
}

async fn insert_held(session: &Session, batch: &FactBatch, kept: &[usize]) -> Result<()> {
    if kept.is_empty() {
        return Ok(());
    }
    let facts: Vec<&NewFact> = kept
        .iter()
        .filter_map(|place| batch.facts.get(*place))
        .collect();
    let sources: Vec<_> = kept
        .iter()
        .filter_map(|place| batch.sources.get(*place))
        .map(|source| rows::text(source))
        .collect();
    let hours: Vec<i32> = facts.iter().map(|fact| fact.identity.hour).collect();
    let hashes: Vec<Uuid> = facts
        .iter()
        .map(|fact| Uuid::from_u128(fact.identity.hash))
        .collect();
    let payloads: Vec<Uuid> = facts
        .iter()
        .map(|fact| Uuid::from_u128(fact.payload.0))
        .collect();
    let accounts: Vec<&str> = facts
        .iter()
        .filter_map(|fact| fact.account.as_ref())
        .map(ExternalId::as_str)
        .collect();
    let kinds: Vec<i16> = facts
        .iter()
        .map(|fact| i16::from(fact.kind.code()))
        .collect();
    let occurred: Vec<i64> = facts.iter().map(|fact| fact.occurred_at.0).collect();
    let known: Vec<i64> = facts.iter().map(|fact| fact.known_at.0).collect();
    let historical: Vec<bool> = facts.iter().map(|fact| fact.historical).collect();
    let records: Vec<&[u8]> = facts.iter().map(|fact| fact.record.as_slice()).collect();
    let insert = session.prepare(INSERT_HELD).await?;
    let tenant = rows::tenant(batch.tenant);
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 12] = [
        &tenant,
        &batch.recorded_at.0,
        &hours,
        &hashes,
        &payloads,
        &accounts,
        &sources,
        &kinds,
        &occurred,
        &known,
        &historical,
        &records,
    ];
    session.query(&insert, &params).await?;
    Ok(())
}
