//! The store of ingestion.

mod accounts;
mod commit;
mod entry;
mod intake;
mod keys;
mod places;
pub(super) mod tenants;

use std::sync::{Arc, Mutex, PoisonError};

use crate::embedded::Error as OpenError;
use crate::embedded::feed::impl_feed;
use crate::embedded::file::{File, Rollback};
use crate::known::KnownAccounts;
use crate::port::{Committed, FactBatch, Facts, SliceHeads};
use crate::release::{self, Released, Steps, Written};
use crate::{BoxFuture, Result};

/// Facts, tenants, keys, accounts and what has come in: the file `ingestion.db`.
#[derive(Debug)]
pub struct Ingestion {
    file: File,
    /// Used by the writer only.
    known: Arc<Mutex<KnownAccounts>>,
    /// Held by who releases what waited for accounts.
    releasing: tokio::sync::Mutex<()>,
}

impl Ingestion {
    pub(super) fn open(
        open: impl FnOnce(Rollback) -> std::result::Result<File, OpenError>,
    ) -> std::result::Result<Self, OpenError> {
        let known = Arc::new(Mutex::new(KnownAccounts::default()));
        let forgotten = Arc::clone(&known);
        // An account that was made in a transaction that is rolled back is not known.
        let rollback = Rollback::new(move || {
            forgotten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear()
        });
        Ok(Self {
            file: open(rollback)?,
            known,
            releasing: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl_feed!(Ingestion);

impl Facts for Ingestion {
    fn commit(&self, batch: FactBatch) -> BoxFuture<'_, Result<Committed>> {
        Box::pin(release::commit(self, &self.releasing, batch))
    }

    fn release(&self, call: FactBatch) -> BoxFuture<'_, Result<SliceHeads>> {
        Box::pin(async move { release::release(self, &self.releasing, &call).await })
    }
}

impl Steps for Ingestion {
    fn write(&self, batch: FactBatch) -> BoxFuture<'_, Result<Written>> {
        let known = Arc::clone(&self.known);
        self.file.write("committing facts", move |connection| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            commit::commit(connection, &mut known, batch)
        })
    }

    fn release_part(&self, call: FactBatch) -> BoxFuture<'_, Result<Released>> {
        let known = Arc::clone(&self.known);
        self.file
            .write("releasing held records", move |connection| {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                commit::release(connection, &mut known, call)
            })
    }
}
