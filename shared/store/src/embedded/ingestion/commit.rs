//! The one command: storing a batch of facts.

mod counts;
mod dedupe;
mod held;

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, AccountUid, Slice, TenantId};
use sextant_domain::time::Instant;

use crate::Error;
use crate::embedded::failure::Work;
use crate::embedded::feed;
use crate::embedded::ingestion::commit::counts::{Counts, note_arrivals};
use crate::embedded::ingestion::commit::dedupe::Dedupe;
use crate::embedded::ingestion::commit::held::Replayed;
use crate::embedded::ingestion::entry::Entry;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number};
use crate::known::{Home, KnownAccounts};
use crate::port::{Committed, FactBatch, MAX_ENTRY_BYTES, NewFact, NewRejection, Outcome};
use crate::release::{Backlog, Released, Written};

/// Where a fact of a batch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// It is about a user alone.
    User,
    /// It is about a known account.
    Account(Home),
    /// Its account is not known.
    Unknown,
}

impl Target {
    fn slice(self) -> Slice {
        match self {
            Self::Account(home) => home.slice,
            Self::User | Self::Unknown => Slice(0),
        }
    }

    fn uid(self) -> Option<AccountUid> {
        match self {
            Self::Account(home) => Some(home.uid),
            Self::User | Self::Unknown => None,
        }
    }
}

/// A fact as it is stored.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    slice: Slice,
    uid: Option<AccountUid>,
    kind: FactKind,
    occurred_at: Instant,
    known_at: Instant,
    historical: bool,
    record: &'a [u8],
}

impl<'a> Line<'a> {
    fn of_new(fact: &'a NewFact, target: Target, clock: Option<Instant>) -> Self {
        Self {
            slice: target.slice(),
            uid: target.uid(),
            kind: fact.kind,
            occurred_at: fact.occurred_at,
            known_at: fact.known_by(clock),
            historical: fact.historical,
            record: &fact.record,
        }
    }

    fn of_replayed(fact: &'a Replayed) -> Self {
        Self {
            slice: fact.home.slice,
            uid: Some(fact.home.uid),
            kind: fact.kind,
            occurred_at: fact.occurred_at,
            known_at: fact.known_at,
            historical: fact.historical,
            record: &fact.record,
        }
    }
}

/// Stores a batch, unless others are first; the steps are those of [`crate::port::Facts`].
pub(super) fn commit(
    connection: &Connection,
    known: &mut KnownAccounts,
    batch: FactBatch,
) -> Work<Written> {
    let batch = Box::new(batch);
    if batch.holds_history() && !import_is_open(connection, batch.tenant)? {
        return Err(Error::NoImport.into());
    }
    let releasing = held::releasing(connection, batch.tenant)?;
    let mut accounts = batch.facts.iter().filter_map(|fact| fact.account.as_ref());
    if accounts.any(|account| releasing.contains_key(account)) {
        return Ok(Written::Behind(batch));
    }
    let (committed, rest) = store_batch(connection, known, &batch)?;
    let backlog = match rest {
        true => Backlog::Own,
        false if releasing.is_empty() => Backlog::None,
        false => Backlog::OfOthers,
    };
    Ok(Written::Stored(committed, backlog))
}

/// Stores a batch, and tells whether more may wait for its accounts.
fn store_batch(
    connection: &Connection,
    known: &mut KnownAccounts,
    batch: &FactBatch,
) -> Work<(Committed, bool)> {
    let clock = match batch.fixed_clock {
        Some(_) => clock_of(connection, batch.tenant)?,
        None => None,
    };
    let mut counts = Counts::default();
    let mut dedupe = Dedupe::prepare(connection, batch.tenant)?;
    let appeared = create_accounts(connection, known, batch)?;
    let targets = resolve(connection, known, batch)?;
    let now = clock.unwrap_or(batch.recorded_at);
    let tables = (&mut dedupe, &mut counts);
    let taken = held::replay((connection, known), tables, batch.tenant, &appeared, now)?;
    if taken.is_full() {
        held::note_rest(connection, batch.tenant, &appeared)?;
    }
    let mut outcomes = dedupe.decide(batch, &targets)?;
    let placed = held::hold(connection, &mut counts, batch, &targets, &mut outcomes)?;
    for ((outcome, target), source) in outcomes.iter().zip(&targets).zip(&batch.sources) {
        if *target != Target::Unknown {
            counts.decided(source, *outcome);
        }
    }
    for rejection in &batch.rejections {
        counts.rejected(&rejection.source);
    }
    let of = (batch.tenant, batch.recorded_at);
    reject(connection, of, &batch.rejections)?;
    reject(connection, of, &taken.contradicting)?;
    counts.store(connection, batch.tenant)?;
    note_arrivals(connection, batch)?;
    let heads = store(
        connection,
        batch,
        lines(batch, clock, (&targets, &outcomes, &taken.replayed)),
    )?;
    Ok((Committed { outcomes, heads }, placed || taken.is_full()))
}

