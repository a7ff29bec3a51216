//! The one command: storing a batch of facts.

mod counts;
mod hold;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, ExternalId, PayloadHash, RecordIdentity, Slice, TenantId};

use crate::embedded::failure::Work;
use crate::embedded::feed;
use crate::embedded::ingestion::commit::counts::Counts;
use crate::embedded::ingestion::commit::hold::{Replayed, hold, replay};
use crate::embedded::ingestion::entry::Entry;
use crate::embedded::ingestion::known::{Home, KnownAccounts};
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number};
use crate::port::{Committed, FactBatch, NewFact, Outcome};

/// Where a fact of a batch goes.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// It is about a user alone.
    User,
    /// It is about a known account.
    Account(Home),
    /// Its account is not known.
    Unknown,
}

/// A fact that is stored in this batch.
#[derive(Debug, Clone, Copy)]
enum Stored {
    /// One of the batch, by place.
    New(usize),
    /// One that was held, by place among the replayed.
    Replayed(usize),
}

/// Stores a batch; the steps are those of `Facts`.
pub(super) fn commit(connection: &Connection, known: &mut KnownAccounts, batch: &FactBatch) -> Work<Committed> {
    let appeared = create_accounts(connection, known, batch)?;
    let targets = resolve(connection, known, batch)?;
    let mut counts = Counts::default();
    let mut dedupe = Dedupe::prepare(connection, batch.tenant)?;
    let replayed = replay(connection, &mut dedupe, batch.tenant, &appeared, &mut counts)?;
    let outcomes = decide(connection, &mut dedupe, batch, &targets)?;
    for (outcome, source) in outcomes.iter().zip(&batch.sources) {
        counts.decided(source, *outcome);
    }
    hold::reject(connection, batch, &mut counts)?;
    let outcomes = outcomes.into_iter().map(Decision::outcome).collect();
    counts.store(connection, batch)?;
    let heads = store(connection, batch, &targets, &outcomes, &replayed)?;
    Ok(Committed { outcomes, heads })
}
