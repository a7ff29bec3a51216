//! The store of metrics.

use rusqlite::{Connection, OptionalExtension, Row, params};

use sextant_domain::id::{Slice, TenantId};

use crate::embedded::failure::Work;
use crate::embedded::file::File;
use crate::embedded::replica::{self, impl_replica};
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number};
use crate::port::{self, AllMovesProgress, MetricsCommit, MoveRow, MovesProgress};
use crate::{BoxFuture, Error, Result};

/// Moves between segments and the replica of the facts: the file `metrics.db`.
#[derive(Debug)]
pub struct Metrics {
    file: File,
}

impl Metrics {
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl_replica!(Metrics);

impl port::Metrics for Metrics {
    fn commit(&self, commit: MetricsCommit) -> BoxFuture<'_, Result<()>> {
        self.file.write(
            "committing facts and moves",
            move |connection| match &commit {
                MetricsCommit::Facts(facts) => replica::store(connection, facts),
                MetricsCommit::Moves {
                    tenant,
                    slice,
                    expected_cursor,
                    progress,
                    moves,
                } => {
                    let stored = moves_progress(connection, *tenant, *slice)?;
                    if stored.cursor != *expected_cursor {
                        return Err(Error::Fenced.into());
                    }
                    let mut put = connection.prepare_cached(sql!("metrics/cursor_put"))?;
                    put.execute(params![
                        id(tenant.0),
                        slice.0,
                        number(progress.cursor),
                        number(progress.facts_sequence),
                        progress.behind_as_text()
                    ])?;
                    append_moves(connection, *tenant, *slice, moves)
                },
            },
        )
    }

    fn moves_progress(
        &self,
        tenant: TenantId,
        slice: Slice,
    ) -> BoxFuture<'_, Result<MovesProgress>> {
        self.file.read("reading a cursor", move |connection| {
            moves_progress(connection, tenant, slice)
        })
    }

    fn all_moves_progress(&self) -> BoxFuture<'_, Result<AllMovesProgress>> {
        self.file.read("reading cursors", |connection| {
            let mut list = connection.prepare_cached(sql!("metrics/cursor_list"))?;
            let cursors = list.query_map([], |row| {
                Ok((row.tenant(0)?, row.slice(1)?, progress(row, 2)?))
            })?;
            Ok(cursors.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn moves(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MoveRow>>> {
        self.file.read("reading moves", move |connection| {
            let mut list = connection.prepare_cached(sql!("metrics/move_list"))?;
            let moves = list.query_map(params![id(tenant.0), slice.0], |row| {
                Ok(MoveRow {
                    uid: row.uid(0)?,
                    segmentation: row.get(1)?,
                    segment: row.get(2)?,
                    at: row.instant(3)?,
                    known_at: row.instant(4)?,
                })
            })?;
            Ok(moves.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn moves_progress(connection: &Connection, tenant: TenantId, slice: Slice) -> Work<MovesProgress> {
    let mut find = connection.prepare_cached(sql!("metrics/cursor_find"))?;
    let found = find
        .query_row(params![id(tenant.0), slice.0], |row| progress(row, 0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Progress in the columns from `first` on.
fn progress(row: &Row<'_>, first: usize) -> rusqlite::Result<MovesProgress> {
    Ok(MovesProgress {
        cursor: row.number(first)?,
        facts_sequence: row.number(first + 1)?,
        behind: MovesProgress::behind_from_text(row.get_ref(first + 2)?.as_str()?),
    })
}

fn append_moves(
    connection: &Connection,
    tenant: TenantId,
    slice: Slice,
    moves: &[MoveRow],
) -> Work<()> {
    let tenant = id(tenant.0);
    let mut newest = connection.prepare_cached(sql!("metrics/move_newest"))?;
    let mut ordinal: i64 = newest.query_row(params![tenant, slice.0], |row| row.get(0))?;
    let mut insert = connection.prepare_cached(sql!("metrics/move_insert"))?;
    for MoveRow {
        uid,
        segmentation,
        segment,
        at,
        known_at,
    } in moves
    {
        ordinal += 1;
        insert.execute(params![
            tenant,
            slice.0,
            ordinal,
            id(uid.0),
            segmentation,
            segment,
            at.0,
            known_at.0
        ])?;
    }
    Ok(())
}
