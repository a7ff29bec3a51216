use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use sextant_domain::id::TenantId;

use crate::embedded::failure::Work;
use crate::embedded::requests;
use crate::embedded::segmentation::Segmentation;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number, rows};
use crate::port::{
    CODE_CHUNK_BYTES, Catalogue, EventFilter, EventRow, Once, ReadyRow, ReplicaRow, RevisionState,
    SegmenterRow, SegmenterState, StateChange, UseRow,
};
use crate::{BoxFuture, Error, Result};

impl Catalogue for Segmentation {
    fn publish(
        &self,
        row: SegmenterRow,
        code: Vec<u8>,
        event: EventRow,
    ) -> BoxFuture<'_, Result<bool>> {
        self.file
            .write("publishing a segmenter", move |connection| {
                publish(connection, &row, &code, &event)
            })
    }

    fn published(&self) -> BoxFuture<'_, Result<Vec<SegmenterRow>>> {
        self.file.read("listing segmenters", |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/segmenter_list"))?;
            let segmenters = list.query_map([], segmenter_row)?;
            Ok(segmenters.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn code<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        let digest = digest.to_owned();
        self.file.read("reading a segmenter", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/segmenter_code_list"))?;
            let chunks = list.query_map(params![digest], |row| row.get::<_, Vec<u8>>(0))?;
            let chunks = chunks.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((!chunks.is_empty()).then(|| chunks.concat()))
        })
    }

    fn change(
        &self,
        change: StateChange,
        event: EventRow,
        once: Once<SegmenterRow>,
    ) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.file.write("changing a segmenter", move |connection| {
            change_state(connection, &change, &event, &once)
        })
    }

    fn tell(&self, event: EventRow) -> BoxFuture<'_, Result<()>> {
        self.file
            .write("telling of a segmenter", move |connection| {
                tell(connection, &event)
            })
    }

    fn events<'a>(&'a self, filter: &'a EventFilter) -> BoxFuture<'a, Result<Vec<EventRow>>> {
        let filter = filter.clone();
        self.file.read("listing events", move |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/event_list"))?;
            let bound = params![
                filter.tenant.map(|tenant| id(tenant.0)),
                filter.segmenter_id,
                filter.segmentation,
                number(filter.before),
                rows(filter.limit)
            ];
            let events = list.query_map(bound, event_row)?;
            Ok(events.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn newest_event(&self) -> BoxFuture<'_, Result<u64>> {
        self.file.read("reading the newest event", newest_event)
    }

    fn uses(&self) -> BoxFuture<'_, Result<Vec<UseRow>>> {
        self.file.read("listing uses of segmenters", |connection| {
            let mut list = connection.prepare_cached(sql!("segmentation/revision_uses"))?;
            let uses = list.query_map([], |row| {
                Ok(UseRow {
                    tenant: row.tenant(0)?,
                    segmentation: row.get(1)?,
                    revision: row.get(2)?,
                    state: row.state(3, RevisionState::from_code)?,
                    digest: row.get(4)?,
                })
            })?;
            Ok(uses.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn beat(&self, replica: ReplicaRow, silent_for: Duration) -> BoxFuture<'_, Result<()>> {
        self.file.write("noting a replica", move |connection| {
            beat(connection, &replica, silent_for)
        })
    }

    fn replicas(&self, within: Duration) -> BoxFuture<'_, Result<Vec<ReplicaRow>>> {
        self.file.read("listing replicas", move |connection| {
            replicas(connection, within)
        })
    }
}

fn publish(
    connection: &Connection,
    row: &SegmenterRow,
    code: &[u8],
    event: &EventRow,
) -> Work<bool> {
    let mut find = connection.prepare_cached(sql!("segmentation/segmenter_find"))?;
    if find.exists(params![row.digest])? {
        return Ok(false);
    }
    let mut of_version = connection.prepare_cached(sql!("segmentation/segmenter_of_version"))?;
    if of_version.exists(params![row.segmenter_id, row.version, row.platform])? {
        return Err(Error::AlreadyExists {
            what: format!("segmenter {} {}", row.segmenter_id, row.version),
        }
        .into());
    }
    connection
        .prepare_cached(sql!("segmentation/segmenter_insert"))?
        .execute(params![
            row.digest,
            row.segmenter_id,
            row.version,
            row.platform,
            row.state.code(),
            row.published_at.0,
            row.segmenter
        ])?;
    let mut insert = connection.prepare_cached(sql!("segmentation/segmenter_code_insert"))?;
    for (place, chunk) in (0_i64..).zip(code.chunks(CODE_CHUNK_BYTES)) {
        insert.execute(params![row.digest, place, chunk])?;
    }
    tell(connection, event)?;
    Ok(true)
}

fn find(connection: &Connection, digest: &str) -> Work<Option<SegmenterRow>> {
    let mut find = connection.prepare_cached(sql!("segmentation/segmenter_find"))?;
    Ok(find.query_row(params![digest], segmenter_row).optional()?)
}

/// Refuses a version that was published and may not be used.
pub(super) fn check_ready(connection: &Connection, digest: &str) -> Work<()> {
    match find(connection, digest)? {
        Some(found) if found.state != SegmenterState::Ready => Err(found.not_ready().into()),
        _ready_or_built_in => Ok(()),
    }
}

fn change_state(
    connection: &Connection,
    change: &StateChange,
    event: &EventRow,
    once: &Once<SegmenterRow>,
) -> Work<Option<Vec<u8>>> {
    if let Some(answer) = requests::answered(connection, once)? {
        return Ok(Some(answer));
    }
    let found = find(connection, &change.digest)?;
    let Some(found) = found.filter(|found| change.from.contains(&found.state)) else {
        return Ok(None);
    };
    let mut used = connection.prepare_cached(sql!("segmentation/revision_used"))?;
    if change.only_unused && used.exists(params![change.digest])? {
        return Ok(None);
    }
    connection
        .prepare_cached(sql!("segmentation/segmenter_change"))?
        .execute(params![change.digest, change.to.code(), change.segmenter])?;
    tell(connection, event)?;
    let changed = SegmenterRow {
        state: change.to,
        segmenter: change.segmenter.clone(),
        ..found
    };
    requests::keep(connection, once, &changed).map(Some)
}

fn newest_event(connection: &Connection) -> Work<u64> {
    let mut newest = connection.prepare_cached(sql!("segmentation/event_newest_number"))?;
    Ok(newest.query_row([], |row| row.number(0))?)
}

/// Writes an event as the next one.
pub(super) fn tell(connection: &Connection, event: &EventRow) -> Work<()> {
    let next = newest_event(connection)?.saturating_add(1);
    connection
        .prepare_cached(sql!("segmentation/event_insert"))?
        .execute(params![
            number(next),
            event.at.0,
            event.tenant.map(|tenant| id(tenant.0)),
            event.segmenter_id,
            event.segmentation,
            event.revision,
            event.event
        ])?;
    Ok(())
}

fn beat(connection: &Connection, replica: &ReplicaRow, silent_for: Duration) -> Work<()> {
    connection
        .prepare_cached(sql!("segmentation/replica_forget"))?
        .execute(params![id(replica.replica), micros(silent_for)])?;
    let lives = ReadyRow {
        digest: String::new(),
        problem: String::new(),
    };
    let mut insert = connection.prepare_cached(sql!("segmentation/replica_insert"))?;
    for one in std::iter::once(&lives).chain(&replica.ready) {
        insert.execute(params![
            id(replica.replica),
            one.digest,
            replica.name,
            one.problem
        ])?;
    }
    Ok(())
}

fn replicas(connection: &Connection, within: Duration) -> Work<Vec<ReplicaRow>> {
    let mut list = connection.prepare_cached(sql!("segmentation/replica_list"))?;
    let mut found = list.query(params![micros(within)])?;
    let mut replicas: Vec<ReplicaRow> = Vec::new();
    while let Some(row) = found.next()? {
        let replica = row.id(0)?;
        if replicas.last().is_none_or(|last| last.replica != replica) {
            replicas.push(ReplicaRow {
                replica,
                name: row.get(1)?,
                ready: Vec::new(),
            });
        }
        let ready = ReadyRow {
            digest: row.get(2)?,
            problem: row.get(3)?,
        };
        if let Some(last) = replicas.last_mut().filter(|_| !ready.digest.is_empty()) {
            last.ready.push(ready);
        }
    }
    Ok(replicas)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn segmenter_row(row: &Row<'_>) -> rusqlite::Result<SegmenterRow> {
    Ok(SegmenterRow {
        digest: row.get(0)?,
        segmenter_id: row.get(1)?,
        version: row.get(2)?,
        platform: row.get(3)?,
        state: row.state(4, SegmenterState::from_code)?,
        published_at: row.instant(5)?,
        segmenter: row.get(6)?,
    })
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        number: row.number(0)?,
        at: row.instant(1)?,
        tenant: row
            .get::<_, Option<[u8; 16]>>(2)?
            .map(|bytes| TenantId(u128::from_be_bytes(bytes))),
        segmenter_id: row.get(3)?,
        segmentation: row.get(4)?,
        revision: row.get(5)?,
        event: row.get(6)?,
    })
}
