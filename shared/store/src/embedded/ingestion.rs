//! The store of ingestion.

mod accounts;
mod commit;
mod entry;
mod intake;
mod keys;
mod known;
pub(super) mod tenants;

use std::sync::{Arc, Mutex, PoisonError};

use crate::embedded::Error as OpenError;
use crate::embedded::feed::impl_feed;
use crate::embedded::file::{File, Rollback};
use crate::embedded::ingestion::known::KnownAccounts;
use crate::port::{Committed, FactBatch, Facts};
use crate::{BoxFuture, Result};

/// Facts, tenants, keys, accounts and what has come in: the file `ingestion.db`.
#[derive(Debug)]
pub struct Ingestion {
    file: File,
    /// Used by the writer only.
    known: Arc<Mutex<KnownAccounts>>,
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
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl_feed!(Ingestion);

impl Facts for Ingestion {
    fn commit(&self, batch: FactBatch) -> BoxFuture<'_, Result<Committed>> {
        let known = Arc::clone(&self.known);
        self.file.write("committing facts", move |connection| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            commit::commit(connection, &mut known, &batch)
        })
    }
}
