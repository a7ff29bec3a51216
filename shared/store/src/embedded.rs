//! The embedded engine: one SQLite file per service under a data directory, for one process.

mod backup;
mod directory;
mod error;
mod failure;
mod feed;
mod file;
mod ingestion;
mod metrics;
mod migrate;
mod replica;
mod requests;
mod scoring;
mod segmentation;
mod value;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::Error;
pub use ingestion::Ingestion;
pub use metrics::Metrics;
pub use scoring::Scoring;
pub use segmentation::Segmentation;

use crate::embedded::directory::DirectoryLock;
use crate::embedded::file::{File, FileOptions, Rollback};
use crate::embedded::migrate::Schema;

/// The text of a query file of this engine.
macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/queries/sqlite/",
            $name,
            ".sql"
        ))
    };
}
use sql;

const KIB: u32 = 1024;

/// What can be chosen about a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Greatest size of each of the four files, in bytes; a commit that needs more ends with [`crate::Error::Full`].
    /// `None`: as much as the disk has.
    pub max_file_bytes: Option<u64>,
}

/// An open data directory. Handles that were taken from it keep it open; the last one to go waits for queued commits and
/// frees the directory for the next process.
#[derive(Debug, Clone)]
pub struct Embedded {
    directory: PathBuf,
    ingestion: Arc<Ingestion>,
    scoring: Arc<Scoring>,
    segmentation: Arc<Segmentation>,
    metrics: Arc<Metrics>,
}

impl Embedded {
    /// Opens a data directory, or makes one, and brings its files to the newest schema.
    ///
    /// # Errors
    /// [`Error::InUse`] by another process, [`Error::Newer`] than this program, or the directory cannot be used.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        Self::open_with(directory, Options::default())
    }

    /// As [`Embedded::open`], with options.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_with(directory: &Path, options: Options) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(|source| Error::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let lock = Arc::new(DirectoryLock::take(directory)?);
        let open = |schema: &'static Schema, cache_kib: u32, rollback: Rollback| {
            let path = directory.join(schema.file_name);
            File::open(FileOptions {
                path,
                schema,
                cache_kib,
                max_file_bytes: options.max_file_bytes,
                lock: Arc::clone(&lock),
                rollback,
            })
        };
        // Ingestion's writer touches random pages of the newest hours of the dedupe table; the others write in order.
        Ok(Self {
            directory: directory.to_owned(),
            ingestion: Arc::new(Ingestion::open(|rollback| {
                open(&migrate::INGESTION, 16 * KIB, rollback)
            })?),
            scoring: Arc::new(Scoring::new(open(
                &migrate::SCORING,
                4 * KIB,
                Rollback::none(),
            )?)),
            segmentation: Arc::new(Segmentation::new(open(
                &migrate::SEGMENTATION,
                4 * KIB,
                Rollback::none(),
            )?)),
            metrics: Arc::new(Metrics::new(open(
                &migrate::METRICS,
                4 * KIB,
                Rollback::none(),
            )?)),
        })
    }

    /// Where the files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The store of ingestion: `Facts`, `Feed`, `Tenants`, `Keys`, `Accounts`, `Intake`.
    #[must_use]
    pub fn ingestion(&self) -> Arc<Ingestion> {
        Arc::clone(&self.ingestion)
    }

    /// The store of scoring: `Scoring`, `Replica`, `Feed`.
    #[must_use]
    pub fn scoring(&self) -> Arc<Scoring> {
        Arc::clone(&self.scoring)
    }

    /// The store of segmentation: `Segmentations`, `Memberships`, `Feed`.
    #[must_use]
    pub fn segmentation(&self) -> Arc<Segmentation> {
        Arc::clone(&self.segmentation)
    }

    /// The store of metrics: `Metrics`, `Replica`.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Copies a data directory into a new one. A process may use it meanwhile, also another one. Every file is consistent in
    /// itself, and no service is ahead of the feed that it follows: files are copied from the end of the chain (metrics) to its
    /// beginning (ingestion).
    ///
    /// # Errors
    /// [`Error::NotEmpty`] when `to` holds anything, or a file cannot be read or written.
    pub fn backup(directory: &Path, to: &Path) -> Result<(), Error> {
        backup::write(directory, to)
    }

    /// Makes a data directory out of a backup.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] when `directory` holds anything, [`Error::BackupIncomplete`] when the backup is not whole.
    pub fn restore(from: &Path, directory: &Path) -> Result<(), Error> {
        backup::restore(from, directory)
    }
}
