//! A tenant in memory, and who may look at it while somebody writes it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::blocking;
use sextant_wire::status::Problem;

use crate::state::TenantState;

/// One tenant. Who writes it has the turn from its first look until all is stored, and keeps readers out only while it changes the
/// state: not while it asks segmenters, which may take long.
#[derive(Debug, Default)]
pub(crate) struct TenantCell {
    turn: Arc<Mutex<()>>,
    /// `None`: has to be loaded from the store.
    state: Arc<RwLock<Option<TenantState>>>,
}

/// A tenant's state while it is written.
pub(crate) struct Writing {
    state: OwnedRwLockWriteGuard<Option<TenantState>>,
    turn: OwnedMutexGuard<()>,
    /// It is in use.
    cell: Arc<TenantCell>,
}

/// A tenant's state while it is read.
pub(crate) struct Reading {
    state: OwnedRwLockReadGuard<Option<TenantState>>,
    /// It is in use.
    cell: Arc<TenantCell>,
}

impl TenantCell {
    /// The state to write, once those who came before are done.
    pub(crate) async fn write(self: Arc<Self>) -> Writing {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        Writing {
            state: Arc::clone(&self.state).write_owned().await,
            turn,
            cell: self,
        }
    }

    /// The state to read.
    pub(crate) async fn read(self: Arc<Self>) -> Reading {
        Reading {
            state: Arc::clone(&self.state).read_owned().await,
            cell: self,
        }
    }

    /// Whether somebody writes it.
    pub(crate) fn is_written(&self) -> bool {
        self.turn.try_lock().is_err()
    }

    /// Returns once those who write it now are done.
    pub(crate) async fn is_written_no_more(&self) {
        drop(self.turn.lock().await);
    }
}

impl Writing {
    /// Has something found out of the state, while others read it and nobody writes it.
    pub(crate) async fn with_readers<F: Send + 'static>(
        self,
        find: impl FnOnce(&TenantState) -> Result<F, Problem> + Send + 'static,
    ) -> Result<(Self, F), Problem> {
        let Self { state, turn, cell } = self;
        let reading = state.downgrade();
        let found = blocking(move || find(reading.as_ref().ok_or_else(dropped)?)).await?;
        let state = Arc::clone(&cell.state).write_owned().await;
        Ok((Self { state, turn, cell }, found))
    }

    /// The state to read, for which nobody is kept out any more.
    pub(crate) fn downgrade(self) -> Reading {
        Reading {
            state: self.state.downgrade(),
            cell: self.cell,
        }
    }
}

impl Reading {
    /// Whether somebody writes it.
    pub(crate) fn is_written(&self) -> bool {
        self.cell.is_written()
    }
}

/// The state went while somebody was about to use it, for what it was made from is not what is stored.
pub(crate) fn dropped() -> Problem {
    Problem::new(
        ErrorReason::Unavailable,
        "the tenant is being loaded again; try again",
    )
}

impl Deref for Writing {
    type Target = Option<TenantState>;

    fn deref(&self) -> &Self::Target {
        &self.state
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.state
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").finish_non_exhaustive()
    }
}

impl Deref for Reading {
    type Target = Option<TenantState>;

    fn deref(&self) -> &Self::Target {
        &self.state
    }
}
