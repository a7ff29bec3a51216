//! One SQLite file: one writer thread that commits in groups, and a few read connections.

mod readers;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use crate::embedded::Error as OpenError;
use crate::embedded::directory::DirectoryLock;
use crate::embedded::failure::Work;
use crate::embedded::file::readers::Readers;
use crate::embedded::file::writer::{Job, Ticket};
use crate::embedded::migrate::{Schema, migrate};
use crate::embedded::private;
use crate::{BoxFuture, Error, Result};

/// Commits that may wait for the writer of one file; more callers wait in `write`.
const MAX_QUEUED: usize = 64;
/// Prepared statements that a connection keeps: more than any service has.
const MAX_STATEMENTS: usize = 64;
/// A checkpoint moves pages that were written often once: with random dedupe keys a larger log means less writing.
const CHECKPOINT_PAGES: u32 = 8_192;
/// What is left of the log on disk after a checkpoint.
const MAX_IDLE_LOG_BYTES: u32 = 64 << 20;
/// Only a backup or a checkpoint ever makes a connection of ours wait for another.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const PAGE_BYTES: u64 = 4_096;

/// What has to be forgotten when something that was written is rolled back.
pub(super) struct Rollback(Box<dyn Fn() + Send>);

impl Rollback {
    pub(super) fn none() -> Self {
        Self(Box::new(|| {}))
    }

    pub(super) fn new(forget: impl Fn() + Send + 'static) -> Self {
        Self(Box::new(forget))
    }
}

impl fmt::Debug for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rollback")
    }
}

/// How a file is opened.
#[derive(Debug)]
pub(super) struct FileOptions {
    pub(super) path: PathBuf,
    pub(super) schema: &'static Schema,
    /// Page cache of the writer, in KiB.
    pub(super) cache_kib: u32,
    pub(super) max_file_bytes: Option<u64>,
    pub(super) lock: Arc<DirectoryLock>,
    pub(super) rollback: Rollback,
}

/// An open file.
pub(super) struct File {
    path: PathBuf,
    migrated: (u32, u32),
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    readers: Arc<Readers>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl File {
    pub(super) fn open(options: FileOptions) -> std::result::Result<Self, OpenError> {
        let FileOptions {
            path,
            schema,
            cache_kib,
            max_file_bytes,
            lock,
            rollback,
        } = options;
        let failed = |source: rusqlite::Error| OpenError::file(&path, source);
        // SQLite would make it readable for everybody; what it puts beside the file has the file's permissions.
        private::file(&path)?;
        let mut connection =
            connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, cache_kib).map_err(failed)?;
        configure_writer(&connection, max_file_bytes).map_err(failed)?;
        let migrated = migrate(&mut connection, schema, &path)?;
        let (jobs, queue) = mpsc::channel(MAX_QUEUED);
        let held = Arc::clone(&lock);
        let writer = thread::Builder::new()
            .name(format!("write {}", schema.file_name))
            .spawn(move || {
                writer::run(connection, queue, &rollback);
                drop(held);
            })
            .map_err(|source| OpenError::directory(&path, source))?;
        let readers = Arc::new(Readers::new(path.clone(), lock));
        Ok(Self {
            path,
            migrated,
            jobs: Some(jobs),
            writer: Some(writer),
            readers,
        })
    }

    /// Runs a unit of work in a transaction; durable when it returns `Ok`, without a trace when it returns `Err`.
    pub(super) fn write<'a, T, F>(
        &'a self,
        doing: &'static str,
        work: F,
    ) -> BoxFuture<'a, Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Work<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let ticket = Box::new(Ticket::new(doing, work, reply));
        Box::pin(async move {
            let Some(jobs) = &self.jobs else {
                return Err(Error::unavailable(doing, "the file is closed"));
            };
            jobs.send(ticket)
                .await
                .map_err(|_closed| Error::unavailable(doing, "the writer has ended"))?;
            answer
                .await
                .map_err(|error| Error::unavailable(doing, error))?
        })
    }

    /// The versions of its schema before it was opened (0: it was made) and since then.
    pub(super) fn migrated(&self) -> (u32, u32) {
        self.migrated
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the writer takes commits.
    pub(super) fn is_writable(&self) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| !jobs.is_closed())
    }

    /// Runs a query on one consistent state of the file.
    pub(super) fn read<'a, T, F>(&'a self, doing: &'static str, work: F) -> BoxFuture<'a, Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Work<T> + Send + 'static,
    {
        Box::pin(Arc::clone(&self.readers).read(doing, work))
    }
}

impl Drop for File {
    /// Waits until the queued commits are done, so that the directory is free afterwards.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!(file = %self.path.display(), "writer ended with a panic");
        }
    }
}

/// A connection as all of ours are: no mutex (each is used by one thread at a time), temporary data in memory.
fn connect(path: &Path, flags: OpenFlags, cache_kib: u32) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(MAX_STATEMENTS);
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

fn configure_writer(connection: &Connection, max_file_bytes: Option<u64>) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES.cast_signed())?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", MAX_IDLE_LOG_BYTES)?;
    if let Some(bytes) = max_file_bytes {
        let pages = i64::try_from(bytes / PAGE_BYTES).unwrap_or(i64::MAX);
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}
