//! The one command: storing a batch of facts, exactly once, in one transaction.
//!
//! Messages to the database travel in three flights: the opening with the identities; the facts (with refusals, and with the
//! stored payloads of identities that were there); the counts, the feed and the commit. The last one takes the locks that
//! other writers of the tenant wait for, so nothing waits for more than a commit. A batch of accounts that this process has
//! not met takes one flight more, one of accounts that nobody knows a few, and one of history, or under a clock that stands
//! still, one more.

mod columns;
mod counts;
mod decide;
mod group;
pub(super) mod hold;

use std::collections::{BTreeMap, HashMap};

use futures_util::future::{try_join, try_join3};
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_store::known::Home;
use sextant_store::port::{
    Committed, FactAddress, FactBatch, FactEntry, NewRejection, Outcome, StoredFact, Trace,
};
use sextant_store::release::{Backlog, Released};
use sextant_store::{Error, Result};

use super::APPEND_FEED;
use super::accounts::{RESOLVE, account};
use super::known::{Homes, Known};
use super::recent::Recent;
use crate::postgres::decode::Fields;
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::{decode, rows};
use columns::{Announcements, FactColumns, Place};
use counts::Counts;
use decide::{Candidate, Decisions};
pub(super) use group::Group;
use group::{Heads, Member};
use hold::Waiting;

const INSERT_IDENTITIES: &str =
    include_str!("../../../queries/postgres/ingestion/insert_identities.sql");
const FIND_IDENTITIES: &str =
    include_str!("../../../queries/postgres/ingestion/find_identities.sql");
const INSERT_FACTS: &str = include_str!("../../../queries/postgres/ingestion/insert_facts.sql");
const LOCK_REJECTIONS: &str =
    include_str!("../../../queries/postgres/ingestion/lock_rejections.sql");
const INSERT_REJECTIONS: &str =
    include_str!("../../../queries/postgres/ingestion/insert_rejections.sql");
const ADD_COUNTS: &str = include_str!("../../../queries/postgres/ingestion/add_counts.sql");
const LOCK_TENANT_SHARED: &str =
    include_str!("../../../queries/postgres/ingestion/lock_tenant_shared.sql");
const TENANT_STATE: &str = include_str!("../../../queries/postgres/ingestion/tenant_state.sql");

/// What a transaction needs.
pub(super) type Parts<'p> = (&'p Pool, &'p Known, &'p Recent);

/// Stores batches, unless others are first (`None`); returns the result of each, and what still waits. The partitions that they
/// need exist.
pub(super) async fn commit(
    (pool, known, recent): Parts<'_>,
    group: &Group,
) -> Result<Option<(Vec<Committed>, Backlog)>> {
    let batch = &group.whole;
    if batch.facts.is_empty() && batch.rejections.is_empty() {
        return Ok(Some((group.split(&[], &Heads::new()), Backlog::None)));
    }
    let session = pool.session("committing facts").await?;
    let opened = pool.opened();
    session.begin(batch.tenant);
    let held = if batch.holds_history() || batch.fixed_clock.is_some() {
        hold_tenant(&session, batch.tenant).await?
    } else {
        Held::default()
    };
    if batch.holds_history() && !held.import_is_open {
        session.rollback().await?;
        return Err(Error::NoImport);
    }
    let mut homes = known.homes(opened, batch);
    let not_met = missing(batch, &homes);
    resolve(&session, batch.tenant, &not_met, &mut homes).await?;
    let waiting = hold::settle(&session, batch, &mut homes).await?;
    let candidates = decide::candidates((group, held.clock), &homes, &waiting);
    let mut decisions = Decisions::new(&candidates);
    // After the accounts have been found: of one that was found, it is seen whether something waits for it.
    let releasing = async {
        if candidates.is_empty() {
            return Ok(BTreeMap::new());
        }
        hold::releasing(&session, batch.tenant).await
    };
    let insert = insert_identities(&session, batch.tenant, &candidates, &mut decisions);
    let (mut releasing, ()) = try_join(releasing, insert).await?;
    releasing.retain(|account, _| {
        !waiting.appeared.contains_key(account) && !waiting.placed.contains(account)
    });
    let mut accounts = batch.facts.iter().filter_map(|fact| fact.account.as_ref());
    if !releasing.is_empty() && accounts.any(|account| releasing.contains_key(account.as_str())) {
        session.rollback().await?;
        return Ok(None);
    }
    let decided = (candidates, decisions);
    let (outcomes, heads) = write((&session, opened, recent), group, decided, &waiting).await?;
    let met = not_met
        .into_iter()
        .filter_map(|id| Some((id, *homes.get(id)?)));
    known.learn(opened, batch.tenant, met);
    let own = waiting.is_full() || !waiting.placed.is_empty();
    let backlog = match (own, releasing.is_empty()) {
        (true, _) => Backlog::Own,
        (false, true) => Backlog::None,
        (false, false) => Backlog::OfOthers,
    };
    Ok(Some((group.split(&outcomes, &heads), backlog)))
}

