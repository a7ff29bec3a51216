//! The embedded engine: one SQLite file per service under a data directory, for one process.

mod backup;
mod directory;
mod error;
mod failure;
mod feed;
mod file;
mod ingestion;
mod integrity;
mod metrics;
mod migrate;
mod private;
mod replica;
mod requests;
mod scoring;
mod segmentation;
mod value;

use std::io;
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
use crate::{BoxFuture, port};

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
    /// Opens a data directory, or makes one, and brings its files to the newest schema. Directory and files are for their
    /// owner alone.
    ///
    /// # Errors
    /// [`Error::InUse`] by another process, [`Error::Newer`] than this program, or the directory cannot be used.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        Self::open_with(directory, Options::default())
    }

    /// As [`Embedded::open`], and makes nothing where no store is.
    ///
    /// # Errors
    /// As [`Embedded::open`], and [`Error::NoStore`].
    pub fn open_existing(directory: &Path) -> Result<Self, Error> {
        must_hold_a_store(directory)?;
        Self::open(directory)
    }

    /// As [`Embedded::open`], with options.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_with(directory: &Path, options: Options) -> Result<Self, Error> {
        private::directory(directory)?;
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

    /// The versions of the files before they were opened (0: it was made) and since then, by service.
    #[must_use]
    pub fn migrations(&self) -> [(&'static str, u32, u32); 4] {
        [
            ("ingestion", self.ingestion.file()),
            ("scoring", self.scoring.file()),
            ("segmentation", self.segmentation.file()),
            ("metrics", self.metrics.file()),
        ]
        .map(|(service, file)| {
            let (from, to) = file.migrated();
            (service, from, to)
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
    /// [`Error::NoStore`] where there is none, [`Error::NotEmpty`] when `to` holds anything, or a file cannot be read or written.
    pub fn backup(directory: &Path, to: &Path) -> Result<(), Error> {
        must_hold_a_store(directory)?;
        backup::write(directory, to)
    }

    /// The files of a data directory that are damaged, each as an [`Error::Damaged`]. It may be in use. Reads all of it.
    #[must_use]
    pub fn damaged(directory: &Path) -> Vec<Error> {
        migrate::FILE_NAMES
            .iter()
            .map(|name| directory.join(name))
            .filter(|path| path.is_file())
            .filter_map(|path| integrity::check(&path).err())
            .collect()
    }

    /// The tenants of a data directory as [`port::Tenants::list`] gives them, of a directory that may be in use; none where there is no
    /// store. Changes nothing.
    ///
    /// # Errors
    /// The file cannot be read, or is of an older schema.
    pub fn peek_tenants(
        directory: &Path,
        page: &port::Page,
    ) -> Result<Vec<port::TenantRow>, Error> {
        let path = directory.join(migrate::INGESTION.file_name);
        if path.is_file() {
            ingestion::tenants::peek(&path, page).map_err(|source| Error::file(&path, source))
        } else {
            Ok(Vec::new())
        }
    }

    /// What of a data directory others than its owner may read: the directory, and files of ours in it.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn open_to_others(directory: &Path) -> io::Result<Vec<PathBuf>> {
        private::open_to_others(directory)
    }

    /// Makes a data directory out of a backup.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] when `directory` holds anything, [`Error::BackupIncomplete`] when the backup is not whole,
    /// [`Error::BackupChanged`] when a file is not as it was written, [`Error::Damaged`] when it was written from a damaged
    /// store. Then nothing is made.
    pub fn restore(from: &Path, directory: &Path) -> Result<(), Error> {
        backup::restore(from, directory)
    }
}

impl port::Writable for Embedded {
    /// The directory is locked for this process, so no other can have taken the files over. Only a writer that has ended stays
    /// unable to write; what hinders one commit, such as a full disk, is told by that commit.
    fn check_writable(&self) -> BoxFuture<'_, crate::Result<()>> {
        let files = [
            self.ingestion.file(),
            self.scoring.file(),
            self.segmentation.file(),
            self.metrics.file(),
        ];
        let ended = files.into_iter().find(|file| !file.is_writable());
        let answer = ended.map_or(Ok(()), |file| {
            let source = format!("the writer of {} has ended", file.path().display());
            Err(crate::Error::unavailable(
                "asking whether the files can be written",
                source,
            ))
        });
        Box::pin(std::future::ready(answer))
    }
}

fn must_hold_a_store(directory: &Path) -> Result<(), Error> {
    if directory.join(migrate::INGESTION.file_name).is_file() {
        return Ok(());
    }
    Err(Error::NoStore {
        path: directory.to_owned(),
    })
}

#[cfg(test)]
mod tests;
