//! The timeline of an account.

use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_store::Result;
use sextant_store::port::{FactAddress, TimelinePlace, TimelineQuery, TimelineRow};

use crate::postgres::decode::{self, Fields};
use crate::postgres::pool::Pool;
use crate::postgres::rows;

const FACTS: &str = include_str!("../../../queries/postgres/ingestion/timeline_facts.sql");
const EVENTS: &str = include_str!("../../../queries/postgres/ingestion/timeline_events.sql");
const WEEKS: &str = include_str!("../../../queries/postgres/ingestion/event_weeks.sql");

/// Weeks that are read at one time, at first; then more, for an account of which so many have no event has few.
const FIRST_WEEKS: i64 = 4;
const MORE_WEEKS: i64 = 4;

/// What is known of an account, newest first.
pub(super) async fn read(
    pool: &Pool,
    tenant: TenantId,
    query: &TimelineQuery,
) -> Result<Vec<TimelineRow>> {
    let facts = facts(pool, tenant, query).await?;
    let events = if query.has_events() {
        events(pool, tenant, query).await?
    } else {
        Vec::new()
    };
    Ok(query.merged(facts, events))
}

async fn facts(pool: &Pool, tenant: TenantId, query: &TimelineQuery) -> Result<Vec<TimelineRow>> {
    let TimelinePlace {
        occurred_at,
        address,
    } = query.before;
    let found = pool
        .read(
            tenant,
            "reading the facts of a timeline",
            FACTS,
            &[
                &rows::tenant(tenant),
                &query.kind_bits(),
                &Uuid::from_u128(query.uid.0),
                &query.known_at.0,
                &occurred_at.0,
                &Uuid::from_u128(address.batch_id),
                &rows::ordinal(address.ordinal),
                &rows::limit(query.limit),
            ],
        )
        .await?;
    decode::all(&found, "fact", row)
}

async fn events(pool: &Pool, tenant: TenantId, query: &TimelineQuery) -> Result<Vec<TimelineRow>> {
    let mut events = Vec::new();
    let Some((first, last)) = bounds(pool, tenant).await? else {
        return Ok(events);
    };
    let mut end = i64::from(last.min(query.last_week())) + 1;
    let mut n_weeks = FIRST_WEEKS;
    while end > i64::from(first) && events.len() < query.limit {
        let begin = (end - n_weeks).max(first.into());
        let weeks: Vec<i32> = (begin..end)
            .filter_map(|week| week.try_into().ok())
            .collect();
        events.extend(of_weeks(pool, tenant, query, &weeks).await?);
        (end, n_weeks) = (begin, n_weeks * MORE_WEEKS);
    }
    Ok(events)
}

/// The first and the last week of a tenant's events; `None`: there are none.
async fn bounds(pool: &Pool, tenant: TenantId) -> Result<Option<(i32, i32)>> {
    let found = pool
        .read(
            tenant,
            "reading the weeks of events",
            WEEKS,
            &[&rows::tenant(tenant)],
        )
        .await?;
    let bounds = decode::all(&found, "week", |row| {
        let (first, last): (Option<i32>, Option<i32>) = (row.take()?, row.take()?);
        Ok(first.zip(last))
    })?;
    Ok(bounds.into_iter().flatten().next())
}

async fn of_weeks(
    pool: &Pool,
    tenant: TenantId,
    query: &TimelineQuery,
    weeks: &[i32],
) -> Result<Vec<TimelineRow>> {
    let TimelinePlace {
        occurred_at,
        address,
    } = query.before;
    let found = pool
        .read(
            tenant,
            "reading the events of a timeline",
            EVENTS,
            &[
                &rows::tenant(tenant),
                &weeks,
                &Uuid::from_u128(query.uid.0),
                &query.known_at.0,
                &occurred_at.0,
                &Uuid::from_u128(address.batch_id),
                &rows::ordinal(address.ordinal),
                &rows::limit(query.limit),
                &rows::slice(query.slice),
            ],
        )
        .await?;
    decode::all(&found, "event", row)
}

fn row(row: &mut Fields<'_>) -> Result<TimelineRow> {
    Ok(TimelineRow {
        kind: row.kind()?,
        historical: row.take()?,
        known_at: row.instant()?,
        record: row.take()?,
        place: TimelinePlace {
            occurred_at: row.instant()?,
            address: FactAddress {
                batch_id: row.id()?,
                ordinal: row.number::<i32, u32>()?,
            },
        },
    })
}
