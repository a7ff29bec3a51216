use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a data directory could not be opened, backed up or restored.
#[derive(Debug)]
pub enum Error {
    /// Another process has it open.
    InUse {
        /// The directory.
        path: PathBuf,
        /// Process id of the other, if it could be read.
        process: Option<u32>,
    },
    /// A file or directory cannot be read or written.
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file was written by a newer version of Sextant.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest one that this program knows.
        supported: u32,
    },
    /// SQLite refuses a file.
    File {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A directory in which a store has to be has none.
    NoStore {
        /// The directory.
        path: PathBuf,
    },
    /// A file of a backup is not the one that was written.
    BackupChanged {
        /// The file.
        path: PathBuf,
    },
    /// The content of a file contradicts itself.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found first.
        found: String,
    },
    /// A directory that has to be empty is not.
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A backup has no manifest, or its files are not those of the manifest.
    BackupIncomplete {
        /// The file that is missing or another.
        path: PathBuf,
    },
}

impl Error {
    pub(super) fn file(
        path: impl Into<PathBuf>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::File {
            path: path.into(),
            source: source.into(),
        }
    }

    pub(super) fn directory(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Directory {
            path: path.into(),
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse {
                path,
                process: Some(process),
            } => {
                write!(
                    f,
                    "data directory \"{}\" is in use by process {process}: stop it or choose another directory",
                    path.display()
                )
            },
            Self::InUse {
                path,
                process: None,
            } => {
                write!(
                    f,
                    "data directory \"{}\" is in use by another process: stop it or choose another directory",
                    path.display()
                )
            },
            Self::Directory { path, .. } => {
                write!(f, "\"{}\" cannot be read or written", path.display())
            },
            Self::Newer {
                path,
                found,
                supported,
            } => write!(
                f,
                "\"{}\" has schema version {found}, this program knows up to {supported}: use the newer version of Sextant that wrote it",
                path.display()
            ),
            Self::File { path, .. } => write!(f, "SQLite cannot use \"{}\"", path.display()),
            Self::NoStore { path } => write!(
                f,
                "directory \"{}\" holds no store: correct store.data_dir",
                path.display()
            ),
            Self::BackupChanged { path } => write!(
                f,
                "\"{}\" was changed since the backup was made, its SHA-256 is not that of the manifest: use another backup",
                path.display()
            ),
            Self::Damaged { path, found } => write!(
                f,
                "\"{}\" is damaged: {found}: use a backup from before",
                path.display()
            ),
            Self::NotEmpty { path } => write!(
                f,
                "directory \"{}\" is not empty: choose a new one",
                path.display()
            ),
            Self::BackupIncomplete { path } => {
                write!(
                    f,
                    "backup is incomplete: \"{}\" is missing or not as the manifest says",
                    path.display()
                )
            },
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Directory { source, .. } => Some(source),
            Self::File { source, .. } => Some(source.as_ref()),
            Self::InUse { .. }
            | Self::Newer { .. }
            | Self::NoStore { .. }
            | Self::BackupChanged { .. }
            | Self::Damaged { .. }
            | Self::NotEmpty { .. }
            | Self::BackupIncomplete { .. } => None,
        }
    }
}
