//! Transitions, and memberships of the past that follow from them.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::{AccountUid, TenantId};
use sextant_domain::time::Instant;
use sextant_store::Result;
use sextant_store::port::{
    Page, ReplicaAccount, SegmentCount, TransitionFilter, TransitionOrder, TransitionRow,
};

use super::Segmentation;
use crate::postgres::decode::{self, Fields};
use crate::postgres::rows;
use crate::postgres::session::Session;

const INSERT: &str = include_str!("../../../queries/postgres/segmentation/insert_transitions.sql");
const AT: &str = include_str!("../../../queries/postgres/segmentation/transition_at.sql");
const HISTORIES: &str = include_str!("../../../queries/postgres/segmentation/histories.sql");
const MEMBERS_AT: &str = include_str!("../../../queries/postgres/segmentation/members_at.sql");
const COUNTS_AT: &str = include_str!("../../../queries/postgres/segmentation/counts_at.sql");
const NEWEST: &str = include_str!("../../../queries/postgres/segmentation/transitions_newest.sql");
const TOLD: &str = include_str!("../../../queries/postgres/segmentation/transitions_told.sql");
const BY_VALUE: &str = include_str!("../../../queries/postgres/segmentation/transitions_value.sql");

fn transition(row: &mut Fields<'_>) -> Result<TransitionRow> {
    Ok(TransitionRow {
        id: row.id()?,
        segmentation: row.number::<i32, u16>()?,
        uid: row.uid()?,
        at: row.instant()?,
        known_at: row.instant()?,
        to_state: row.number::<i16, u8>()?,
        to_segment: row.take()?,
        value_minor: row.take()?,
        downward: row.take()?,
        is_move: row.take()?,
        is_correction: row.take()?,
        transition: row.take()?,
    })
}

/// Stores the transitions of a commit, within its transaction.
pub(super) async fn insert(
    session: &Session,
    tenant: TenantId,
    transitions: &[TransitionRow],
) -> Result<()> {
    if transitions.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = transitions
        .iter()
        .map(|row| Uuid::from_u128(row.id))
        .collect();
    let segmentations: Vec<i32> = transitions
        .iter()
        .map(|row| i32::from(row.segmentation))
        .collect();
    let uids: Vec<Uuid> = transitions
        .iter()
        .map(|row| Uuid::from_u128(row.uid.0))
        .collect();
    let at: Vec<i64> = transitions.iter().map(|row| row.at.0).collect();
    let known: Vec<i64> = transitions.iter().map(|row| row.known_at.0).collect();
    let states: Vec<i16> = transitions
        .iter()
        .map(|row| i16::from(row.to_state))
        .collect();
    let segments: Vec<&str> = transitions
        .iter()
        .map(|row| row.to_segment.as_str())
        .collect();
    let values: Vec<i64> = transitions.iter().map(|row| row.value_minor).collect();
    let downward: Vec<bool> = transitions.iter().map(|row| row.downward).collect();
    let are_moves: Vec<bool> = transitions.iter().map(|row| row.is_move).collect();
    let are_corrections: Vec<bool> = transitions.iter().map(|row| row.is_correction).collect();
    let encoded: Vec<&[u8]> = transitions
        .iter()
        .map(|row| row.transition.as_slice())
        .collect();
    let statement = session.prepare(INSERT).await?;
    let tenant = rows::tenant(tenant);
    let params: [&(dyn ToSql + Sync); 13] = [
        &tenant,
        &ids,
        &segmentations,
        &uids,
        &at,
        &known,
        &states,
        &segments,
        &values,
        &downward,
        &are_moves,
        &are_corrections,
        &encoded,
    ];
    session.query(&statement, &params).await?;
    Ok(())
}

impl Segmentation {
    pub(super) async fn newest_transition(
        &self,
        tenant: TenantId,
        uid: AccountUid,
        segmentation: u16,
        (as_of, known_at): (Instant, Instant),
    ) -> Result<Option<TransitionRow>> {
        let params = (
            rows::tenant(tenant),
            Uuid::from_u128(uid.0),
            i32::from(segmentation),
        );
        let found = self
            .pool
            .read(
                tenant,
                "reading a membership of the past",
                AT,
                &[&params.0, &params.1, &params.2, &as_of.0, &known_at.0],
            )
            .await?;
        decode::first(&found, "transition", transition)
    }

