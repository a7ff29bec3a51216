//! Which facts are new, which came again, which contradict.

use std::collections::{HashMap, HashSet};

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, PayloadHash, RecordIdentity, Slice};
use sextant_domain::time::Instant;
use sextant_store::Result;
use sextant_store::port::{FactBatch, NewRejection, Outcome};

use super::hold::Waiting;
use super::{Group, Homes};
use crate::postgres::decode::Fields;

/// A fact whose account is known (or that has none), of the batch or from among those that were held.
pub(super) struct Candidate<'b> {
    pub(super) identity: RecordIdentity,
    pub(super) payload: PayloadHash,
    pub(super) kind: FactKind,
    pub(super) uid: Option<AccountUid>,
    pub(super) slice: Slice,
    pub(super) occurred_at: Instant,
    pub(super) known_at: Instant,
    pub(super) historical: bool,
    pub(super) record: &'b [u8],
    pub(super) source: &'b str,
    pub(super) origin: Origin,
    /// The batch that it is stored with.
    pub(super) member: usize,
}

/// Where a candidate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the batch, by place.
    Batch(usize),
    /// It was held.
    Held,
}

/// The facts that may be stored now, in the order in which they are stored: those of the batch, then those that were held. Until
/// now nobody could know what those say of their account, except where history waited for an account that history made known.
pub(super) fn candidates<'b>(
    (group, clock): (&'b Group, Option<Instant>),
    homes: &Homes<'_>,
    waiting: &'b Waiting,
) -> Vec<Candidate<'b>> {
    let batch = &group.whole;
    let mut candidates = Vec::with_capacity(batch.facts.len() + waiting.released.len());
    for (place, (fact, source)) in batch.facts.iter().zip(&batch.sources).enumerate() {
        let home = match &fact.account {
            None => (None, Slice(0)),
            Some(id) => match homes.get(id.as_str()) {
                Some(home) => (Some(home.uid), home.slice),
                None => continue,
            },
        };
        candidates.push(Candidate {
            identity: fact.identity,
            payload: fact.payload,
            kind: fact.kind,
            uid: home.0,
            slice: home.1,
            occurred_at: fact.occurred_at,
            known_at: fact.known_by(clock),
            historical: fact.historical,
            record: &fact.record,
            source,
            origin: Origin::Batch(place),
            member: group.member_of(place),
        });
    }
    for held in &waiting.released {
        let by = waiting.appeared.get(held.account.as_str());
        let place = by.and_then(|by| by.place);
        let historical = held.historical && by.is_some_and(|by| by.historical);
        let now = clock.unwrap_or(batch.recorded_at);
        candidates.push(Candidate {
            identity: held.identity,
            payload: held.payload,
            kind: held.kind,
            uid: Some(held.home.uid),
            slice: held.home.slice,
            occurred_at: held.occurred_at,
            known_at: if historical { held.known_at } else { now },
            historical,
            record: &held.record,
            source: &held.source,
            origin: Origin::Held,
            member: place.map_or(0, |place| group.member_of(place)),
        });
    }
    candidates
}

/// What is known about the identities of the candidates.
pub(super) struct Decisions {
    /// The candidate that stands for each identity: one that was held came first, else the first of the batch.
    firsts: HashMap<RecordIdentity, usize>,
    new: HashSet<RecordIdentity>,
    stored: HashMap<RecordIdentity, PayloadHash>,
}

impl Decisions {
    pub(super) fn new(candidates: &[Candidate<'_>]) -> Self {
        let mut firsts = HashMap::with_capacity(candidates.len());
        let places = || candidates.iter().enumerate();
        let held = places().filter(|(_, candidate)| candidate.origin == Origin::Held);
        let others = places().filter(|(_, candidate)| candidate.origin != Origin::Held);
        for (place, candidate) in held.chain(others) {
            firsts.entry(candidate.identity).or_insert(place);
        }
        let new = HashSet::with_capacity(firsts.len());
        Self {
            firsts,
            new,
            stored: HashMap::new(),
        }
    }

    fn is_first(&self, place: usize, candidate: &Candidate<'_>) -> bool {
        self.firsts.get(&candidate.identity) == Some(&place)
    }

    /// One candidate for each identity, in key order.
    pub(super) fn wanted<'c, 'b>(&self, candidates: &'c [Candidate<'b>]) -> Vec<&'c Candidate<'b>> {
        let places = candidates.iter().enumerate();
        let mut wanted: Vec<_> = places
            .filter(|(place, candidate)| self.is_first(*place, candidate))
            .map(|(_, first)| first)
            .collect();
        wanted.sort_unstable_by_key(|candidate| candidate.identity);
        wanted
    }

