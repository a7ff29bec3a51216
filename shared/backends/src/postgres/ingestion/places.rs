//! Where users, and what other systems know, belong.

use std::collections::BTreeSet;

use uuid::Uuid;

use sextant_domain::id::{AccountKey, TenantId};
use sextant_domain::place::Word;
use sextant_domain::time::DAY_US;
use sextant_store::port::{
    EventPlace, EventTypeRow, MAX_EVENT_TYPES, Page, PlaceStep, PlaceWord, Places, SliceCursors,
    week_of,
};
use sextant_store::{BoxFuture, Error, Result};

use super::Ingestion;
use super::commit::hold;
use crate::postgres::session::Session;
use crate::postgres::{decode, rows};

const CURSORS: &str = include_str!("../../../queries/postgres/ingestion/place_cursors.sql");
const MOVE_CURSOR: &str = include_str!("../../../queries/postgres/ingestion/move_place_cursor.sql");
const PUT: &str = include_str!("../../../queries/postgres/ingestion/put_places.sql");
const PUT_EVENTS: &str = include_str!("../../../queries/postgres/ingestion/put_events.sql");
const KNOWN_TYPES: &str = include_str!("../../../queries/postgres/ingestion/known_event_types.sql");
const N_TYPES: &str = include_str!("../../../queries/postgres/ingestion/number_of_event_types.sql");
const ADD_TYPES: &str = include_str!("../../../queries/postgres/ingestion/add_event_types.sql");
const TYPES: &str = include_str!("../../../queries/postgres/ingestion/event_types.sql");
const WORDS: &str = include_str!("../../../queries/postgres/ingestion/places.sql");

impl Places for Ingestion {
    fn cursors(&self) -> BoxFuture<'_, Result<SliceCursors>> {
        Box::pin(async move {
            let found = self
                .pool
                .system("reading cursors of places", CURSORS, &[])
                .await?;
            decode::all(&found, "cursor", |row| {
                Ok((row.tenant()?, row.slice()?, row.sequence()?))
            })
        })
    }

    fn follow(&self, step: PlaceStep) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let session = self.pool.session("following to places").await?;
            session.begin(step.tenant);
            if !step.words.is_empty() {
                // So that whoever holds a record for one of the keys sees its place, or its record is seen here.
                hold::lock(&session, step.tenant).await?;
            }
            if !move_cursor(&session, &step).await? {
                session.rollback().await?;
                return Err(Error::Fenced);
            }
            put(&session, &step).await?;
            put_events(&session, &step).await?;
            count_types(&session, &step).await?;
            let keys = step.words.iter().map(|said| &said.key);
            let noted = hold::note_placed(&session, step.tenant, keys).await?;
            session.commit().await?;
            Ok(!noted.is_empty())
        })
    }

    fn event_types<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<EventTypeRow>>> {
        Box::pin(async move {
            let after = page.after.as_deref().map(rows::text);
            let (tenant_id, limit) = (rows::tenant(tenant), rows::limit(page.limit));
            let found = self
                .pool
                .read(
                    tenant,
                    "listing types of events",
                    TYPES,
                    &[&tenant_id, &after, &limit],
                )
                .await?;
            decode::all(&found, "event type", |row| {
                Ok(EventTypeRow {
                    event_type: row.take()?,
                    events: row.sequence()?,
                    first_at: row.instant()?,
                    last_at: row.instant()?,
                })
            })
        })
    }

    fn words<'a>(
        &'a self,
        tenant: TenantId,
        keys: &'a [AccountKey],
    ) -> BoxFuture<'a, Result<Vec<PlaceWord>>> {
        Box::pin(async move {
            let keys: Vec<&str> = keys.iter().map(AccountKey::as_str).collect();
            let found = self
                .pool
                .read(
                    tenant,
                    "reading places",
                    WORDS,
                    &[&rows::tenant(tenant), &keys],
                )
                .await?;
            let days = decode::all(&found, "place", |row| {
                let (key, account, left) = (row.account_key()?, row.external_id()?, row.take()?);
                let ends = (row.instant()?, row.instant()?);
                let said = |at| Word {
                    at,
                    account: account.clone(),
                    left,
                };
                Ok(PlaceWord::between(&key, ends, said).collect::<Vec<_>>())
            })?;
            Ok(days.into_iter().flatten().collect())
        })
    }
}