/// Stores a part of what waits for known accounts, on behalf of a call.
pub(super) async fn release((pool, _, recent): Parts<'_>, mut call: FactBatch) -> Result<Released> {
    let session = pool.session("releasing held records").await?;
    let opened = pool.opened();
    session.begin(call.tenant);
    let held = hold_tenant(&session, call.tenant).await?;
    let clock = held.clock.filter(|_| call.fixed_clock.is_some());
    let mut waiting = hold::resume(&session, call.tenant).await?;
    for by in waiting.appeared.values_mut() {
        by.historical &= held.import_is_open;
    }
    // An id of its own: no two parts begin with the same record.
    let first = u128::from(waiting.first());
    call.batch_id = call.batch_id.wrapping_add(first << u32::BITS);
    let rest = waiting.is_full();
    let Some(group) = Group::of(vec![call]) else {
        return Err(Error::unavailable("releasing held records", "no call"));
    };
    let candidates = decide::candidates((&group, clock), &Homes::new(), &waiting);
    let mut decisions = Decisions::new(&candidates);
    insert_identities(&session, group.whole.tenant, &candidates, &mut decisions).await?;
    let decided = (candidates, decisions);
    let (_, heads) = write((&session, opened, recent), &group, decided, &waiting).await?;
    let heads = heads
        .into_iter()
        .map(|((.., slice), sequence)| (slice, sequence));
    let heads: BTreeMap<Slice, u64> = heads.collect();
    Ok(Released {
        heads: heads.into_iter().collect(),
        rest,
    })
}

/// Stores the candidates whose identities were new, with all that belongs to them, and commits. Returns what became of each fact.
async fn write<'b>(
    (session, opened, recent): (&Session, u64, &Recent),
    group: &'b Group,
    (candidates, mut decisions): (Vec<Candidate<'b>>, Decisions),
    waiting: &'b Waiting,
) -> Result<(Vec<Outcome>, Heads)> {
    let batch = &group.whole;
    let (announcements, places) = store(session, group, &candidates, &mut decisions).await?;
    let outcomes = decisions.outcomes(batch, &candidates, waiting);
    let counts = Counts::of(batch, &candidates, &decisions, waiting, &outcomes);
    let heads = finish(session, group, &counts, &announcements).await?;
    let accepted = decisions.accepted(&candidates);
    let entries = entries(group, accepted.into_iter().zip(places), &heads);
    recent.remember(opened, batch.tenant, entries);
    Ok((outcomes, heads))
}

/// What stays as it is until the commit.
#[derive(Default)]
struct Held {
    import_is_open: bool,
    /// Where a clock that stands still stands now.
    clock: Option<Instant>,
}

/// Keeps an import that is open from being completed, and a clock that stands still from being moved, before the commit. Before
/// any other lock, for who waits here must not be waited for.
async fn hold_tenant(session: &Session, tenant: TenantId) -> Result<Held> {
    let (lock, state) = (
        session.prepare(LOCK_TENANT_SHARED).await?,
        session.prepare(TENANT_STATE).await?,
    );
    let key = rows::lock_key(tenant, rows::Guarded::State);
    let tenant = rows::tenant(tenant);
    // They travel together, and the second one sees what was committed until the first has its lock.
    let (_, found) = try_join(
        session.query(&lock, &[&key]),
        session.query(&state, &[&tenant]),
    )
    .await?;
    let held = decode::all(&found, "tenant", |row: &mut Fields<'_>| {
        Ok(Held {
            import_is_open: row.take()?,
            clock: row.maybe_instant()?,
        })
    })?;
    Ok(held.into_iter().next().unwrap_or_default())
}

