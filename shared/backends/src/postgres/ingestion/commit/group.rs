//! Batches that share a transaction.

use std::collections::BTreeMap;

use uuid::Uuid;

use sextant_domain::id::Slice;
use sextant_store::port::{Committed, FactBatch, Outcome, Trace};

use super::columns::Place;

/// Batches of one tenant that are stored in one transaction, one after the other.
pub(in crate::postgres::ingestion) struct Group {
    /// Their facts and refusals; its own id is not used. Its time is the latest of theirs.
    pub(super) whole: FactBatch,
    pub(super) members: Vec<Member>,
}

/// The numbers of the entries of a commit.
pub(super) type Heads = BTreeMap<Place, u64>;

/// One of the batches.
pub(super) struct Member {
    batch_id: u128,
    pub(super) recorded_at: i64,
    pub(super) trace: Option<Trace>,
    /// Place in the whole after its last fact.
    end: usize,
}

impl Group {
    /// `None` when there are no batches.
    pub(in crate::postgres::ingestion) fn of(batches: Vec<FactBatch>) -> Option<Self> {
        let mut batches = batches.into_iter();
        let mut whole = batches.next()?;
        let mut members = vec![Member {
            batch_id: whole.batch_id,
            recorded_at: whole.recorded_at.0,
            trace: whole.trace,
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
                trace: batch.trace,
                end: whole.facts.len(),
            });
        }
        Some(Self { whole, members })
    }

    /// All facts.
    pub(in crate::postgres::ingestion) fn whole(&self) -> &FactBatch {
        &self.whole
    }

    /// The batch that it was made of, if that was one.
    pub(in crate::postgres::ingestion) fn into_whole(self) -> FactBatch {
        self.whole
    }

    /// The batch that a fact of the whole belongs to.
    pub(super) fn member_of(&self, place: usize) -> usize {
        self.members.partition_point(|member| member.end <= place)
    }

    /// The id under which the facts of an entry are stored.
    pub(super) fn batch_id(&self, (member, part, _): Place) -> Uuid {
        let id = self.members.get(member).map_or(0, |member| member.batch_id);
        Uuid::from_u128(id.wrapping_add(part.into()))
    }

    /// The result of each batch.
    pub(super) fn split(&self, outcomes: &[Outcome], heads: &Heads) -> Vec<Committed> {
        let mut from = 0;
        let parts = self.members.iter().enumerate().map(|(number, member)| {
            let part = outcomes.get(from..member.end).unwrap_or_default().to_vec();
            from = member.end;
            // Of several entries of a slice the last one stays.
            let own = heads.iter().filter(|((of, ..), _)| *of == number);
            let heads: BTreeMap<Slice, u64> = own
                .map(|((.., slice), sequence)| (*slice, *sequence))
                .collect();
            Committed {
                outcomes: part,
                heads: heads.into_iter().collect(),
            }
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests;
