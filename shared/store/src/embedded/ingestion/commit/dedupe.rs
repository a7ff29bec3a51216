//! Each identity is stored once.

use rusqlite::{CachedStatement, Connection, params};

use sextant_domain::id::{PayloadHash, RecordIdentity, TenantId};

use crate::embedded::failure::Work;
use crate::embedded::ingestion::commit::Target;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id};
use crate::port::{FactBatch, Outcome};

/// The dedupe table of a tenant.
pub(super) struct Dedupe<'a> {
    tenant: [u8; 16],
    insert: CachedStatement<'a>,
    payload: CachedStatement<'a>,
}

impl<'a> Dedupe<'a> {
    pub(super) fn prepare(connection: &'a Connection, tenant: TenantId) -> Work<Self> {
        Ok(Self {
            tenant: id(tenant.0),
            insert: connection.prepare_cached(sql!("ingestion/dedupe_insert"))?,
            payload: connection.prepare_cached(sql!("ingestion/dedupe_payload"))?,
        })
    }

    /// Takes an identity, or says why it is taken: inserting is the check, so there is nothing between the two.
    pub(super) fn admit(
        &mut self,
        identity: RecordIdentity,
        payload: PayloadHash,
    ) -> Work<Outcome> {
        let hash = id(identity.hash);
        if self
            .insert
            .execute(params![self.tenant, identity.hour, hash, id(payload.0)])?
            == 1
        {
            return Ok(Outcome::Accepted);
        }
        let stored = self
            .payload
            .query_row(params![self.tenant, identity.hour, hash], |row| row.id(0))?;
        Ok(if stored == payload.0 {
            Outcome::Duplicate
        } else {
            Outcome::Conflict
        })
    }

    /// The outcomes of a batch; facts of unknown accounts are [`Outcome::Held`] for now and are not admitted.
    pub(super) fn decide(&mut self, batch: &FactBatch, targets: &[Target]) -> Work<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Held; batch.facts.len()];
        let mut order: Vec<usize> = (0..batch.facts.len())
            .filter(|place| targets[*place] != Target::Unknown)
            .collect();
        // In key order neighbours share pages; the sort is stable, so the first of equals wins.
        order.sort_by_key(|place| batch.facts[*place].identity);
        for place in order {
            let fact = &batch.facts[place];
            outcomes[place] = self.admit(fact.identity, fact.payload)?;
        }
        Ok(outcomes)
    }
}
