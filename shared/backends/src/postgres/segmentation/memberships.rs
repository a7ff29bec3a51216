//! Present memberships, and the commit of a slice.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_store::port::{
    Behind, Judged, MembershipRow, Memberships, Page, ReplicaAccount, SegmentCount,
    SegmentationCommit, SliceProgress, SlicesProgress, TransitionFilter, TransitionRow,
};
use sextant_store::{BoxFuture, Error, Result};

use super::Segmentation;
use crate::postgres::decode::{self, Fields};
use crate::postgres::session::Session;
use crate::postgres::{feed, replica, rows};

const MOVE_CURSOR: &str = include_str!("../../../queries/postgres/segmentation/move_cursor.sql");
const CURSOR: &str = include_str!("../../../queries/postgres/segmentation/cursor.sql");
const CURSORS_OF_TENANT: &str =
    include_str!("../../../queries/postgres/segmentation/cursors_of_tenant.sql");
const CURSORS: &str = include_str!("../../../queries/postgres/segmentation/cursors.sql");
const PUT_ACCOUNTS: &str = include_str!("../../../queries/postgres/segmentation/put_accounts.sql");
const PUT_MEMBERSHIPS: &str =
    include_str!("../../../queries/postgres/segmentation/put_memberships.sql");
const OF_SLICE: &str = include_str!("../../../queries/postgres/segmentation/of_slice.sql");
const OF_ACCOUNT: &str = include_str!("../../../queries/postgres/segmentation/of_account.sql");
const ACCOUNT: &str = include_str!("../../../queries/postgres/segmentation/account.sql");

fn membership(row: &mut Fields<'_>) -> Result<MembershipRow> {
    Ok(MembershipRow {
        segmentation: row.number::<i32, u16>()?,
        uid: row.uid()?,
        state: row.number::<i16, u8>()?,
        segment: row.take()?,
        entered_at: row.instant()?,
        close_state: row.number::<i16, u8>()?,
        close_segment: row.take()?,
        transition: row.take()?,
        trouble: row.take()?,
    })
}

fn progress(row: &mut Fields<'_>) -> Result<SliceProgress> {
    Ok(SliceProgress {
        cursor: row.sequence()?,
        facts_sequence: row.sequence()?,
        closed_on: row.maybe_day()?,
        version: row.sequence()?,
        behind: Behind::from_bytes(row.take()?),
        judged: Judged::from_bytes(row.take()?),
    })
}

/// Moves the cursor on, if the slice is where the results were computed from.
async fn advance(session: &Session, commit: &SegmentationCommit) -> Result<()> {
    let (tenant, slice) = (rows::tenant(commit.tenant), rows::slice(commit.slice));
    let (position, version) = (rows::number(commit.cursor), rows::number(commit.version));
    let (facts, closed_on) = (
        rows::number(commit.facts_sequence),
        commit.closed_on.map(|day| day.0),
    );
    let (behind, judged) = (
        Behind::to_bytes(&commit.behind),
        Judged::to_bytes(&commit.judged),
    );
    let statement = session.prepare(MOVE_CURSOR).await?;
    let params: [&(dyn ToSql + Sync); 8] = [
        &tenant, &slice, &position, &facts, &closed_on, &version, &behind, &judged,
    ];
    let moved = session.execute(&statement, &params).await?;
    if moved == 0 {
        session.rollback().await?;
        return Err(Error::Fenced);
    }
    Ok(())
}

async fn put_memberships(session: &Session, commit: &SegmentationCommit) -> Result<()> {
    if commit.memberships.is_empty() {
        return Ok(());
    }
    let changed = rows::last_of_each(&commit.memberships, |row| (row.segmentation, row.uid));
    let segmentations: Vec<i32> = changed
        .iter()
        .map(|row| i32::from(row.segmentation))
        .collect();
    let uids: Vec<Uuid> = changed
        .iter()
        .map(|row| Uuid::from_u128(row.uid.0))
        .collect();
    let states: Vec<i16> = changed.iter().map(|row| i16::from(row.state)).collect();
    let segments: Vec<&str> = changed.iter().map(|row| row.segment.as_str()).collect();
    let entered: Vec<i64> = changed.iter().map(|row| row.entered_at.0).collect();
    let close_states: Vec<i16> = changed
        .iter()
        .map(|row| i16::from(row.close_state))
        .collect();
    let close_segments: Vec<&str> = changed
        .iter()
        .map(|row| row.close_segment.as_str())
        .collect();
    let transitions: Vec<&[u8]> = changed
        .iter()
        .map(|row| row.transition.as_slice())
        .collect();
    let troubles: Vec<_> = changed.iter().map(|row| rows::text(&row.trouble)).collect();
    let statement = session.prepare(PUT_MEMBERSHIPS).await?;
    let (tenant, slice) = (rows::tenant(commit.tenant), rows::slice(commit.slice));
    let params: [&(dyn ToSql + Sync); 11] = [
        &tenant,
        &slice,
        &segmentations,
        &uids,
        &states,
        &segments,
        &entered,
        &close_states,
        &close_segments,
        &transitions,
        &troubles,
    ];
    session.query(&statement, &params).await?;
    Ok(())
}

