//! Turns: few feeds are taken in at a time, and none of them holds up the others for long.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns to work. Who waits longest is next.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Semaphore>);

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many have a turn at the same time.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Waits for a turn.
    pub async fn next(&self) -> Turn {
        Turn {
            turns: self.clone(),
            permit: self.permit().await,
        }
    }

    /// Never `None`: the semaphore is not closed.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

impl Turn {
    /// Lets those who wait go first, and waits for another turn.
    pub async fn pass(&mut self) {
        self.permit = None;
        self.permit = self.turns.permit().await;
    }
}
