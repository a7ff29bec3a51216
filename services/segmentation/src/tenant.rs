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

/// One tenant. Who writes it has the turn from its first look until all is stored. Others read meanwhile, whatever is asked of segmenters
/// and of other services; they are kept out while the state is changed.
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

/// A tenant's state for the one who has the turn to write it; others read it.
pub(crate) struct Writing {
    turn: Turn,
    state: OwnedRwLockReadGuard<Option<TenantState>>,
}

/// A tenant's state while it is changed: nobody reads it.
pub(crate) struct Changing {
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
        let state = Arc::clone(&turn.cell.state).read_owned().await;
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
    /// Changes the state, once those who read it are done. Nothing is waited for meanwhile but this process and its stores.
    pub(crate) async fn change(self) -> Changing {
        let Self { turn, state } = self;
        drop(state);
        // Nobody else has the turn: it is the state that was seen.
        let state = Arc::clone(&turn.cell.state).write_owned().await;
        Changing { turn, state }
    }

    /// Changes the state at once, if it is loaded.
    pub(crate) async fn changed(self, change: impl FnOnce(&mut TenantState)) -> Self {
        let mut changing = self.change().await;
        if let Some(state) = changing.as_mut() {
            change(state);
        }
        changing.done()
    }

    /// Has something found out of the state on a thread for that, to its end also where nobody waits for it any more.
    pub(crate) async fn find<F: Send + 'static>(
        self,
        find: impl FnOnce(&TenantState) -> Result<F, Problem> + Send + 'static,
    ) -> Result<(Self, F), Problem> {
        blocking(move || {
            let found = find(self.as_ref().ok_or_else(dropped)?)?;
            Ok((self, found))
        })
        .await
    }

    /// The state to read, of which others may have the turn.
    pub(crate) fn read(self) -> Reading {
        Reading {
            state: self.state,
            cell: Arc::clone(&self.turn.cell),
        }
    }
}

impl Changing {
    /// Lets others read it again.
    pub(crate) fn done(self) -> Writing {
        Writing {
            turn: self.turn,
            state: self.state.downgrade(),
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

impl Deref for Changing {
    type Target = Option<TenantState>;

    fn deref(&self) -> &Self::Target {
        &self.state
    }
}

impl DerefMut for Changing {
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
