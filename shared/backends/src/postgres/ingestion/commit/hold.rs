//! Facts of unknown accounts: made known, kept, or released.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, AccountUid, PayloadHash, RecordIdentity, Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_store::Result;
use sextant_store::known::Home;
use sextant_store::port::{FactBatch, MAX_RELEASED, MAX_RELEASED_BYTES, NewFact};

use super::{Homes, decide, missing, resolve};
use crate::postgres::decode::{self, Fields};
use crate::postgres::rows;
use crate::postgres::session::Session;

const LOCK: &str = include_str!("../../../../queries/postgres/ingestion/lock_accounts.sql");
const INSERT_ACCOUNTS: &str =
    include_str!("../../../../queries/postgres/ingestion/insert_accounts.sql");
const FIND_HELD: &str = include_str!("../../../../queries/postgres/ingestion/find_held.sql");
const INSERT_HELD: &str = include_str!("../../../../queries/postgres/ingestion/insert_held.sql");
const INSERT_RELEASING: &str =
    include_str!("../../../../queries/postgres/ingestion/insert_releasing.sql");
const LIST_RELEASING: &str =
    include_str!("../../../../queries/postgres/ingestion/list_releasing.sql");
const CLEAR_RELEASING: &str =
    include_str!("../../../../queries/postgres/ingestion/clear_releasing.sql");
const TAKE_HELD: &str = include_str!("../../../../queries/postgres/ingestion/take_held.sql");
const TAKE_PLACED: &str = include_str!("../../../../queries/postgres/ingestion/take_placed.sql");
const NOTE_PLACED: &str = include_str!("../../../../queries/postgres/ingestion/note_placed.sql");

/// A fact that was held.
pub(super) struct Released {
    ordinal: u64,
    pub(super) identity: RecordIdentity,
    pub(super) payload: PayloadHash,
    pub(super) account: AccountKey,
    pub(super) home: Home,
    pub(super) source: String,
    pub(super) kind: FactKind,
    pub(super) occurred_at: Instant,
    pub(super) known_at: Instant,
    pub(super) historical: bool,
    pub(super) record: Vec<u8>,
}

/// How an account was made known.
#[derive(Clone, Copy)]
pub(super) struct Appeared {
    /// Place of the fact that did it, if the batch has it.
    pub(super) place: Option<usize>,
    /// Imported history did it.
    pub(super) historical: bool,
}

/// What a batch changes among the facts that wait for their account.
#[derive(Default)]
pub(super) struct Waiting {
    /// Held facts whose accounts have appeared, in the order in which they came, as far as one transaction goes.
    pub(super) released: Vec<Released>,
    /// Those accounts, by their keys.
    pub(super) appeared: BTreeMap<String, Appeared>,
    /// Places of the facts that wait from now on.
    pub(super) kept: Vec<usize>,
    /// Places of the facts that wait since before, or came twice.
    pub(super) again: Vec<usize>,
    /// Places of the facts that contradict one that waits.
    pub(super) contradicting: Vec<usize>,
    /// Keys that have a place and for which facts wait from now on: they are released next.
    pub(super) placed: BTreeSet<String>,
}

impl Waiting {
    /// Whether no more is released, so that some may be left.
    pub(super) fn is_full(&self) -> bool {
        let bytes = self.released.iter().map(|held| held.record.len());
        self.released.len() >= MAX_RELEASED || bytes.sum::<usize>() >= MAX_RELEASED_BYTES
    }

    /// The first of what is released in the list of what is held; nothing else ever has its place there.
    pub(super) fn first(&self) -> u64 {
        self.released.first().map_or(0, |held| held.ordinal)
    }
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
    lock(session, batch.tenant).await?;
    // Another writer may have made accounts known before it let the lock go.
    resolve(session, batch.tenant, &unknown, homes).await?;
    let mut waiting = Waiting {
        appeared: create(session, batch, homes).await?,
        ..Waiting::default()
    };
    if !waiting.appeared.is_empty() {
        waiting.released = release(session, batch.tenant, &waiting.appeared).await?;
    }
    if waiting.is_full() {
        note_rest(session, batch.tenant, &waiting.appeared).await?;
    }
    hold(session, batch, homes, &mut waiting).await?;
    let keys = batch.facts.iter().filter_map(|fact| fact.account.as_ref());
    let keys = keys.filter(|key| key.own().is_none());
    waiting.placed = note_placed(session, batch.tenant, keys).await?;
    Ok(waiting)
}

/// Takes a part of what waits for known accounts.
pub(super) async fn resume(session: &Session, tenant: TenantId) -> Result<Waiting> {
    lock(session, tenant).await?;
    let appeared = releasing(session, tenant).await?;
    let waiting = Waiting {
        released: release(session, tenant, &appeared).await?,
        appeared,
        ..Waiting::default()
    };
    if !waiting.is_full() {
        let clear = session.prepare(CLEAR_RELEASING).await?;
        session.execute(&clear, &[&rows::tenant(tenant)]).await?;
    }
    Ok(waiting)
}