/// The accounts of a batch that are not among `homes`, each once, in order.
fn missing<'b>(batch: &'b FactBatch, homes: &Homes<'b>) -> Vec<&'b str> {
    let accounts = batch.facts.iter().filter_map(|fact| fact.account.as_ref());
    let mut missing: Vec<&str> = accounts
        .map(|id| id.as_str())
        .filter(|id| !homes.contains_key(id))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// Adds the homes of accounts, given in order, that are stored.
async fn resolve<'b>(
    session: &Session,
    tenant: TenantId,
    ids: &[&'b str],
    homes: &mut Homes<'b>,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let resolve = session.prepare(RESOLVE).await?;
    let found = session
        .query(&resolve, &[&rows::tenant(tenant), &ids])
        .await?;
    for account in decode::all(&found, "account", account)? {
        let place = ids.binary_search(&account.id.as_str());
        if let Some(id) = place.ok().and_then(|place| ids.get(place)) {
            let home = Home {
                uid: account.uid,
                slice: account.slice,
            };
            homes.insert(id, home);
        }
    }
    Ok(())
}

/// The entries that a commit has written, as they are read.
fn entries<'c, 'b: 'c>(
    group: &Group,
    accepted: impl Iterator<Item = (&'c Candidate<'b>, Place)>,
    heads: &Heads,
) -> impl Iterator<Item = (Slice, FactEntry)> {
    let mut facts: BTreeMap<Place, Vec<StoredFact>> = BTreeMap::new();
    for (fact, place) in accepted {
        let of_entry = facts.entry(place).or_default();
        of_entry.push(StoredFact {
            uid: fact.uid,
            kind: fact.kind,
            occurred_at: fact.occurred_at,
            known_at: fact.known_at,
            historical: fact.historical,
            record: fact.record.to_vec(),
        });
    }
    facts.into_iter().filter_map(|(place, facts)| {
        let (member, _, slice) = place;
        let first = FactAddress {
            batch_id: group.batch_id(place).as_u128(),
            ordinal: 0,
        };
        let member = group.members.get(member)?;
        let entry = FactEntry {
            sequence: *heads.get(&place)?,
            recorded_at: Instant(member.recorded_at),
            facts,
            first: Some(first),
            import: None,
            clock: None,
            trace: member.trace,
        };
        Some((slice, entry))
    })
}

