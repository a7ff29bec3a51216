//! Facts and feed entries as the database takes them.

use std::collections::{BTreeMap, HashMap};

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::Slice;
use sextant_store::port::MAX_ENTRY_BYTES;

use super::Group;
use super::decide::Candidate;
use crate::postgres::rows;

/// What a feed entry tells.
pub(super) struct Announcement {
    n_facts: i32,
    pub(super) first_at: i64,
    pub(super) last_at: i64,
    pub(super) record_bytes: i64,
}

/// The entries of a commit: by batch, then by part of it, then by slice.
pub(super) type Announcements = BTreeMap<Place, Announcement>;

/// Which entry of a commit: the batch, the part of it, the slice.
pub(super) type Place = (usize, u32, Slice);

/// The entry of each fact. A batch is one part, but where it releases so much that one message could not carry it.
fn places(facts: &[&Candidate<'_>]) -> Vec<Place> {
    let mut parts: HashMap<(usize, Slice), (u32, usize)> = HashMap::new();
    let place = |fact: &&Candidate<'_>| {
        let (part, bytes) = parts.entry((fact.member, fact.slice)).or_default();
        if *bytes > 0 && *bytes + fact.record.len() > MAX_ENTRY_BYTES {
            (*part, *bytes) = (*part + 1, 0);
        }
        *bytes += fact.record.len();
        (fact.member, *part, fact.slice)
    };
    facts.iter().map(place).collect()
}

/// The columns of the facts that are stored.
pub(super) struct FactColumns<'b> {
    batch_ids: Vec<Uuid>,
    occurred_at: Vec<i64>,
    known_at: Vec<i64>,
    ordinals: Vec<i32>,
    slices: Vec<i32>,
    kinds: Vec<i16>,
    historical: Vec<bool>,
    uids: Vec<Option<Uuid>>,
    records: Vec<&'b [u8]>,
    /// The entry of each fact.
    pub(super) places: Vec<Place>,
    pub(super) announcements: Announcements,
}

impl<'b> FactColumns<'b> {
    /// Numbers the facts of each entry from 0, in the order in which they come.
    pub(super) fn of(group: &Group, facts: &[&Candidate<'b>]) -> Self {
        let places = places(facts);
        let mut announcements = Announcements::new();
        let mut ordinals = Vec::with_capacity(facts.len());
        for (fact, place) in facts.iter().zip(&places) {
            let at = fact.occurred_at.0;
            let entry = announcements.entry(*place).or_insert(Announcement {
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
        Self {
            batch_ids: places.iter().map(|place| group.batch_id(*place)).collect(),
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
            places,
            announcements,
        }
    }

    pub(super) fn params<'p>(&'p self, tenant: &'p Uuid) -> [&'p (dyn ToSql + Sync); 10] {
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
