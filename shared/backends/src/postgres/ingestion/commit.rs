//! The one command: storing a batch of facts, exactly once, in one transaction.
//!
//! Messages to the database travel in four flights: the opening with the resolution of accounts; the identities; the facts
//! (with refusals, and with the stored payloads of identities that were there); the counts, the feed and the commit. The
//! last one takes the locks that other writers of the tenant wait for, so nothing waits for more than a commit. A batch with
//! unknown accounts takes a few flights more.

mod counts;
mod decide;
mod hold;

use std::collections::{BTreeMap, HashMap};

use futures_util::future::{try_join, try_join3};
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::{AccountUid, Slice, TenantId};
use sextant_store::Result;
use sextant_store::port::{Committed, FactBatch, NewRejection, Outcome};

use super::APPEND_FEED;
use super::accounts::{RESOLVE, account};
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::{decode, rows};
use counts::Counts;
use decide::{Candidate, Decisions};
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

/// Where the facts of an account go.
type Homes = HashMap<String, (AccountUid, Slice)>;

/// What a feed entry tells.
struct Announcement {
    n_facts: i32,
    first_at: i64,
    last_at: i64,
    record_bytes: i64,
}

/// The entries of a commit: by batch, then by slice.
type Announcements = BTreeMap<(usize, Slice), Announcement>;

/// Batches of one tenant that are stored in one transaction, one after the other.
pub(super) struct Group {
    /// Their facts and refusals; its own id is not used. Its time is the latest of theirs.
    whole: FactBatch,
    members: Vec<Member>,
}

/// One of the batches.
struct Member {
    batch_id: u128,
    recorded_at: i64,
    /// Place in the whole after its last fact.
    end: usize,
}

impl Group {
    /// `None` when there are no batches.
    pub(super) fn of(batches: Vec<FactBatch>) -> Option<Self> {
        let mut batches = batches.into_iter();
        let mut whole = batches.next()?;
        let mut members = vec![Member {
            batch_id: whole.batch_id,
            recorded_at: whole.recorded_at.0,
            end: whole.facts.len(),
        }];
        for batch in batches {
            whole.recorded_at = whole.recorded_at.max(batch.recorded_at);
            whole.facts.extend(batch.facts);
            whole.sources.extend(batch.sources);
            whole.rejections.extend(batch.rejections);
            members.push(Member {
                batch_id: batch.batch_id,
                recorded_at: batch.recorded_at.0,
                end: whole.facts.len(),
            });
        }
        Some(Self { whole, members })
    }

    /// All facts.
    pub(super) fn whole(&self) -> &FactBatch {
        &self.whole
    }

    /// The batch that a fact of the whole belongs to.
    fn member_of(&self, place: usize) -> usize {
        self.members.partition_point(|member| member.end <= place)
    }

    /// The result of each batch.
    fn split(&self, outcomes: &[Outcome], heads: &[(Slice, u64, u128)]) -> Vec<Committed> {
        let mut from = 0;
        let parts = self.members.iter().map(|member| {
            let part = outcomes.get(from..member.end).unwrap_or_default().to_vec();
            from = member.end;
            let own = heads
                .iter()
                .filter(|(_, _, batch_id)| *batch_id == member.batch_id);
            let mut heads: Vec<(Slice, u64)> = own
                .map(|(slice, sequence, _)| (*slice, *sequence))
                .collect();
            heads.sort_unstable();
            Committed {
                outcomes: part,
                heads,
            }
        });
        parts.collect()
    }
}

/// Stores batches; returns the result of each. The partitions that they need exist.
pub(super) async fn commit(pool: &Pool, group: &Group) -> Result<Vec<Committed>> {
    let batch = &group.whole;
    if batch.facts.is_empty() && batch.rejections.is_empty() {
        return Ok(group.split(&[], &[]));
    }
    let session = pool.session("committing facts").await?;
    let mut homes = open(&session, batch).await?;
    let waiting = if hold::all_known(batch, &homes) {
        Waiting::default()
    } else {
        hold::settle(&session, batch, &mut homes).await?
    };
    let candidates = decide::candidates(group, &homes, &waiting);
    let mut decisions = Decisions::new(&candidates);
    insert_identities(&session, batch.tenant, &candidates, &mut decisions).await?;
    let announcements = store(&session, group, &candidates, &mut decisions).await?;
    let outcomes = decisions.outcomes(batch, &candidates, &waiting);
    let counts = Counts::of(batch, &candidates, &decisions, &waiting, &outcomes);
    let heads = finish(&session, group, &counts, &announcements).await?;
    Ok(group.split(&outcomes, &heads))
}

