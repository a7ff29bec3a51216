//! The read connections of a file.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;
use tokio::task;

use crate::embedded::directory::DirectoryLock;
use crate::embedded::failure::{Failure, Work};
use crate::embedded::file::connect;
use crate::{Error, Result};

/// Reads of one file that run at the same time; more callers wait in line.
const MAX_READERS: usize = 4;
/// Page cache of one connection, in KiB. The operating system caches the file anyway.
const CACHE_KIB: u32 = 256;

/// Read connections, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    _lock: Arc<DirectoryLock>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, lock: Arc<DirectoryLock>) -> Self {
        Self {
            path,
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(MAX_READERS)),
            _lock: lock,
        }
    }

    /// Runs a query on a thread where it may block.
    pub(super) async fn read<T, F>(self: Arc<Self>, doing: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Work<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|error| Error::unavailable(doing, error))?;
        let query = move || {
            let answer = self.run(work).map_err(|failure| failure.explain(doing));
            drop(permit);
            answer
        };
        task::spawn_blocking(query)
            .await
            .map_err(|error| Error::unavailable(doing, error))?
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> Work<T>) -> Work<T> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY, CACHE_KIB)?,
        };
        let transaction = connection.transaction()?;
        let answer = work(&transaction);
        transaction.rollback().map_err(Failure::Sql)?;
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        answer
    }
}
