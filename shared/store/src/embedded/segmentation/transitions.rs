//! What transitions say about any moment.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use sextant_domain::id::{AccountUid, TenantId};
use sextant_domain::time::Instant;

use crate::embedded::failure::Work;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number, rows};
use crate::port::{
    Page, ReplicaAccount, SegmentCount, TransitionFilter, TransitionOrder, TransitionRow,
};

pub(super) fn members_at(
    connection: &Connection,
    tenant: TenantId,
    segmentation: u16,
    segments: &[String],
    (as_of, known_at): (Instant, Instant),
    page: &Page,
) -> Work<Vec<(ReplicaAccount, TransitionRow)>> {
    let mut list = connection.prepare_cached(sql!("segmentation/member_list"))?;
    let after = page.after.as_deref().unwrap_or_default();
    let mut rows = list.query(params![
        id(tenant.0),
        segmentation,
        as_of.0,
        known_at.0,
        after
    ])?;
    let mut members = Vec::new();
    while members.len() < page.limit
        && let Some(row) = rows.next()?
    {
        let transition = transition_row(row)?;
        if segments.is_empty() || segments.contains(&transition.to_segment) {
            let account = ReplicaAccount {
                uid: transition.uid,
                id: row.external_id(12)?,
                name: row.get(13)?,
            };
            members.push((account, transition));
        }
    }
    Ok(members)
}

pub(super) fn counts_at(
    connection: &Connection,
    tenant: TenantId,
    segmentation: u16,
    as_of: Instant,
    known_at: Instant,
) -> Work<Vec<SegmentCount>> {
    let mut list = connection.prepare_cached(sql!("segmentation/transition_states"))?;
    let mut rows = list.query(params![id(tenant.0), segmentation, as_of.0, known_at.0])?;
    let mut counts: BTreeMap<(u8, String), u64> = BTreeMap::new();
    let mut newest: Option<(AccountUid, (u8, String))> = None;
    // Rows come by account and time: the last one of an account is where it is.
    while let Some(row) = rows.next()? {
        let uid = row.uid(0)?;
        let state = (row.get(1)?, row.get(2)?);
        let before = newest.replace((uid, state));
        if let Some((other, state)) = before
            && other != uid
        {
            *counts.entry(state).or_default() += 1;
        }
    }
    if let Some((_, state)) = newest {
        *counts.entry(state).or_default() += 1;
    }
    Ok(counts
        .into_iter()
        .map(|((state, segment), accounts)| SegmentCount {
            state,
            segment,
            accounts,
        })
        .collect())
}

pub(super) fn histories(
    connection: &Connection,
    tenant: TenantId,
    uids: &[AccountUid],
) -> Work<Vec<TransitionRow>> {
    let mut list = connection.prepare_cached(sql!("segmentation/transition_of_account"))?;
    let mut transitions = Vec::new();
    for uid in uids {
        for row in list.query_map(params![id(tenant.0), id(uid.0)], transition_row)? {
            transitions.push(row?);
        }
    }
    Ok(transitions)
}

pub(super) fn list(
    connection: &Connection,
    tenant: TenantId,
    filter: &TransitionFilter,
) -> Work<Vec<TransitionRow>> {
    let TransitionFilter {
        segmentation,
        uid,
        since,
        until,
        known_at,
        order,
        offset,
        limit,
    } = filter;
    let query = match (order, uid) {
        (TransitionOrder::NewestFirst, None) => sql!("segmentation/transition_list_newest"),
        (TransitionOrder::NewestFirst, Some(_)) => {
            sql!("segmentation/transition_of_account_newest")
        },
        (TransitionOrder::ValueAtRisk, None) => sql!("segmentation/transition_list_at_risk"),
        (TransitionOrder::ValueAtRisk, Some(_)) => {
            sql!("segmentation/transition_of_account_at_risk")
        },
    };
    let since = since.map_or(i64::MIN, |at| at.0);
    let until = until.map_or(i64::MAX, |at| at.0);
    let known_at = known_at.map_or(i64::MAX, |at| at.0);
    let mut list = connection.prepare_cached(query)?;
    let (tenant, limit, offset) = (id(tenant.0), rows(*limit), number(*offset));
    let found = match uid {
        Some(uid) => list.query_map(
            params![
                tenant,
                since,
                until,
                known_at,
                segmentation,
                limit,
                offset,
                id(uid.0)
            ],
            transition_row,
        )?,
        None => list.query_map(
            params![tenant, since, until, known_at, segmentation, limit, offset],
            transition_row,
        )?,
    };
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn told(
    connection: &Connection,
    tenant: TenantId,
    (at, known_at): (Instant, Instant),
    after: u128,
    limit: usize,
) -> Work<Vec<TransitionRow>> {
    let mut list = connection.prepare_cached(sql!("segmentation/transition_told"))?;
    let found = list.query_map(
        params![id(tenant.0), at.0, known_at.0, id(after), rows(limit)],
        transition_row,
    )?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn transition_row(row: &Row<'_>) -> rusqlite::Result<TransitionRow> {
    Ok(TransitionRow {
        id: row.id(0)?,
        segmentation: row.get(1)?,
        uid: row.uid(2)?,
        at: row.instant(3)?,
        known_at: row.instant(4)?,
        to_state: row.get(5)?,
        to_segment: row.get(6)?,
        value_minor: row.get(7)?,
        downward: row.get(8)?,
        is_move: row.get(9)?,
        is_correction: row.get(10)?,
        transition: row.get(11)?,
    })
}