/// Puts the identities of the candidates into the dedupe table; what was there already is not new.
async fn insert_identities(
    session: &Session,
    tenant: TenantId,
    candidates: &[Candidate<'_>],
    decisions: &mut Decisions,
) -> Result<()> {
    let wanted = decisions.wanted(candidates);
    if wanted.is_empty() {
        return Ok(());
    }
    let hours: Vec<i32> = wanted
        .iter()
        .map(|candidate| candidate.identity.hour)
        .collect();
    let hashes: Vec<Uuid> = wanted
        .iter()
        .map(|candidate| Uuid::from_u128(candidate.identity.hash))
        .collect();
    let payloads: Vec<Uuid> = wanted
        .iter()
        .map(|candidate| Uuid::from_u128(candidate.payload.0))
        .collect();
    let insert = session.prepare(INSERT_IDENTITIES).await?;
    let inserted = session
        .query(
            &insert,
            &[&rows::tenant(tenant), &hours, &hashes, &payloads],
        )
        .await?;
    decisions.inserted(&decode::all(&inserted, "identity", decide::identity)?);
    Ok(())
}

/// Stores the facts that are new, and the refused records; finds the payloads of those that are not new. Returns the entries, and
/// which of them each fact is in.
async fn store(
    session: &Session,
    group: &Group,
    candidates: &[Candidate<'_>],
    decisions: &mut Decisions,
) -> Result<(Announcements, Vec<Place>)> {
    let batch = &group.whole;
    let accepted = decisions.accepted(candidates);
    let known = decisions.known_before(candidates);
    let (insert, find, reject) = (
        session.prepare(INSERT_FACTS).await?,
        session.prepare(FIND_IDENTITIES).await?,
        session.prepare(INSERT_REJECTIONS).await?,
    );
    let facts = FactColumns::of(group, &accepted);
    let (hours, hashes): (Vec<i32>, Vec<Uuid>) = known
        .iter()
        .map(|candidate| {
            (
                candidate.identity.hour,
                Uuid::from_u128(candidate.identity.hash),
            )
        })
        .unzip();
    let tenant = rows::tenant(batch.tenant);

    let fact_params = facts.params(&tenant);
    let known_params: [&(dyn ToSql + Sync); 3] = [&tenant, &hours, &hashes];
    let (_, payloads, _) = try_join3(
        async {
            if accepted.is_empty() {
                Ok(Vec::new())
            } else {
                session.query(&insert, &fact_params).await
            }
        },
        async {
            if known.is_empty() {
                Ok(Vec::new())
            } else {
                session.query(&find, &known_params).await
            }
        },
        reject_records(session, &reject, batch, &batch.rejections),
    )
    .await?;
    decisions.stored(decode::all(
        &payloads,
        "identity",
        decide::identity_and_payload,
    )?);
    let contradicting = decisions.contradicting(candidates);
    reject_records(session, &reject, batch, &contradicting).await?;
    Ok((facts.announcements, facts.places))
}

/// Stores the refused records.
async fn reject_records(
    session: &Session,
    insert: &Statement,
    batch: &FactBatch,
    rejections: &[NewRejection],
) -> Result<()> {
    if rejections.is_empty() {
        return Ok(());
    }
    let column = |text: fn(&NewRejection) -> &str| -> Vec<_> {
        rejections
            .iter()
            .map(|rejection| rows::text(text(rejection)))
            .collect()
    };
    let (sources, fields) = (
        column(|rejection| &rejection.source),
        column(|rejection| &rejection.field),
    );
    let (reasons, hints) = (
        column(|rejection| &rejection.reason),
        column(|rejection| &rejection.hint),
    );
    let keys: Vec<Uuid> = rejections
        .iter()
        .map(|rejection| Uuid::from_u128(rejection.key.0))
        .collect();
    let records: Vec<&[u8]> = rejections
        .iter()
        .map(|rejection| rejection.record.as_slice())
        .collect();
    let lock = session.prepare(LOCK_REJECTIONS).await?;
    let key = rows::lock_key(batch.tenant, rows::Guarded::Rejections);
    session.query(&lock, &[&key]).await?;
    let tenant = rows::tenant(batch.tenant);
    let params: [&(dyn ToSql + Sync); 8] = [
        &tenant,
        &batch.recorded_at.0,
        &keys,
        &sources,
        &fields,
        &reasons,
        &hints,
        &records,
    ];
    session.query(insert, &params).await?;
    Ok(())
}

/// Adds the counts, announces what was stored, and commits.
async fn finish(
    session: &Session,
    group: &Group,
    counts: &Counts<'_>,
    announcements: &Announcements,
) -> Result<Heads> {
    let (add, append) = (
        session.prepare(ADD_COUNTS).await?,
        session.prepare(APPEND_FEED).await?,
    );
    let tenant = rows::tenant(group.whole.tenant);
    let columns = counts.columns();
    let count_params = columns.params(&tenant);
    if announcements.is_empty() {
        session.query(&add, &count_params).await?;
        session.commit().await?;
        return Ok(Heads::new());
    }
    let members: Vec<&Member> = announcements
        .keys()
        .filter_map(|(member, ..)| group.members.get(*member))
        .collect();
    let recorded: Vec<i64> = members.iter().map(|member| member.recorded_at).collect();
    let places = announcements.keys();
    let batch_ids: Vec<Uuid> = places.map(|place| group.batch_id(*place)).collect();
    let slices: Vec<i32> = announcements
        .keys()
        .map(|(.., slice)| rows::slice(*slice))
        .collect();
    let first: Vec<i64> = announcements.values().map(|entry| entry.first_at).collect();
    let last: Vec<i64> = announcements.values().map(|entry| entry.last_at).collect();
    let bytes: Vec<i64> = announcements
        .values()
        .map(|entry| entry.record_bytes)
        .collect();
    let traces: Vec<Option<&[u8]>> = members
        .iter()
        .map(|member| member.trace.as_ref().map(Trace::as_slice))
        .collect();
    let (no_import, no_clock) = (None::<i16>, None::<i64>);
    let feed_params: [&(dyn ToSql + Sync); 10] = [
        &tenant, &recorded, &batch_ids, &slices, &first, &last, &bytes, &no_import, &no_clock,
        &traces,
    ];
    let (_, heads) = try_join(
        session.query(&add, &count_params),
        session.last(&append, &feed_params),
    )
    .await?;
    let numbers = decode::all(&heads, "feed head", |row| {
        let (slice, sequence) = (row.slice()?, row.sequence()?);
        Ok(((slice, row.id()?), sequence))
    })?;
    let numbers: HashMap<(Slice, u128), u64> = numbers.into_iter().collect();
    let numbered = announcements.keys().filter_map(|place| {
        let key = (place.2, group.batch_id(*place).as_u128());
        Some((*place, *numbers.get(&key)?))
    });
    Ok(numbered.collect())
}
