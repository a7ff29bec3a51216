//! Records that wait for their account.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant;

use crate::Error;
use crate::embedded::failure::Work;
use crate::embedded::ingestion::commit::counts::Counts;
use crate::embedded::ingestion::commit::dedupe::Dedupe;
use crate::embedded::ingestion::commit::{Appeared, Target, find_account};
use crate::embedded::ingestion::places;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number};
use crate::known::{Home, KnownAccounts};
use crate::port::{FactBatch, MAX_RELEASED, MAX_RELEASED_BYTES, NewRejection, Outcome};

/// A record that waited and is stored now.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) home: Home,
    pub(super) kind: FactKind,
    pub(super) occurred_at: Instant,
    pub(super) known_at: Instant,
    pub(super) historical: bool,
    pub(super) record: Vec<u8>,
}

/// What one transaction takes out of the held table.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Those whose identity was free.
    pub(super) replayed: Vec<Replayed>,
    /// Those whose identity another record has taken.
    pub(super) contradicting: Vec<NewRejection>,
    /// The place of the first one in the list of what is held; it never has another.
    pub(super) first: Option<u64>,
    records: usize,
    bytes: usize,
}

impl Taken {
    /// Whether it takes no more, so that some may be left.
    pub(super) fn is_full(&self) -> bool {
        self.records >= MAX_RELEASED || self.bytes >= MAX_RELEASED_BYTES
    }
}

