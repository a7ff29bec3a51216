use rusqlite::{Connection, OptionalExtension, Statement, params};

use sextant_domain::id::{AccountUid, ExternalId, TenantId};

use crate::embedded::failure::Work;
use crate::embedded::ingestion::Ingestion;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, rows};
use crate::port::{
    AccountRow, Accounts, FactAddress, FactVersion, Page, TimelinePlace, TimelineQuery, TimelineRow,
};
use crate::{BoxFuture, Result};

impl Accounts for Ingestion {
    fn resolve<'a>(
        &'a self,
        tenant: TenantId,
        ids: &'a [ExternalId],
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>> {
        let ids = ids.to_vec();
        self.file.read("resolving accounts", move |connection| {
            resolve(connection, tenant, ids)
        })
    }

    fn list<'a>(
        &'a self,
        tenant: TenantId,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<AccountRow>>> {
        let Page { after, limit } = page.clone();
        self.file.read("listing accounts", move |connection| {
            let mut list = connection.prepare_cached(sql!("ingestion/account_list"))?;
            let accounts = list.query_map(
                params![id(tenant.0), after.unwrap_or_default(), rows(limit)],
                |row| {
                    Ok(AccountRow {
                        id: row.external_id(0)?,
                        uid: row.uid(1)?,
                        slice: row.slice(2)?,
                    })
                },
            )?;
            Ok(accounts.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn versions<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<FactVersion>>> {
        let uids = uids.to_vec();
        self.file
            .read("reading facts of accounts", move |connection| {
                versions(connection, tenant, uids)
            })
    }

    fn timeline<'a>(
        &'a self,
        tenant: TenantId,
        query: &'a TimelineQuery,
    ) -> BoxFuture<'a, Result<Vec<TimelineRow>>> {
        let query = query.clone();
        self.file.read("reading a timeline", move |connection| {
            timeline(connection, tenant, &query)
        })
    }
}

fn resolve(
    connection: &Connection,
    tenant: TenantId,
    mut ids: Vec<ExternalId>,
) -> Work<Vec<AccountRow>> {
    ids.sort_unstable();
    ids.dedup();
    let mut find = connection.prepare_cached(sql!("ingestion/account_find"))?;
    let mut accounts = Vec::with_capacity(ids.len());
    for account in ids {
        let found = find
            .query_row(params![id(tenant.0), account.as_str()], |row| {
                Ok((row.uid(0)?, row.slice(1)?))
            })
            .optional()?;
        if let Some((uid, slice)) = found {
            accounts.push(AccountRow {
                uid,
                id: account,
                slice,
            });
        }
    }
    Ok(accounts)
}

fn versions(
    connection: &Connection,
    tenant: TenantId,
    mut uids: Vec<AccountUid>,
) -> Work<Vec<FactVersion>> {
    uids.sort_unstable();
    uids.dedup();
    let mut of_account = connection.prepare_cached(sql!("ingestion/fact_versions"))?;
    let mut versions = Vec::new();
    for uid in uids {
        let mut rows = of_account.query(params![id(tenant.0), id(uid.0)])?;
        while let Some(row) = rows.next()? {
            let (kind, occurred_at, known_at) = (row.kind(0)?, row.instant(1)?, row.instant(2)?);
            versions.push(FactVersion {
                uid,
                kind,
                occurred_at,
                known_at,
                record: row.get(3)?,
            });
        }
    }
    Ok(versions)
}

fn timeline(
    connection: &Connection,
    tenant: TenantId,
    query: &TimelineQuery,
) -> Work<Vec<TimelineRow>> {
    let mut facts = connection.prepare_cached(sql!("ingestion/timeline_facts"))?;
    let facts = part(&mut facts, tenant, query, query.kind_bits(), query.limit)?;
    let mut events = Vec::new();
    if query.has_events() {
        let mut before = connection.prepare_cached(sql!("ingestion/event_week_last"))?;
        let mut of_week = connection.prepare_cached(sql!("ingestion/timeline_events"))?;
        let mut last = i64::from(query.last_week());
        while events.len() < query.limit
            && let Some(week) = before.query_row(params![id(tenant.0), last], |row| {
                row.get::<_, Option<i64>>(0)
            })?
        {
            let left = query.limit - events.len();
            events.extend(part(&mut of_week, tenant, query, week, left)?);
            last = week - 1;
        }
    }
    Ok(query.merged(facts, events))
}

/// A part of a timeline: that of some kinds, or of a week.
fn part(
    statement: &mut Statement<'_>,
    tenant: TenantId,
    query: &TimelineQuery,
    of: i64,
    limit: usize,
) -> Work<Vec<TimelineRow>> {
    let TimelinePlace {
        occurred_at,
        address,
    } = query.before;
    let given = params![
        id(tenant.0),
        of,
        id(query.uid.0),
        query.known_at.0,
        occurred_at.0,
        id(address.batch_id),
        address.ordinal,
        rows(limit)
    ];
    let found = statement.query_map(given, |row| {
        Ok(TimelineRow {
            kind: row.kind(0)?,
            historical: row.get(1)?,
            known_at: row.instant(2)?,
            record: row.get(3)?,
            place: TimelinePlace {
                occurred_at: row.instant(4)?,
                address: FactAddress {
                    batch_id: row.id(5)?,
                    ordinal: row.get(6)?,
                },
            },
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