/// Opens the transaction and finds the accounts of the batch.
async fn open(session: &Session, batch: &FactBatch) -> Result<Homes> {
    let mut ids: Vec<&str> = batch
        .facts
        .iter()
        .filter_map(|fact| fact.account.as_ref())
        .map(|id| id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let resolve = session.prepare(RESOLVE).await?;
    let found = session
        .first(batch.tenant, &resolve, &[&rows::tenant(batch.tenant), &ids])
        .await?;
    homes(&found)
}

fn homes(found: &[tokio_postgres::Row]) -> Result<Homes> {
    let accounts = decode::all(found, "account", account)?;
    Ok(accounts
        .into_iter()
        .map(|account| (account.id.as_str().to_owned(), (account.uid, account.slice)))
        .collect())
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

/// Stores the facts that are new, and the refused records; finds the payloads of those that are not new.
async fn store(
    session: &Session,
    group: &Group,
    candidates: &[Candidate<'_>],
    decisions: &mut Decisions,
) -> Result<Announcements> {
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
        reject_records(session, &reject, batch),
    )
    .await?;
    decisions.stored(decode::all(
        &payloads,
        "identity",
        decide::identity_and_payload,
    )?);
    Ok(facts.announcements)
}

/// Stores the refused records.
async fn reject_records(session: &Session, insert: &Statement, batch: &FactBatch) -> Result<()> {
    let rejections = &batch.rejections;
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
    // Another key than that of accounts, which is taken before any identity; this one is taken after all of them.
    let lock = session.prepare(LOCK_REJECTIONS).await?;
    session
        .query(&lock, &[&!rows::lock_key(batch.tenant)])
        .await?;
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
) -> Result<Vec<(Slice, u64, u128)>> {
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
        return Ok(Vec::new());
    }
    let members: Vec<&Member> = announcements
        .keys()
        .filter_map(|(member, _)| group.members.get(*member))
        .collect();
    let recorded: Vec<i64> = members.iter().map(|member| member.recorded_at).collect();
    let batch_ids: Vec<Uuid> = members
        .iter()
        .map(|member| Uuid::from_u128(member.batch_id))
        .collect();
    let slices: Vec<i32> = announcements
        .keys()
        .map(|(_, slice)| rows::slice(*slice))
        .collect();
    let first: Vec<i64> = announcements.values().map(|entry| entry.first_at).collect();
    let last: Vec<i64> = announcements.values().map(|entry| entry.last_at).collect();
    let bytes: Vec<i64> = announcements
        .values()
        .map(|entry| entry.record_bytes)
        .collect();
    let (no_import, no_clock) = (None::<i16>, None::<i64>);
    let feed_params: [&(dyn ToSql + Sync); 9] = [
        &tenant, &recorded, &batch_ids, &slices, &first, &last, &bytes, &no_import, &no_clock,
    ];
    let (_, heads) = try_join(
        session.query(&add, &count_params),
        session.last(&append, &feed_params),
    )
    .await?;
    decode::all(&heads, "feed head", |row| {
        Ok((row.slice()?, row.sequence()?, row.id()?))
    })
}

/// The columns of the facts that are stored.
struct FactColumns<'b> {
    batch_ids: Vec<Uuid>,
    occurred_at: Vec<i64>,
    known_at: Vec<i64>,
    ordinals: Vec<i32>,
    slices: Vec<i32>,
    kinds: Vec<i16>,
    historical: Vec<bool>,
    uids: Vec<Option<Uuid>>,
    records: Vec<&'b [u8]>,
    announcements: Announcements,
}

impl<'b> FactColumns<'b> {
    /// Numbers the facts of each batch and slice from 0, in the order in which they come.
    fn of(group: &Group, facts: &[&Candidate<'b>]) -> Self {
        let mut announcements = Announcements::new();
        let mut ordinals = Vec::with_capacity(facts.len());
        for fact in facts {
            let at = fact.occurred_at.0;
            let entry = announcements
                .entry((fact.member, fact.slice))
                .or_insert(Announcement {
                    n_facts: 0,
                    first_at: at,
                    last_at: at,
                    record_bytes: 0,
                });
            ordinals.push(entry.n_facts);
            entry.n_facts += 1;
            entry.first_at = entry.first_at.min(at);
            entry.last_at = entry.last_at.max(at);
            entry.record_bytes += rows::limit(fact.record.len());
        }
        let members = facts
            .iter()
            .filter_map(|fact| group.members.get(fact.member));
        Self {
            batch_ids: members
                .map(|member| Uuid::from_u128(member.batch_id))
                .collect(),
            occurred_at: facts.iter().map(|fact| fact.occurred_at.0).collect(),
            known_at: facts.iter().map(|fact| fact.known_at.0).collect(),
            ordinals,
            slices: facts.iter().map(|fact| rows::slice(fact.slice)).collect(),
            kinds: facts
                .iter()
                .map(|fact| i16::from(fact.kind.code()))
                .collect(),
            historical: facts.iter().map(|fact| fact.historical).collect(),
            uids: facts
                .iter()
                .map(|fact| fact.uid.map(|uid| Uuid::from_u128(uid.0)))
                .collect(),
            records: facts.iter().map(|fact| fact.record).collect(),
            announcements,
        }
    }

    fn params<'p>(&'p self, tenant: &'p Uuid) -> [&'p (dyn ToSql + Sync); 10] {
        [
            tenant,
            &self.batch_ids,
            &self.occurred_at,
            &self.known_at,
            &self.ordinals,
            &self.slices,
            &self.kinds,
            &self.historical,
            &self.uids,
            &self.records,
        ]
    }
}

#[cfg(test)]
mod tests;