/// Stores a part of what waits for known accounts, on behalf of a call.
pub(super) fn release(
    connection: &Connection,
    known: &mut KnownAccounts,
    mut call: FactBatch,
) -> Work<Released> {
    let tenant = call.tenant;
    let releasing = held::releasing(connection, tenant)?;
    let import_is_open = import_is_open(connection, tenant)?;
    let mut appeared = Vec::with_capacity(releasing.len());
    for (key, historical) in &releasing {
        appeared.push(Appeared {
            key: key.clone(),
            historical: *historical && import_is_open,
        });
    }
    let now = match call.fixed_clock {
        Some(_) => clock_of(connection, tenant)?,
        None => None,
    };
    let now = now.unwrap_or(call.recorded_at);
    let mut counts = Counts::default();
    let mut dedupe = Dedupe::prepare(connection, tenant)?;
    let tables = (&mut dedupe, &mut counts);
    let taken = held::replay((connection, known), tables, tenant, &appeared, now)?;
    if !taken.is_full() {
        held::all_released(connection, tenant)?;
    }
    reject(connection, (tenant, call.recorded_at), &taken.contradicting)?;
    counts.store(connection, tenant)?;
    // An id of its own: no two parts begin with the same record.
    let first = u128::from(taken.first.unwrap_or_default());
    call.batch_id = call.batch_id.wrapping_add(first << u32::BITS);
    let lines = lines(&call, None, (&[], &[], &taken.replayed));
    Ok(Released {
        heads: store(connection, &call, lines)?,
        rest: taken.is_full(),
    })
}

fn import_is_open(connection: &Connection, tenant: TenantId) -> Work<bool> {
    let mut find = connection.prepare_cached(sql!("ingestion/tenant_import_is_open"))?;
    Ok(find.exists(params![id(tenant.0)])?)
}

/// Where the clock of a tenant stands now: it may have been moved since the batch passed the door.
fn clock_of(connection: &Connection, tenant: TenantId) -> Work<Option<Instant>> {
    let mut find = connection.prepare_cached(sql!("ingestion/tenant_clock"))?;
    let found = find.query_row(params![id(tenant.0)], |row| row.instant_or_none(0));
    Ok(found.optional()?.flatten())
}

/// An account that a batch has made known, or a key that has a place.
#[derive(Debug, Clone)]
struct Appeared {
    key: AccountKey,
    /// True: by imported history.
    historical: bool,
}

/// Creates the accounts that the batch brings and returns them.
fn create_accounts(
    connection: &Connection,
    known: &mut KnownAccounts,
    batch: &FactBatch,
) -> Work<Vec<Appeared>> {
    let mut appeared = Vec::new();
    let mut insert = connection.prepare_cached(sql!("ingestion/account_insert"))?;
    for fact in &batch.facts {
        let Some(account) = fact.brings() else {
            continue;
        };
        if find_account(connection, known, batch.tenant, account.as_str())?.is_some() {
            continue;
        }
        let home = Home {
            uid: AccountUid(fact.new_account_uid),
            slice: Slice::of_account(&account, batch.n_slices),
        };
        insert.execute(params![
            id(batch.tenant.0),
            account.as_str(),
            id(home.uid.0),
            home.slice.0
        ])?;
        known.insert(batch.tenant, account.as_str(), home);
        appeared.push(Appeared {
            key: account.into(),
            historical: fact.historical,
        });
    }
    Ok(appeared)
}

fn resolve(
    connection: &Connection,
    known: &mut KnownAccounts,
    batch: &FactBatch,
) -> Work<Vec<Target>> {
    let mut targets = Vec::with_capacity(batch.facts.len());
    for fact in &batch.facts {
        targets.push(match &fact.account {
            None => Target::User,
            Some(account) => match account.own() {
                Some(id) => find_account(connection, known, batch.tenant, id)?
                    .map_or(Target::Unknown, Target::Account),
                None => Target::Unknown,
            },
        });
    }
    Ok(targets)
}