pub(in crate::postgres::ingestion) async fn lock(
    session: &Session,
    tenant: TenantId,
) -> Result<()> {
    let lock = session.prepare(LOCK).await?;
    let key = rows::lock_key(tenant, rows::Guarded::Accounts);
    session.query(&lock, &[&key]).await?;
    Ok(())
}

/// Accounts that are known and for which facts may still wait. No fact of the batch in hand has made them known.
pub(super) async fn releasing(
    session: &Session,
    tenant: TenantId,
) -> Result<BTreeMap<String, Appeared>> {
    let list = session.prepare(LIST_RELEASING).await?;
    let found = session.query(&list, &[&rows::tenant(tenant)]).await?;
    let accounts = decode::all(&found, "account", |row: &mut Fields<'_>| {
        let (id, historical) = (row.take()?, row.take()?);
        let by = Appeared {
            place: None,
            historical,
        };
        Ok((id, by))
    })?;
    Ok(accounts.into_iter().collect())
}

/// Notes which of these keys have a place while facts wait for them, and returns those that were not noted before.
pub(in crate::postgres::ingestion) async fn note_placed(
    session: &Session,
    tenant: TenantId,
    keys: impl Iterator<Item = &AccountKey>,
) -> Result<BTreeSet<String>> {
    let keys: Vec<&str> = keys.map(AccountKey::as_str).collect();
    if keys.is_empty() {
        return Ok(BTreeSet::new());
    }
    let note = session.prepare(NOTE_PLACED).await?;
    let noted = session
        .query(&note, &[&rows::tenant(tenant), &keys])
        .await?;
    let noted = decode::all(&noted, "key", |row: &mut Fields<'_>| row.take())?;
    Ok(noted.into_iter().collect())
}

/// Notes that facts may still wait for these accounts.
async fn note_rest(
    session: &Session,
    tenant: TenantId,
    appeared: &BTreeMap<String, Appeared>,
) -> Result<()> {
    let insert = session.prepare(INSERT_RELEASING).await?;
    let ids: Vec<&str> = appeared.keys().map(String::as_str).collect();
    let historical: Vec<bool> = appeared.values().map(|by| by.historical).collect();
    session
        .execute(&insert, &[&rows::tenant(tenant), &ids, &historical])
        .await?;
    Ok(())
}

/// Makes the accounts known whose states are in the batch; returns those that were not known before.
async fn create<'b>(
    session: &Session,
    batch: &'b FactBatch,
    homes: &mut Homes<'b>,
) -> Result<BTreeMap<String, Appeared>> {
    let mut created = BTreeMap::new();
    let (mut ids, mut uids, mut slices) = (Vec::new(), Vec::new(), Vec::new());
    let brought = batch.facts.iter().enumerate();
    let brought = brought.filter_map(|(place, fact)| Some((place, fact, fact.brings()?)));
    for (place, fact, account) in brought {
        let Some(id) = fact.account.as_ref().map(AccountKey::as_str) else {
            continue;
        };
        if homes.contains_key(id) {
            continue;
        }
        let slice = Slice::of_account(&account, batch.n_slices);
        let uid = AccountUid(fact.new_account_uid);
        homes.insert(id, Home { uid, slice });
        let by = Appeared {
            place: Some(place),
            historical: fact.historical,
        };
        created.insert(id.to_owned(), by);
        ids.push(id);
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

/// Takes out facts that wait for accounts, and for keys that have a place, as far as one transaction goes.
async fn release(
    session: &Session,
    tenant: TenantId,
    appeared: &BTreeMap<String, Appeared>,
) -> Result<Vec<Released>> {
    let is_own = |key: &&str| AccountKey::stored(*key).own().is_some();
    let (ids, keys): (Vec<&str>, Vec<&str>) = appeared.keys().map(String::as_str).partition(is_own);
    let mut released = take(session, TAKE_HELD, tenant, &ids).await?;
    released.extend(take(session, TAKE_PLACED, tenant, &keys).await?);
    released.sort_unstable_by_key(|held| held.ordinal);
    Ok(released)
}

async fn take(
    session: &Session,
    sql: &str,
    tenant: TenantId,
    keys: &[&str],
) -> Result<Vec<Released>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let bounds = (rows::limit(MAX_RELEASED), rows::limit(MAX_RELEASED_BYTES));
    let take = session.prepare(sql).await?;
    let found = session
        .query(&take, &[&rows::tenant(tenant), &keys, &bounds.0, &bounds.1])
        .await?;
    decode::all(&found, "held record", |row: &mut Fields<'_>| {
        Ok(Released {
            ordinal: row.sequence()?,
            identity: decide::identity(row)?,
            payload: PayloadHash(row.id()?),
            account: row.account_key()?,
            home: Home {
                uid: AccountUid(row.id()?),
                slice: row.slice()?,
            },
            source: row.take()?,
            kind: row.kind()?,
            occurred_at: row.instant()?,
            known_at: row.instant()?,
            historical: row.take()?,
            record: row.take()?,
        })
    })
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
        .map(AccountKey::as_str)
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