async fn move_cursor(session: &Session, step: &PlaceStep) -> Result<bool> {
    let statement = session.prepare(MOVE_CURSOR).await?;
    let moved = session
        .query(
            &statement,
            &[
                &rows::tenant(step.tenant),
                &rows::slice(step.slice),
                &rows::number(step.from),
                &rows::number(step.to),
            ],
        )
        .await?;
    Ok(!moved.is_empty())
}

async fn put(session: &Session, step: &PlaceStep) -> Result<()> {
    if step.words.is_empty() {
        return Ok(());
    }
    let words = || step.words.iter().map(|said| &said.word);
    let keys: Vec<&str> = step.words.iter().map(|said| said.key.as_str()).collect();
    let days: Vec<i32> = words()
        .map(|word| i32::try_from(word.at.0.div_euclid(DAY_US)).unwrap_or(i32::MAX))
        .collect();
    let moments: Vec<i64> = words().map(|word| word.at.0).collect();
    let accounts: Vec<&str> = words().map(|word| word.account.as_str()).collect();
    let left: Vec<bool> = words().map(|word| word.left).collect();
    let statement = session.prepare(PUT).await?;
    session
        .execute(
            &statement,
            &[
                &rows::tenant(step.tenant),
                &keys,
                &days,
                &moments,
                &accounts,
                &left,
            ],
        )
        .await?;
    Ok(())
}

async fn put_events(session: &Session, step: &PlaceStep) -> Result<()> {
    if step.events.is_empty() {
        return Ok(());
    }
    // In the order of the table.
    let mut events = step.events.clone();
    events.sort_unstable_by_key(|event| (week_of(event.place.occurred_at), *event));
    let of = |event: &EventPlace| (week_of(event.place.occurred_at), event.place);
    let places = || events.iter().map(of);
    let weeks: Vec<i32> = places().map(|(week, _)| week).collect();
    let uids: Vec<Uuid> = events
        .iter()
        .map(|event| Uuid::from_u128(event.uid.0))
        .collect();
    let moments: Vec<i64> = places().map(|(_, place)| place.occurred_at.0).collect();
    let batches: Vec<Uuid> = places()
        .map(|(_, place)| Uuid::from_u128(place.address.batch_id))
        .collect();
    let ordinals: Vec<i32> = places()
        .map(|(_, place)| rows::ordinal(place.address.ordinal))
        .collect();
    let known: Vec<i64> = events.iter().map(|event| event.known_at.0).collect();
    let statement = session.prepare(PUT_EVENTS).await?;
    session
        .execute(
            &statement,
            &[
                &rows::tenant(step.tenant),
                &weeks,
                &uids,
                &moments,
                &batches,
                &ordinals,
                &known,
            ],
        )
        .await?;
    Ok(())
}

async fn count_types(session: &Session, step: &PlaceStep) -> Result<()> {
    if step.types.is_empty() {
        return Ok(());
    }
    let tenant = rows::tenant(step.tenant);
    let names = || step.types.iter().map(|row| rows::text(&row.event_type));
    let statement = session.prepare(KNOWN_TYPES).await?;
    let found = session
        .query(&statement, &[&tenant, &names().collect::<Vec<_>>()])
        .await?;
    let known = decode::all(&found, "event type", |row| row.take::<String>())?;
    let known: BTreeSet<String> = known.into_iter().collect();
    let room = if known.len() == step.types.len() {
        0
    } else {
        let statement = session.prepare(N_TYPES).await?;
        let found = session.query(&statement, &[&tenant]).await?;
        let counted = decode::all(&found, "number of event types", |row| {
            row.number::<i64, usize>()
        })?;
        MAX_EVENT_TYPES.saturating_sub(counted.into_iter().sum())
    };
    let types = EventTypeRow::within(&step.types, &known, room);
    let names: Vec<_> = types
        .iter()
        .map(|row| rows::text(&row.event_type))
        .collect();
    let counts: Vec<i64> = types.iter().map(|row| rows::number(row.events)).collect();
    let first: Vec<i64> = types.iter().map(|row| row.first_at.0).collect();
    let last: Vec<i64> = types.iter().map(|row| row.last_at.0).collect();
    let statement = session.prepare(ADD_TYPES).await?;
    session
        .execute(&statement, &[&tenant, &names, &counts, &first, &last])
        .await?;
    Ok(())
}