fn find_account(
    connection: &Connection,
    known: &mut KnownAccounts,
    tenant: TenantId,
    account: &str,
) -> Work<Option<Home>> {
    if let Some(home) = known.find(tenant, account) {
        return Ok(Some(home));
    }
    let mut find = connection.prepare_cached(sql!("ingestion/account_find"))?;
    let found = find
        .query_row(params![id(tenant.0), account], |row| {
            Ok(Home {
                uid: row.uid(0)?,
                slice: row.slice(1)?,
            })
        })
        .optional()?;
    if let Some(home) = found {
        known.insert(tenant, account, home);
    }
    Ok(found)
}

fn reject(
    connection: &Connection,
    (tenant, recorded_at): (TenantId, Instant),
    rejections: &[NewRejection],
) -> Work<()> {
    if rejections.is_empty() {
        return Ok(());
    }
    let tenant = id(tenant.0);
    let mut ordinal = connection.prepare_cached(sql!("ingestion/ordinal_next"))?;
    let mut insert = connection.prepare_cached(sql!("ingestion/rejection_insert"))?;
    for rejection in rejections {
        let place: i64 = ordinal.query_row(params![tenant], |row| row.get(0))?;
        let texts = (&rejection.field, &rejection.reason, &rejection.hint);
        insert.execute(params![
            tenant,
            place,
            id(rejection.key.0),
            texts.0,
            texts.1,
            texts.2,
            rejection.record,
            recorded_at.0,
            rejection.source
        ])?;
    }
    Ok(())
}

/// What is stored, by slice; within a slice in order of arrival, then the replayed ones in the order in which they were held.
fn lines<'a>(
    batch: &'a FactBatch,
    clock: Option<Instant>,
    (targets, outcomes, replayed): (&[Target], &[Outcome], &'a [Replayed]),
) -> Vec<Line<'a>> {
    let mut lines = Vec::with_capacity(batch.facts.len() + replayed.len());
    for ((fact, target), outcome) in batch.facts.iter().zip(targets).zip(outcomes) {
        if *outcome == Outcome::Accepted {
            lines.push(Line::of_new(fact, *target, clock));
        }
    }
    lines.extend(replayed.iter().map(Line::of_replayed));
    lines.sort_by_key(|line| line.slice);
    lines
}

/// Announces the facts slice by slice and appends them, each with the number of its entry.
fn store(
    connection: &Connection,
    batch: &FactBatch,
    lines: Vec<Line<'_>>,
) -> Work<Vec<(Slice, u64)>> {
    let (tenant, batch_id) = (id(batch.tenant.0), id(batch.batch_id));
    let mut insert = connection.prepare_cached(sql!("ingestion/fact_insert"))?;
    // Of several entries of a slice the last one stays.
    let mut heads = BTreeMap::new();
    let mut ordinals = 0_u32..;
    let mut bytes = 0;
    let of_one_entry = |left: &Line<'_>, right: &Line<'_>| {
        bytes += left.record.len();
        let fits = left.slice == right.slice && bytes + right.record.len() <= MAX_ENTRY_BYTES;
        if !fits {
            bytes = 0;
        }
        fits
    };
    for of_entry in lines.chunk_by(of_one_entry) {
        let slice = of_entry[0].slice;
        let first = ordinals.start;
        let entry = Entry::Facts {
            recorded_at: batch.recorded_at,
            batch_id: batch.batch_id,
            first,
            end: first.saturating_add(u32::try_from(of_entry.len()).unwrap_or(u32::MAX)),
            trace: batch.trace,
        };
        let sequence = feed::append(connection, batch.tenant, slice, &entry.encode())?;
        heads.insert(slice, sequence);
        for (line, ordinal) in of_entry.iter().zip(&mut ordinals) {
            let uid = line.uid.map(|uid| id(uid.0));
            let times = (line.occurred_at.0, line.known_at.0);
            insert.execute(params![
                tenant,
                batch_id,
                ordinal,
                uid,
                line.kind.code(),
                times.0,
                times.1,
                line.historical,
                line.record,
                number(sequence)
            ])?;
        }
    }
    Ok(heads.into_iter().collect())
}