    /// These identities were not there before.
    pub(super) fn inserted(&mut self, identities: &[RecordIdentity]) {
        self.new.extend(identities);
    }

    /// These identities were there, with these payloads.
    pub(super) fn stored(&mut self, payloads: Vec<(RecordIdentity, PayloadHash)>) {
        self.stored.extend(payloads);
    }

    /// The candidates that are stored.
    pub(super) fn accepted<'c, 'b>(
        &self,
        candidates: &'c [Candidate<'b>],
    ) -> Vec<&'c Candidate<'b>> {
        let places = candidates.iter().enumerate();
        places
            .filter(|(place, candidate)| {
                self.is_first(*place, candidate) && self.new.contains(&candidate.identity)
            })
            .map(|(_, candidate)| candidate)
            .collect()
    }

    /// One candidate for each identity that was there before.
    pub(super) fn known_before<'c, 'b>(
        &self,
        candidates: &'c [Candidate<'b>],
    ) -> Vec<&'c Candidate<'b>> {
        let places = candidates.iter().enumerate();
        places
            .filter(|(place, candidate)| {
                self.is_first(*place, candidate) && !self.new.contains(&candidate.identity)
            })
            .map(|(_, candidate)| candidate)
            .collect()
    }

    /// Records that were held while others took their identities.
    pub(super) fn contradicting(&self, candidates: &[Candidate<'_>]) -> Vec<NewRejection> {
        let places = candidates.iter().enumerate();
        let held = places.filter(|(_, candidate)| candidate.origin == Origin::Held);
        let contradicting = held.filter(|(place, candidate)| {
            self.outcome(*place, candidate, candidates) == Outcome::Conflict
        });
        contradicting
            .map(|(_, held)| NewRejection::of_contradiction(held.source, held.record.to_vec()))
            .collect()
    }

    /// What became of a candidate.
    pub(super) fn outcome(
        &self,
        place: usize,
        candidate: &Candidate<'_>,
        candidates: &[Candidate<'_>],
    ) -> Outcome {
        let is_new = self.new.contains(&candidate.identity);
        if is_new && self.is_first(place, candidate) {
            return Outcome::Accepted;
        }
        let first = self
            .firsts
            .get(&candidate.identity)
            .and_then(|first| candidates.get(*first));
        let stored = if is_new {
            first.map(|first| first.payload)
        } else {
            self.stored.get(&candidate.identity).copied()
        };
        if stored == Some(candidate.payload) {
            Outcome::Duplicate
        } else {
            Outcome::Conflict
        }
    }

    /// What became of the facts of the batch, in order.
    pub(super) fn outcomes(
        &self,
        batch: &FactBatch,
        candidates: &[Candidate<'_>],
        waiting: &Waiting,
    ) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Held; batch.facts.len()];
        for (place, candidate) in candidates.iter().enumerate() {
            let Origin::Batch(fact) = candidate.origin else {
                continue;
            };
            if let Some(outcome) = outcomes.get_mut(fact) {
                *outcome = self.outcome(place, candidate, candidates);
            }
        }
        for fact in &waiting.contradicting {
            if let Some(outcome) = outcomes.get_mut(*fact) {
                *outcome = Outcome::Conflict;
            }
        }
        outcomes
    }
}

pub(super) fn identity(row: &mut Fields<'_>) -> Result<RecordIdentity> {
    Ok(RecordIdentity {
        hour: row.take()?,
        hash: row.id()?,
    })
}

pub(super) fn identity_and_payload(row: &mut Fields<'_>) -> Result<(RecordIdentity, PayloadHash)> {
    Ok((identity(row)?, PayloadHash(row.id()?)))
}
