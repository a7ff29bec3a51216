//! The store of scoring.

use rusqlite::{Connection, OptionalExtension, Row, params};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Day;

use crate::embedded::failure::Work;
use crate::embedded::feed::{self, impl_feed};
use crate::embedded::file::File;
use crate::embedded::replica::{self, impl_replica};
use crate::embedded::sql;
use crate::embedded::value::{Columns, id, number, rows};
use crate::port::{self, ModelRow, MonthRow, ScoringCommit, SliceState};
use crate::{BoxFuture, Error, Result};

/// Roll-ups, models, states and the replica of the facts: the file `scoring.db`.
#[derive(Debug)]
pub struct Scoring {
    file: File,
}

impl Scoring {
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl_feed!(Scoring);
impl_replica!(Scoring);

impl port::Scoring for Scoring {
    fn commit(&self, commit: ScoringCommit) -> BoxFuture<'_, Result<u64>> {
        self.file.write("committing scores", move |connection| {
            store(connection, &commit)
        })
    }

    fn state(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<SliceState>> {
        self.file
            .read("reading the state of a slice", move |connection| {
                slice_state(connection, tenant, slice)
            })
    }

    fn states(&self) -> BoxFuture<'_, Result<Vec<(TenantId, Slice, SliceState)>>> {
        self.file
            .read("reading the states of slices", |connection| {
                let mut list = connection.prepare_cached(sql!("scoring/state_list"))?;
                let states = list.query_map([], |row| {
                    Ok((row.tenant(0)?, row.slice(1)?, state_row(row, 2)?))
                })?;
                Ok(states.collect::<rusqlite::Result<_>>()?)
            })
    }

    fn months(&self, tenant: TenantId, slice: Slice) -> BoxFuture<'_, Result<Vec<MonthRow>>> {
        self.file.read("reading roll-ups", move |connection| {
            let mut list = connection.prepare_cached(sql!("scoring/month_list"))?;
            let months = list.query_map(params![id(tenant.0), slice.0], |row| {
                Ok(MonthRow {
                    uid: row.uid(0)?,
                    month: row.get(1)?,
                    cells: row.get(2)?,
                })
            })?;
            Ok(months.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn models(
        &self,
        tenant: TenantId,
        before: Option<Day>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ModelRow>>> {
        self.file.read("reading models", move |connection| {
            let mut list = connection.prepare_cached(sql!("scoring/model_list"))?;
            let before = before.map_or(i64::MAX, |day| i64::from(day.0));
            let models = list.query_map(params![id(tenant.0), before, rows(limit)], |row| {
                Ok(ModelRow {
                    closed_on: row.get(0).map(Day)?,
                    known_at: row.instant(1)?,
                    models: row.get(2)?,
                })
            })?;
            Ok(models.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn store(connection: &Connection, commit: &ScoringCommit) -> Work<u64> {
    let ScoringCommit {
        replica,
        months,
        models,
        state,
        evaluations,
    } = commit;
    if slice_state(connection, replica.tenant, replica.slice)?.version != state.version {
        return Err(Error::Fenced.into());
    }
    replica::store(connection, replica)?;
    let (tenant, slice) = (id(replica.tenant.0), replica.slice);
    let mut put = connection.prepare_cached(sql!("scoring/month_put"))?;
    for month in months {
        put.execute(params![
            tenant,
            slice.0,
            id(month.uid.0),
            month.month,
            month.cells
        ])?;
    }
    let mut put = connection.prepare_cached(sql!("scoring/model_put"))?;
    for model in models {
        put.execute(params![
            tenant,
            model.closed_on.0,
            model.known_at.0,
            model.models
        ])?;
    }
    connection
        .prepare_cached(sql!("scoring/state_put"))?
        .execute(params![
            tenant,
            slice.0,
            state.closed_on.map(|day| day.0),
            state.closes_at.map(|at| at.0),
            state.clock.map(|at| at.0),
            state.importing,
            state.pending_history,
            state.restated_from.map(|day| day.0),
            state.watermark.map(|at| at.0),
            number(state.version.saturating_add(1))
        ])?;
    for evaluation in evaluations {
        feed::append(connection, replica.tenant, slice, &evaluation.payload)?;
    }
    feed::newest(connection, replica.tenant, slice)
}

fn slice_state(connection: &Connection, tenant: TenantId, slice: Slice) -> Work<SliceState> {
    let mut find = connection.prepare_cached(sql!("scoring/state_find"))?;
    let found = find
        .query_row(params![id(tenant.0), slice.0], |row| state_row(row, 0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn state_row(row: &Row<'_>, first: usize) -> rusqlite::Result<SliceState> {
    Ok(SliceState {
        closed_on: row.day_or_none(first)?,
        closes_at: row.instant_or_none(first + 1)?,
        clock: row.instant_or_none(first + 2)?,
        importing: row.get(first + 3)?,
        pending_history: row.get(first + 4)?,
        restated_from: row.day_or_none(first + 5)?,
        watermark: row.instant_or_none(first + 6)?,
        version: row.number(first + 7)?,
    })
}
