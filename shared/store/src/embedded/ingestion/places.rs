//! Where users, and what other systems know, belong.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use sextant_domain::id::{AccountKey, TenantId};
use sextant_domain::place::Word;
use sextant_domain::time::{DAY_US, Instant};

use crate::embedded::failure::Work;
use crate::embedded::ingestion::Ingestion;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number, rows};
use crate::port::{
    EventPlace, EventTypeRow, MAX_EVENT_TYPES, Page, PlaceStep, PlaceWord, Places, SliceCursors,
    week_of,
};
use crate::{BoxFuture, Error, Result};

impl Places for Ingestion {
    fn cursors(&self) -> BoxFuture<'_, Result<SliceCursors>> {
        self.file().read("reading cursors of places", |connection| {
            let mut list = connection.prepare_cached(sql!("ingestion/place_cursor_list"))?;
            let cursors = list.query_map([], |row| {
                Ok((row.tenant(0)?, row.slice(1)?, row.number(2)?))
            })?;
            Ok(cursors.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn follow(&self, step: PlaceStep) -> BoxFuture<'_, Result<bool>> {
        self.file().write("following to places", move |connection| {
            follow(connection, &step)
        })
    }

    fn event_types<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<EventTypeRow>>> {
        let Page { after, limit } = page.clone();
        self.file()
            .read("listing types of events", move |connection| {
                let mut list = connection.prepare_cached(sql!("ingestion/event_type_list"))?;
                let types = list.query_map(params![id(tenant.0), after, rows(limit)], |row| {
                    Ok(EventTypeRow {
                        event_type: row.get(0)?,
                        events: row.number(1)?,
                        first_at: row.instant(2)?,
                        last_at: row.instant(3)?,
                    })
                })?;
                Ok(types.collect::<rusqlite::Result<_>>()?)
            })
    }

    fn words<'a>(
        &'a self,
        tenant: TenantId,
        keys: &'a [AccountKey],
    ) -> BoxFuture<'a, Result<Vec<PlaceWord>>> {
        let keys = keys.to_vec();
        self.file().read("reading places", move |connection| {
            words(connection, tenant, keys)
        })
    }
}

fn follow(connection: &Connection, step: &PlaceStep) -> Work<bool> {
    let tenant = id(step.tenant.0);
    let mut move_on = connection.prepare_cached(sql!("ingestion/place_cursor_move"))?;
    let moved = move_on.execute(params![
        tenant,
        step.slice.0,
        number(step.from),
        number(step.to)
    ])?;
    if moved == 0 {
        return Err(Error::Fenced.into());
    }
    let mut put = connection.prepare_cached(sql!("ingestion/place_put"))?;
    for PlaceWord { key, word } in &step.words {
        put.execute(params![
            tenant,
            key.as_str(),
            word.at.0.div_euclid(DAY_US),
            word.account.as_str(),
            word.left,
            word.at.0
        ])?;
    }
    let mut put_event = connection.prepare_cached(sql!("ingestion/event_put"))?;
    // In the order of the table.
    let mut events = step.events.clone();
    events.sort_unstable_by_key(|event| (week_of(event.place.occurred_at), *event));
    for EventPlace {
        uid,
        place,
        known_at,
    } in events
    {
        put_event.execute(params![
            tenant,
            week_of(place.occurred_at),
            id(uid.0),
            place.occurred_at.0,
            id(place.address.batch_id),
            place.address.ordinal,
            known_at.0
        ])?;
    }
    count_types(connection, step)?;
    let keys = step.words.iter().map(|said| &said.key);
    note(connection, step.tenant, keys)
}

fn count_types(connection: &Connection, step: &PlaceStep) -> Work<()> {
    if step.types.is_empty() {
        return Ok(());
    }
    let tenant = id(step.tenant.0);
    let mut find = connection.prepare_cached(sql!("ingestion/event_type_find"))?;
    let mut known = BTreeSet::new();
    for EventTypeRow { event_type, .. } in &step.types {
        if find.exists(params![tenant, event_type])? {
            known.insert(event_type.clone());
        }
    }
    let room = if known.len() == step.types.len() {
        0
    } else {
        let mut count = connection.prepare_cached(sql!("ingestion/event_type_number"))?;
        let n_types = count.query_row(params![tenant], |row| row.number(0))?;
        MAX_EVENT_TYPES.saturating_sub(usize::try_from(n_types).unwrap_or(usize::MAX))
    };
    let mut add = connection.prepare_cached(sql!("ingestion/event_type_add"))?;
    for row in EventTypeRow::within(&step.types, &known, room) {
        add.execute(params![
            tenant,
            row.event_type,
            number(row.events),
            row.first_at.0,
            row.last_at.0
        ])?;
    }
    Ok(())
}

/// Notes which of these keys have a place while records wait for them; tells whether there are any.
pub(super) fn note<'a>(
    connection: &Connection,
    tenant: TenantId,
    keys: impl Iterator<Item = &'a AccountKey>,
) -> Work<bool> {
    let mut note = connection.prepare_cached(sql!("ingestion/place_note"))?;
    let mut noted = false;
    for key in keys {
        noted |= note.execute(params![id(tenant.0), key.as_str()])? > 0;
    }
    Ok(noted)
}

fn words(
    connection: &Connection,
    tenant: TenantId,
    mut keys: Vec<AccountKey>,
) -> Work<Vec<PlaceWord>> {
    keys.sort_unstable();
    keys.dedup();
    let mut of_key = connection.prepare_cached(sql!("ingestion/place_of_key"))?;
    let mut words = Vec::new();
    for key in keys {
        let mut found = of_key.query(params![id(tenant.0), key.as_str()])?;
        while let Some(row) = found.next()? {
            let (account, left) = (row.external_id(0)?, row.get(1)?);
            let ends: (Instant, Instant) = (row.instant(2)?, row.instant(3)?);
            words.extend(PlaceWord::between(&key, ends, |at| Word {
                at,
                account: account.clone(),
                left,
            }));
        }
    }
    Ok(words)
}