/// Takes the records of accounts that have appeared, and of keys that have a place, out of the held table, one after the other, as far
/// as one transaction goes. Until `now` nobody could know what they say of the account, except where history waited for an account
/// that history made known.
pub(super) fn replay(
    (connection, known): (&Connection, &mut KnownAccounts),
    (dedupe, counts): (&mut Dedupe<'_>, &mut Counts),
    tenant: TenantId,
    appeared: &[Appeared],
    now: Instant,
) -> Work<Taken> {
    let mut of_account = connection.prepare_cached(sql!("ingestion/held_of_account"))?;
    let mut of_key = connection.prepare_cached(sql!("ingestion/held_of_key"))?;
    let mut taken = Taken::default();
    for account in appeared {
        if taken.is_full() {
            break;
        }
        let waiting = match account.key.own() {
            Some(_) => &mut of_account,
            None => &mut of_key,
        };
        let mut places = Vec::new();
        let mut rows = waiting.query(params![id(tenant.0), account.key.as_str()])?;
        while !taken.is_full()
            && let Some(row) = rows.next()?
        {
            let ordinal = row.number(0)?;
            taken.first.get_or_insert(ordinal);
            let identity = RecordIdentity {
                hour: row.get(1)?,
                hash: row.id(2)?,
            };
            places.push((ordinal, identity));
            let record = row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?;
            taken.records += 1;
            taken.bytes += record.len();
            let outcome = dedupe.admit(identity, PayloadHash(row.id(3)?))?;
            let source = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
            counts.replayed(source, outcome);
            if outcome == Outcome::Conflict {
                let contradicting = NewRejection::of_contradiction(source, record.to_vec());
                taken.contradicting.push(contradicting);
            }
            if outcome != Outcome::Accepted {
                continue;
            }
            let home = row.get_ref(10)?.as_str().map_err(rusqlite::Error::from)?;
            let home = find_account(connection, known, tenant, home)?.ok_or_else(|| {
                Error::Unreadable {
                    what: format!("place in account \"{home}\", which is not stored"),
                }
            })?;
            let historical = row.get::<_, bool>(8)? && account.historical;
            let known_at = row.instant(7)?;
            taken.replayed.push(Replayed {
                home,
                kind: row.kind(5)?,
                occurred_at: row.instant(6)?,
                known_at: if historical { known_at } else { now },
                historical,
                record: record.to_vec(),
            });
        }
        drop(rows);
        remove(connection, tenant, &account.key, &places)?;
    }
    Ok(taken)
}

/// Removes records that no longer wait for a key: all up to the last one of an account; of another key, for which some go on waiting,
/// each for itself.
fn remove(
    connection: &Connection,
    tenant: TenantId,
    key: &AccountKey,
    taken: &[(u64, RecordIdentity)],
) -> Work<()> {
    let tenant = id(tenant.0);
    if key.own().is_some() {
        if let Some((last, _)) = taken.last() {
            let mut delete = connection.prepare_cached(sql!("ingestion/held_delete"))?;
            delete.execute(params![tenant, key.as_str(), number(*last)])?;
        }
        return Ok(());
    }
    let mut delete = connection.prepare_cached(sql!("ingestion/held_take"))?;
    for (_, identity) in taken {
        delete.execute(params![tenant, identity.hour, id(identity.hash)])?;
    }
    Ok(())
}

/// Accounts that are known, and keys that have a place, and for which records may still wait; whether history has made each known.
pub(super) fn releasing(
    connection: &Connection,
    tenant: TenantId,
) -> Work<BTreeMap<AccountKey, bool>> {
    let mut list = connection.prepare_cached(sql!("ingestion/releasing_list"))?;
    let accounts = list.query_map(params![id(tenant.0)], |row| {
        Ok((AccountKey::stored(row.get::<_, String>(0)?), row.get(1)?))
    })?;
    Ok(accounts.collect::<rusqlite::Result<_>>()?)
}

/// Notes that records may still wait for these accounts.
pub(super) fn note_rest(
    connection: &Connection,
    tenant: TenantId,
    appeared: &[Appeared],
) -> Work<()> {
    let mut insert = connection.prepare_cached(sql!("ingestion/releasing_insert"))?;
    for account in appeared {
        insert.execute(params![
            id(tenant.0),
            account.key.as_str(),
            account.historical
        ])?;
    }
    Ok(())
}

/// Nothing waits for a known account any more.
pub(super) fn all_released(connection: &Connection, tenant: TenantId) -> Work<()> {
    let mut clear = connection.prepare_cached(sql!("ingestion/releasing_clear"))?;
    clear.execute(params![id(tenant.0)])?;
    Ok(())
}

/// Holds the records of a batch whose accounts are not known, and sets their outcomes. Tells whether some wait for a key that has a
/// place: they are stored next.
pub(super) fn hold(
    connection: &Connection,
    counts: &mut Counts,
    batch: &FactBatch,
    targets: &[Target],
    outcomes: &mut [Outcome],
) -> Work<bool> {
    let tenant = id(batch.tenant.0);
    let mut find = connection.prepare_cached(sql!("ingestion/held_payload"))?;
    let mut ordinal = connection.prepare_cached(sql!("ingestion/ordinal_next"))?;
    let mut insert = connection.prepare_cached(sql!("ingestion/held_insert"))?;
    for (place, fact) in batch.facts.iter().enumerate() {
        let (Target::Unknown, Some(account), Some(source)) =
            (targets[place], &fact.account, batch.sources.get(place))
        else {
            continue;
        };
        let (hour, hash) = (fact.identity.hour, id(fact.identity.hash));
        let waiting = find
            .query_row(params![tenant, hour, hash], |row| row.id(0))
            .optional()?;
        if let Some(payload) = waiting {
            if payload != fact.payload.0 {
                outcomes[place] = Outcome::Conflict;
                counts.decided(source, Outcome::Conflict);
            }
            continue;
        }
        let place_in_list: i64 = ordinal.query_row(params![tenant], |row| row.get(0))?;
        insert.execute(params![
            tenant,
            hour,
            hash,
            id(fact.payload.0),
            place_in_list,
            account.as_str(),
            &**source,
            fact.kind.code(),
            fact.occurred_at.0,
            fact.known_at.0,
            fact.historical,
            batch.recorded_at.0,
            fact.record
        ])?;
        counts.decided(source, Outcome::Held);
    }
    let keys = batch.facts.iter().filter_map(|fact| fact.account.as_ref());
    places::note(
        connection,
        batch.tenant,
        keys.filter(|key| key.own().is_none()),
    )
}
