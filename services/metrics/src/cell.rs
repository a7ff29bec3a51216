//! One tenant in memory.

use std::sync::{Arc, Mutex, PoisonError};

use crate::state::TenantState;

/// One tenant, loaded or not.
#[derive(Debug, Default)]
pub(crate) struct TenantCell {
    /// Held by whoever changes what is stored or what is in memory, so that both move together. Readers take it only to load.
    pub(crate) turn: tokio::sync::Mutex<()>,
    state: Mutex<Option<Arc<TenantState>>>,
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
