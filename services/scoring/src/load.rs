//! A tenant as it is read back from the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sextant_domain::history;
use sextant_domain::id::{Slice, TenantId};
use sextant_proto::common::v1::ErrorReason;
use sextant_store::Error;
use sextant_store::port::{AccountFactRow, ModelRow, MonthRow, Replica, Scoring};
use sextant_wire::status::Problem;

use crate::models;
use crate::state::{Progress, Settings, TenantState};

/// What is stored of one slice.
#[derive(Debug)]
struct SliceRows {
    slice: Slice,
    progress: Progress,
    facts: Vec<AccountFactRow>,
    months: Vec<MonthRow>,
}

/// What is stored of one tenant.
#[derive(Debug)]
pub(crate) struct TenantRows {
    slices: Vec<SliceRows>,
    models: Vec<ModelRow>,
}

impl TenantRows {
    pub(crate) async fn read(
        scoring: &dyn Scoring,
        replica: &dyn Replica,
        tenant: TenantId,
        n_slices: u16,
    ) -> Result<Self, Error> {
        let mut slices = Vec::new();
        for slice in (0..n_slices).map(Slice) {
            slices.push(SliceRows {
                slice,
                progress: Progress {
                    cursor: replica.cursor(tenant, slice).await?,
                    state: scoring.state(tenant, slice).await?,
                    newest_facts: None,
                },
                facts: replica.facts(tenant, slice).await?,
                months: scoring.months(tenant, slice).await?,
            });
        }
        Ok(Self {
            slices,
            models: scoring.models(tenant, None, usize::MAX).await?,
        })
    }
}

impl TenantState {
    /// Takes a while for a large tenant.
    pub(crate) fn from_rows(
        tenant: TenantId,
        settings: Settings,
        rows: TenantRows,
    ) -> Result<Self, Problem> {
        let mut state = Self {
            tenant,
            settings,
            slices: BTreeMap::new(),
            accounts: BTreeMap::new(),
            uids: HashMap::new(),
            models: BTreeMap::new(),
            n_facts: 0,
        };
        for rows in rows.slices {
            state.load_slice(rows)?;
        }
        for row in rows.models {
            let loaded = models::decode(&row.models, state.settings.currency)?;
            state.models.insert(row.closed_on, Arc::new(loaded));
        }
        Ok(state)
    }

    fn load_slice(&mut self, rows: SliceRows) -> Result<(), Problem> {
        let SliceRows {
            slice, progress, ..
        } = rows;
        self.settings.fixed_clock = self.settings.fixed_clock.max(progress.state.clock);
        self.slices.insert(slice, progress);
        for row in rows.facts {
            let record = sextant_wire::record::decode(&row.record)?;
            if let Some(fact) = &record.fact {
                let times = (row.occurred_at, row.known_at, row.sequence);
                self.add_fact(slice, row.uid, times, fact)?;
            }
        }
        for month in rows.months {
            let account = self.accounts.entry(month.uid).or_default();
            account.slice = slice;
            let damaged = |error: history::DecodeError| {
                Problem::new(ErrorReason::Internal, error.to_string())
            };
            let history = &mut account.facts.history;
            history
                .decode_month(month.month, &month.cells)
                .map_err(damaged)?;
        }
        let zone = self.settings.zone.clone();
        for account in self
            .accounts
            .values_mut()
            .filter(|account| account.slice == slice)
        {
            account.known_on = account.known_on.max(account.facts.history.last_known());
            self.n_facts += account.facts.history.n_days();
            account.rebuild_billing(&zone);
        }
        Ok(())
    }
}
