//! Where users, what other systems know, and accounts themselves belong, and where events of accounts are: a projection of the own feed,
//! and what records are resolved by.
//!
//! A record may name its account by a user, or by what another system calls it. Where a place of that key is known at the record's
//! time, the record is stored in that account; else it is held, and stored when the projection learns of a place. Which account
//! that was is decided when the record is stored: what becomes known later does not move it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, ExternalId, Slice, TenantId};
use sextant_domain::place::{self, Word};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_store::Error;
use sextant_store::port::{
    EventTypeRow, FactBatch, FactEntry, NewFact, PlaceStep, PlaceWord, StoredFact,
};
use sextant_wire::record;
use sextant_wire::status::Problem;

use crate::service::Shared;
use crate::{admission, failure};

/// Keys that the port reads in one call.
const MAX_KEYS: usize = 10_000;
/// Records that are read for one step, in bytes.
const MAX_STEP_BYTES: usize = 2 << 20;
/// Before a feed that could not be followed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

type Feed = (TenantId, Slice);

/// Names the accounts of facts by their own ids, where they are named otherwise and their places are known.
///
/// # Errors
/// The store's failure.
pub(crate) async fn resolve(
    shared: &Shared,
    tenant: TenantId,
    facts: &mut [NewFact],
) -> Result<(), Problem> {
    let named = facts.iter().filter_map(|fact| fact.account.as_ref());
    let keys: BTreeSet<&AccountKey> = named.filter(|key| key.own().is_none()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<AccountKey> = keys.into_iter().cloned().collect();
    let mut words: BTreeMap<AccountKey, Vec<Word>> = BTreeMap::new();
    for some in keys.chunks(MAX_KEYS) {
        let found = shared.deps.places.words(tenant, some).await;
        for PlaceWord { key, word } in found.map_err(failure::of_store)? {
            words.entry(key).or_default().push(word);
        }
    }
    for fact in facts {
        let said = fact.account.as_ref().and_then(|key| words.get(key));
        if let Some(account) = said.and_then(|words| place::at(words, fact.occurred_at)) {
            fact.account = Some(account.into());
        }
    }
    Ok(())
}

/// Follows the feeds until `stop`. What a store that does not answer keeps from being followed is tried again after a pause.
pub(crate) async fn follow(shared: Arc<Shared>, stop: CancellationToken) {
    let mut heads = shared.heads.watch();
    let mut cursors: BTreeMap<Feed, u64> = BTreeMap::new();
    let mut behind: BTreeMap<Feed, u64> = BTreeMap::new();
    let mut failing = false;
    loop {
        let grown = tokio::select! {
            grown = heads.next() => grown,
            () = tokio::time::sleep(PAUSE), if !behind.is_empty() => Some(Vec::new()),
            () = stop.cancelled() => return,
        };
        let Some(grown) = grown else { return };
        behind.extend(
            grown
                .iter()
                .map(|head| ((head.tenant, head.slice), head.sequence)),
        );
        let mut left = BTreeMap::new();
        for (feed, sequence) in std::mem::take(&mut behind) {
            if let Err(error) = catch_up(&shared, &mut cursors, feed, sequence).await {
                left.insert(feed, sequence);
                // Told once: the store's silence may last.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "places cannot be followed; trying again");
                }
            }
        }
        failing &= !left.is_empty();
        behind = left;
    }
}

/// Follows one feed up to an entry.
async fn catch_up(
    shared: &Shared,
    cursors: &mut BTreeMap<Feed, u64>,
    feed: Feed,
    sequence: u64,
) -> sextant_store::Result<()> {
    let (tenant, slice) = feed;
    if !cursors.contains_key(&feed) {
        read_cursors(shared, cursors).await?;
    }
    loop {
        let from = cursors.get(&feed).copied().unwrap_or(0);
        if from >= sequence {
            return Ok(());
        }
        let intake = &shared.deps.intake;
        let entries = intake.fact_entries(tenant, slice, from, MAX_STEP_BYTES);
        let Some(step) = step(feed, from, entries.await?) else {
            return Ok(());
        };
        let to = step.to;
        match shared.deps.places.follow(step).await {
            Ok(waiting) => {
                cursors.insert(feed, to);
                shared.followed.reach(tenant, slice, to);
                if waiting {
                    release(shared, tenant).await?;
                }
            },
            // Another replica was first: it goes on from where that one is.
            Err(Error::Fenced) => read_cursors(shared, cursors).await?,
            Err(error) => return Err(error),
        }
    }
}

