//! The tenants in memory: taken up when they are asked for, dropped when too many are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sextant_domain::id::TenantId;

use crate::state::TenantState;

/// One tenant, loaded or not.
#[derive(Debug, Default)]
pub(crate) struct TenantCell {
    /// Held by whoever changes what is stored or what is in memory, so that both move together. Readers take it only to load.
    pub(crate) turn: tokio::sync::Mutex<()>,
    state: Mutex<Option<Arc<TenantState>>>,
    used: AtomicU64,
}

impl TenantCell {
    /// The tenant as it is now; `None`: it is not loaded.
    pub(crate) fn state(&self) -> Option<Arc<TenantState>> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Removes the tenant from memory, to change it or because it has to be loaded again.
    pub(crate) fn take(&self) -> Option<Arc<TenantState>> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Puts the tenant into memory.
    pub(crate) fn put(&self, state: Arc<TenantState>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    }
}

/// Cells by tenant, at most so many, besides those in use.
#[derive(Debug)]
pub(crate) struct Cells {
    max_kept: usize,
    cells: Mutex<HashMap<TenantId, Arc<TenantCell>>>,
    uses: AtomicU64,
}

impl Cells {
    pub(crate) fn new(max_kept: usize) -> Self {
        Self {
            max_kept,
            cells: Mutex::default(),
            uses: AtomicU64::new(0),
        }
    }

    /// The cell of a tenant that somebody asks about.
    pub(crate) fn asked(&self, tenant: TenantId) -> Arc<TenantCell> {
        let cell = self.fed(tenant);
        cell.used.store(
            self.uses.fetch_add(1, Ordering::Relaxed) + 1,
            Ordering::Relaxed,
        );
        cell
    }

    /// The cell of a tenant whose feed has grown: that alone is no reason to keep it.
    pub(crate) fn fed(&self, tenant: TenantId) -> Arc<TenantCell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(cells.entry(tenant).or_default());
        while cells.len() > self.max_kept {
            let idle = cells
                .iter()
                .filter(|(_, cell)| Arc::strong_count(cell) == 1);
            let oldest =
                idle.min_by_key(|(tenant, cell)| (cell.used.load(Ordering::Relaxed), **tenant));
            let Some(oldest) = oldest.map(|(tenant, _)| *tenant) else {
                break;
            };
            cells.remove(&oldest);
        }
        cell
    }

    /// The cell of a tenant, if it has one.
    pub(crate) fn kept(&self, tenant: TenantId) -> Option<Arc<TenantCell>> {
        self.cells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&tenant)
            .cloned()
    }
}

#[cfg(test)]
mod tests;
