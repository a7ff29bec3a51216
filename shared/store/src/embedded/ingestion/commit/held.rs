//! Records that wait for their account.

use rusqlite::{Connection, OptionalExtension, params};

use sextant_domain::fact::FactKind;
use sextant_domain::id::{PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant;

use crate::embedded::failure::Work;
use crate::embedded::ingestion::commit::counts::Counts;
use crate::embedded::ingestion::commit::dedupe::Dedupe;
use crate::embedded::ingestion::commit::{Appeared, Target};
use crate::embedded::ingestion::known::Home;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id};
use crate::port::{FactBatch, Outcome};

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

/// Takes the records of accounts that have appeared out of the held table; those whose identity is free are returned. Until
/// `now` nobody could know what they say of the account, except where history waited for an account that history made known.
pub(super) fn replay(
    connection: &Connection,
    (dedupe, counts): (&mut Dedupe<'_>, &mut Counts),
    tenant: TenantId,
    appeared: &[Appeared<'_>],
    now: Instant,
) -> Work<Vec<Replayed>> {
    let tenant = id(tenant.0);
    let mut of_account = connection.prepare_cached(sql!("ingestion/held_of_account"))?;
    let mut delete = connection.prepare_cached(sql!("ingestion/held_delete"))?;
    let mut replayed = Vec::new();
    for account in appeared {
        let mut rows = of_account.query(params![tenant, account.id.as_str()])?;
        let mut found = false;
        while let Some(row) = rows.next()? {
            found = true;
            let identity = RecordIdentity {
                hour: row.get(0)?,
                hash: row.id(1)?,
            };
            let outcome = dedupe.admit(identity, PayloadHash(row.id(2)?))?;
            counts.replayed(
                row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?,
                outcome,
            );
            if outcome != Outcome::Accepted {
                continue;
            }
            let historical = row.get::<_, bool>(7)? && account.historical;
            let known_at = row.instant(6)?;
            replayed.push(Replayed {
                home: account.home,
                kind: row.kind(4)?,
                occurred_at: row.instant(5)?,
                known_at: if historical { known_at } else { now },
                historical,
                record: row.get(8)?,
            });
        }
        if found {
            delete.execute(params![tenant, account.id.as_str()])?;
        }
    }
    Ok(replayed)
}

/// Holds the records of a batch whose accounts are not known, and sets their outcomes.
pub(super) fn hold(
    connection: &Connection,
    counts: &mut Counts,
    batch: &FactBatch,
    targets: &[Target],
    outcomes: &mut [Outcome],
) -> Work<()> {
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
            if payload == fact.payload.0 {
                counts.held_again(source, batch.recorded_at);
            } else {
                outcomes[place] = Outcome::Conflict;
                counts.decided(source, Outcome::Conflict, batch.recorded_at);
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
        counts.decided(source, Outcome::Held, batch.recorded_at);
    }
    Ok(())
}