async fn read_cursors(
    shared: &Shared,
    cursors: &mut BTreeMap<Feed, u64>,
) -> sextant_store::Result<()> {
    for (tenant, slice, sequence) in shared.deps.places.cursors().await? {
        cursors.insert((tenant, slice), sequence);
        shared.followed.reach(tenant, slice, sequence);
    }
    Ok(())
}

/// Stores what waits for keys that have a place now.
async fn release(shared: &Shared, tenant: TenantId) -> sextant_store::Result<()> {
    let now = shared.deps.clock.now();
    let known = shared.deps.tenants.by_id(tenant).await?;
    let Some(known) = known else {
        return Ok(());
    };
    let call = FactBatch {
        tenant,
        n_slices: known.n_slices,
        batch_id: admission::new_uid(now),
        recorded_at: now,
        fixed_clock: known.fixed_clock,
        facts: Vec::new(),
        sources: Vec::new(),
        rejections: Vec::new(),
        trace: None,
    };
    let heads = shared.deps.facts.release(call).await?;
    shared.heads.note(tenant, &heads);
    Ok(())
}

/// What entries say of places; none where there are no entries.
fn step((tenant, slice): Feed, from: u64, entries: Vec<FactEntry>) -> Option<PlaceStep> {
    let to = entries.last()?.sequence;
    let facts = entries.iter().flat_map(|entry| &entry.facts);
    let mut words = Vec::new();
    for fact in facts.filter(|fact| tells_of_places(fact.kind)) {
        match said(fact) {
            Ok(said) => words.extend(said),
            // Whoever reads it for itself says so, too; nothing of it could ever be known here.
            Err(problem) => {
                tracing::warn!(
                    reason = problem.reason_name(),
                    "a stored record tells of no place"
                );
            },
        }
    }
    Some(PlaceStep {
        tenant,
        slice,
        from,
        to,
        words,
        events: entries.iter().flat_map(FactEntry::events).collect(),
        types: types(&entries),
    })
}

/// How many events of each type are in entries, by type.
fn types(entries: &[FactEntry]) -> Vec<EventTypeRow> {
    let mut types: BTreeMap<String, EventTypeRow> = BTreeMap::new();
    let facts = entries.iter().flat_map(|entry| &entry.facts);
    for fact in facts.filter(|fact| fact.kind == FactKind::Event) {
        let Some(event_type) = record::event_type(&fact.record) else {
            continue;
        };
        let row = EventTypeRow {
            event_type: event_type.clone(),
            events: 1,
            first_at: fact.occurred_at,
            last_at: fact.occurred_at,
        };
        types
            .entry(event_type)
            .and_modify(|counted| counted.add(&row))
            .or_insert(row);
    }
    types.into_values().collect()
}

fn tells_of_places(kind: FactKind) -> bool {
    matches!(kind, FactKind::AccountUser | FactKind::Account)
}

/// What a fact says of places: of the user who joined or left, and of what other systems call the account.
fn said(fact: &StoredFact) -> Result<Vec<PlaceWord>, Problem> {
    let unreadable = |_error| Problem::new(ErrorReason::Internal, "a stored id is unreadable");
    let parse = |id: &str| ExternalId::parse(id).map_err(unreadable);
    let word = |account: &str, left: bool| -> Result<Word, Problem> {
        Ok(Word {
            at: fact.occurred_at,
            account: parse(account)?,
            left,
        })
    };
    match record::decode(&fact.record)?.fact {
        // Where the account is named by another key, its own id is not said here.
        Some(Fact::AccountUser(said)) if !said.account_id.is_empty() => Ok(vec![PlaceWord {
            key: AccountKey::of_user(&parse(&said.user_id)?),
            word: word(&said.account_id, said.left)?,
        }]),
        Some(Fact::Account(said)) if !said.account_id.is_empty() => {
            let mut keys = Vec::with_capacity(said.external_ids.len() + 1);
            for named in &said.external_ids {
                keys.push(AccountKey::in_system(
                    &parse(&named.system)?,
                    &parse(&named.id)?,
                ));
            }
            if !said.parent_account_id.is_empty() {
                keys.push(AccountKey::children_of(&parse(&said.parent_account_id)?));
            }
            let word = word(&said.account_id, false)?;
            let words = keys.into_iter().map(|key| PlaceWord {
                key,
                word: word.clone(),
            });
            Ok(words.collect())
        },
        _ => Ok(Vec::new()),
    }
}
