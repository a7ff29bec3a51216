//! A tenant in memory, and who may look at it while somebody writes it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::blocking;
use sextant_wire::status::Problem;

use crate::state::TenantState;

/// One tenant. Who writes it has the turn from its first look until all is stored. Meanwhile it keeps readers out, but not while it asks
/// segmenters about accounts, which may take long.
#[derive(Debug, Default)]
pub(crate) struct TenantCell {
    turn: Arc<Mutex<()>>,
    /// Whether somebody has the turn to write.
    is_written: AtomicBool,
    /// `None`: has to be loaded from the store.
    state: Arc<RwLock<Option<TenantState>>>,
}

/// The turn to write a tenant, which is in use as long.
struct Turn {
    cell: Arc<TenantCell>,
    _held: OwnedMutexGuard<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.cell.is_written.store(false, Ordering::Release);
    }
}

/// A tenant's state while it is written.
pub(crate) struct Writing {
    turn: Turn,
    state: OwnedRwLockWriteGuard<Option<TenantState>>,
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
        let held = Arc::clone(&self.turn).lock_owned().await;
        self.is_written.store(true, Ordering::Release);
        let turn = Turn {
            cell: self,
            _held: held,
        };
        let state = Arc::clone(&turn.cell.state).write_owned().await;
        Writing { turn, state }
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
        self.is_written.load(Ordering::Acquire)
    }

    /// Returns once those who write it now are done.
    pub(crate) async fn is_written_no_more(&self) {
        drop(self.turn.lock().await);
    }
}

impl Writing {
    /// Has something found out of the state, while others read it and nobody writes it, also where nobody waits for that any more.
    pub(crate) async fn with_readers<F: Send + 'static>(
        self,
        find: impl FnOnce(&TenantState) -> Result<F, Problem> + Send + 'static,
    ) -> Result<(Self, F), Problem> {
        let Self { turn, state } = self;
        let reading = state.downgrade();
        let finding = blocking(move || {
            let found = find(reading.as_ref().ok_or_else(dropped)?)?;
            drop(reading);
            Ok::<_, Problem>((turn, found))
        });
        let (turn, found) = finding.await?;
        let state = Arc::clone(&turn.cell.state).write_owned().await;
        Ok((Self { turn, state }, found))
    }

    /// The state to read, for which nobody is kept out any more.
    pub(crate) fn downgrade(self) -> Reading {
        Reading {
            state: self.state.downgrade(),
            cell: Arc::clone(&self.turn.cell),
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
