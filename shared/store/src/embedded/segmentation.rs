//! The store of segmentation.

mod catalogue;
mod commit;
mod definitions;
mod transitions;

use rusqlite::{Connection, OptionalExtension, Row, params};

use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::time::Instant;

use crate::embedded::failure::Work;
use crate::embedded::feed::impl_feed;
use crate::embedded::file::File;
use crate::embedded::replica::account_row;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id};
use crate::port::{
    Behind, Judged, MembershipRow, Memberships, Page, ReplicaAccount, SegmentCount,
    SegmentationCommit, SliceProgress, SlicesProgress, TransitionFilter, TransitionRow,
};
use crate::{BoxFuture, Result};

/// Definitions, memberships and transitions: the file `segmentation.db`.
#[derive(Debug)]
pub struct Segmentation {
    file: File,
}

impl Segmentation {
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl_feed!(Segmentation);

impl Memberships for Segmentation {
    fn commit(&self, commit: SegmentationCommit) -> BoxFuture<'_, Result<u64>> {
        self.file
            .write("committing memberships", move |connection| {
                commit::store(connection, &commit)
            })
    }

    fn progress(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceProgress>> {
        self.file.read("reading a cursor", move |connection| {
            find_progress(connection, tenant, slice)
        })
    }

    fn slices(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<(Slice, SliceProgress)>>> {
        self.file.read("reading cursors", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/cursor_of_tenant"))?;
            let cursors = list.query_map(params![id(tenant.0)], |row| {
                Ok((row.slice(0)?, progress(row, 1)?))
            })?;
            Ok(cursors.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn cursors(&self) -> BoxFuture<'_, Result<SlicesProgress>> {
        self.file.read("reading cursors", |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/cursor_list"))?;
            let cursors = list.query_map([], |row| {
                Ok((row.tenant(0)?, row.slice(1)?, progress(row, 2)?))
            })?;
            Ok(cursors.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn of_slice(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<Vec<MembershipRow>>> {
        self.file.read("reading memberships", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/membership_of_slice"))?;
            let memberships = list.query_map(params![id(tenant.0), slice.0], membership_row)?;
            Ok(memberships.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn account<'a>(
        &'a self,
        tenant: TenantId,
        id: &'a ExternalId,
    ) -> BoxFuture<'a, Result<Option<ReplicaAccount>>> {
        let external_id = id.clone();
        self.file.read("reading an account", move |connection| {
            account(connection, tenant, &external_id)
        })
    }

    fn of_account(
        &self,
        tenant: TenantId,
        uid: AccountUid,
    ) -> BoxFuture<'_, Result<Vec<MembershipRow>>> {
        self.file.read("reading memberships", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/membership_of_account"))?;
            let memberships = list.query_map(params![id(tenant.0), id(uid.0)], membership_row)?;
            Ok(memberships.collect::<rusqlite::Result<_>>()?)
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
        self.file.read("reading a transition", move |connection| {
            let mut find = connection.prepare_cached(sql!("segmentation/transition_at"))?;
            let bound = params![id(tenant.0), segmentation, id(uid.0), as_of.0, known_at.0];
            Ok(find
                .query_row(bound, transitions::transition_row)
                .optional()?)
        })
    }

    fn members_at<'a>(
        &'a self,
        tenant: TenantId,
        segmentation: u16,
        segments: &'a [String],
        moment: (Instant, Instant),
        page: &'a Page,
    ) -> BoxFuture<'a, Result<Vec<(ReplicaAccount, TransitionRow)>>> {
        let (segments, page) = (segments.to_vec(), page.clone());
        self.file.read("listing members", move |connection| {
            transitions::members_at(connection, tenant, segmentation, &segments, moment, &page)
        })
    }

    fn counts_at(
        &self,
        tenant: TenantId,
        segmentation: u16,
        as_of: Instant,
        known_at: Instant,
    ) -> BoxFuture<'_, Result<Vec<SegmentCount>>> {
        self.file.read("counting members", move |connection| {
            transitions::counts_at(connection, tenant, segmentation, as_of, known_at)
        })
    }

    fn histories<'a>(
        &'a self,
        tenant: TenantId,
        uids: &'a [AccountUid],
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>> {
        let uids = uids.to_vec();
        self.file.read("reading histories", move |connection| {
            transitions::histories(connection, tenant, &uids)
        })
    }

    fn transitions<'a>(
        &'a self,
        tenant: TenantId,
        filter: &'a TransitionFilter,
    ) -> BoxFuture<'a, Result<Vec<TransitionRow>>> {
        let filter = filter.clone();
        self.file.read("listing transitions", move |connection| {
            transitions::list(connection, tenant, &filter)
        })
    }

    fn told(
        &self,
        tenant: TenantId,
        at: Instant,
        known_at: Instant,
        after: u128,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<TransitionRow>>> {
        self.file.read("reading transitions", move |connection| {
            transitions::told(connection, tenant, (at, known_at), after, limit)
        })
    }
}

fn find_progress(connection: &Connection, tenant: TenantId, slice: Slice) -> Work<SliceProgress> {
    let mut find = connection.prepare_cached(sql!("segmentation/cursor_find"))?;
    let found = find
        .query_row(params![id(tenant.0), slice.0], |row| progress(row, 0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn progress(row: &Row<'_>, first: usize) -> rusqlite::Result<SliceProgress> {
    Ok(SliceProgress {
        cursor: row.number(first)?,
        facts_sequence: row.number(first + 1)?,
        closed_on: row.day_or_none(first + 2)?,
        version: row.number(first + 3)?,
        behind: Behind::from_bytes(row.get_ref(first + 4)?.as_blob()?),
        judged: Judged::from_bytes(row.get_ref(first + 5)?.as_blob()?),
    })
}

fn account(
    connection: &Connection,
    tenant: TenantId,
    external_id: &ExternalId,
) -> Work<Option<ReplicaAccount>> {
    let mut find = connection.prepare_cached(sql!("segmentation/account_find"))?;
    Ok(find
        .query_row(params![id(tenant.0), external_id.as_str()], |row| {
            account_row(row, 0)
        })
        .optional()?)
}

fn membership_row(row: &Row<'_>) -> rusqlite::Result<MembershipRow> {
    Ok(MembershipRow {
        segmentation: row.get(0)?,
        uid: row.uid(1)?,
        state: row.get(2)?,
        segment: row.get(3)?,
        entered_at: row.instant(4)?,
        close_state: row.get(5)?,
        close_segment: row.get(6)?,
        transition: row.get(7)?,
        trouble: row.get(8)?,
    })
}