impl Segmentation {
    async fn store(&self, commit: &SegmentationCommit) -> Result<u64> {
        let session = self.pool.session("committing memberships").await?;
        session.begin(commit.tenant);
        advance(&session, commit).await?;
        replica::put_accounts(
            &session,
            PUT_ACCOUNTS,
            (commit.tenant, commit.slice),
            &commit.accounts,
        )
        .await?;
        put_memberships(&session, commit).await?;
        super::transitions::insert(&session, commit.tenant, &commit.transitions).await?;
        let payloads: Vec<&[u8]> = commit.entries.iter().map(Vec::as_slice).collect();
        feed::append_and_commit(&session, commit.tenant, commit.slice, &payloads).await
    }
}

impl Memberships for Segmentation {
    fn commit(&self, commit: SegmentationCommit) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.store(&commit).await })
    }

    fn progress(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceProgress>> {
        Box::pin(async move {
            let found = self
                .pool
                .system(
                    "reading a cursor",
                    CURSOR,
                    &[&rows::tenant(tenant), &rows::slice(slice)],
                )
                .await?;
            Ok(decode::first(&found, "cursor", progress)?.unwrap_or_default())
        })
    }

    fn slices(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<(Slice, SliceProgress)>>> {
        Box::pin(async move {
            let found = self
                .pool
                .system(
                    "reading cursors",
                    CURSORS_OF_TENANT,
                    &[&rows::tenant(tenant)],
                )
                .await?;
            decode::all(&found, "cursor", |row| Ok((row.slice()?, progress(row)?)))
        })
    }

    fn cursors(&self) -> BoxFuture<'_, Result<SlicesProgress>> {
        Box::pin(async move {
            let found = self.pool.system("reading cursors", CURSORS, &[]).await?;
            decode::all(&found, "cursor", |row| {
                Ok((row.tenant()?, row.slice()?, progress(row)?))
            })
        })
    }

    fn of_slice(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<Vec<MembershipRow>>> {
        Box::pin(async move {
            let found = self
                .pool
                .read(
                    tenant,
                    "reading memberships",
                    OF_SLICE,
                    &[&rows::tenant(tenant), &rows::slice(slice)],
                )
                .await?;
            decode::all(&found, "membership", membership)
        })
    }

    fn account<'a>(
        &'a self,
        tenant: TenantId,
        id: &'a ExternalId,
    ) -> BoxFuture<'a, Result<Option<ReplicaAccount>>> {
        Box::pin(async move {
            let found = self
                .pool
                .read(
                    tenant,
                    "reading an account",
                    ACCOUNT,
                    &[&rows::tenant(tenant), &id.as_str()],
                )
                .await?;
            decode::first(&found, "account", |row| {
                Ok(ReplicaAccount {
                    uid: row.uid()?,
                    id: row.external_id()?,
                    name: row.take()?,
                })
            })
        })
    }

    fn of_account(
        &self,
        tenant: TenantId,
        uid: AccountUid,
    ) -> BoxFuture<'_, Result<Vec<MembershipRow>>> {
        Box::pin(async move {
            let uid = Uuid::from_u128(uid.0);
            let found = self
                .pool
                .read(
                    tenant,
                    "reading memberships",
                    OF_ACCOUNT,
                    &[&rows::tenant(tenant), &uid],
                )
                .await?;
            decode::all(&found, "membership", membership)
        })
    }

    fn at(
        &self,
        tenant: TenantId,
        uid: AccountUid,
        segmentation: u16,
        as_of: Instant,
        known_at: Instant,
    ) -> BoxFuture<'_, Result<Option<TransitionRow>>> {
        Box::pin(self.newest_transition(tenant, uid, segmentation, (as_of, known_at)))
    }

    fn members_at<'a>(
        &'a self,
        tenant: TenantId,
        segmentation: u16,
        segments: &'a [String],
        moment: (Instant, Instant),
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<(ReplicaAccount, TransitionRow)>>> {
        Box::pin(self.members(tenant, segmentation, segments, moment, page))
    }

    fn counts_at(
        &self,
        tenant: TenantId,
        segmentation: u16,
        as_of: Instant,
        known_at: Instant,
    ) -> BoxFuture<'_, Result<Vec<SegmentCount>>> {
        Box::pin(self.counts(tenant, segmentation, (as_of, known_at)))
    }

    fn histories<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>> {
        Box::pin(self.of_accounts(tenant, uids))
    }

    fn transitions<'a>(
        &'a self,
        tenant: TenantId,
        filter: &'a TransitionFilter,
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>> {
        Box::pin(self.filtered(tenant, filter))
    }

    fn told(
        &self,
        tenant: TenantId,
        at: Instant,
        known_at: Instant,
        after: u128,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<TransitionRow>>> {
        Box::pin(self.told_at(tenant, (at, known_at), after, limit))
    }
}