    pub(super) async fn members(
        &self,
        tenant: TenantId,
        segmentation: u16,
        segments: &[String],
        (as_of, known_at): (Instant, Instant),
        page: &Page,
    ) -> Result<Vec<(ReplicaAccount, TransitionRow)>> {
        let after = rows::text(page.after.as_deref().unwrap_or_default());
        let (id, segmentation, limit) = (
            rows::tenant(tenant),
            i32::from(segmentation),
            rows::limit(page.limit),
        );
        let segments: Vec<_> = segments.iter().map(|segment| rows::text(segment)).collect();
        let params: [&(dyn ToSql + Sync); 7] = [
            &id,
            &segmentation,
            &as_of.0,
            &known_at.0,
            &after,
            &segments,
            &limit,
        ];
        let found = self
            .pool
            .read(tenant, "listing members", MEMBERS_AT, &params)
            .await?;
        decode::all(&found, "member", |row| {
            let (id, name) = (row.external_id()?, row.take()?);
            let transition = transition(row)?;
            Ok((
                ReplicaAccount {
                    uid: transition.uid,
                    id,
                    name,
                },
                transition,
            ))
        })
    }

    pub(super) async fn counts(
        &self,
        tenant: TenantId,
        segmentation: u16,
        (as_of, known_at): (Instant, Instant),
    ) -> Result<Vec<SegmentCount>> {
        let (id, segmentation) = (rows::tenant(tenant), i32::from(segmentation));
        let found = self
            .pool
            .read(
                tenant,
                "counting members",
                COUNTS_AT,
                &[&id, &segmentation, &as_of.0, &known_at.0],
            )
            .await?;
        decode::all(&found, "count", |row| {
            Ok(SegmentCount {
                state: row.number::<i16, u8>()?,
                segment: row.take()?,
                accounts: row.sequence()?,
            })
        })
    }

    pub(super) async fn of_accounts(
        &self,
        tenant: TenantId,
        uids: &[AccountUid],
    ) -> Result<Vec<TransitionRow>> {
        let uids: Vec<Uuid> = uids.iter().map(|uid| Uuid::from_u128(uid.0)).collect();
        let found = self
            .pool
            .read(
                tenant,
                "reading histories",
                HISTORIES,
                &[&rows::tenant(tenant), &uids],
            )
            .await?;
        decode::all(&found, "transition", transition)
    }

    pub(super) async fn filtered(
        &self,
        tenant: TenantId,
        filter: &TransitionFilter,
    ) -> Result<Vec<TransitionRow>> {
        let (id, segmentation) = (rows::tenant(tenant), filter.segmentation.map(i32::from));
        let uid = filter.uid.map(|uid| Uuid::from_u128(uid.0));
        let since = filter.since.map_or(i64::MIN, |at| at.0);
        let until = filter.until.map_or(i64::MAX, |at| at.0);
        let known_at = filter.known_at.map_or(i64::MAX, |at| at.0);
        let (offset, limit) = (rows::number(filter.offset), rows::limit(filter.limit));
        let params: [&(dyn ToSql + Sync); 8] = [
            &id,
            &segmentation,
            &uid,
            &since,
            &until,
            &known_at,
            &offset,
            &limit,
        ];
        let sql = match filter.order {
            TransitionOrder::NewestFirst => NEWEST,
            TransitionOrder::ValueAtRisk => BY_VALUE,
        };
        let found = self
            .pool
            .read(tenant, "listing transitions", sql, &params)
            .await?;
        decode::all(&found, "transition", transition)
    }

    pub(super) async fn told_at(
        &self,
        tenant: TenantId,
        (at, known_at): (Instant, Instant),
        after: u128,
        limit: usize,
    ) -> Result<Vec<TransitionRow>> {
        let (id, after) = (rows::tenant(tenant), Uuid::from_u128(after));
        let params: [&(dyn ToSql + Sync); 5] =
            [&id, &at.0, &known_at.0, &after, &rows::limit(limit)];
        let found = self
            .pool
            .read(tenant, "reading transitions", TOLD, &params)
            .await?;
        decode::all(&found, "transition", transition)
    }
}
