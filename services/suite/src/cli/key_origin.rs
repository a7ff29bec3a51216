//! Where the caller's key is from.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::auth::Key;
use sextant_runtime::config::Environment;

use crate::client::is;
use crate::error::Error;

/// File of the installation's key, below the data directory.
const FILE: &str = "local.key";

/// The text of a key, or the file of its text.
pub(crate) enum KeyOrigin {
    Flag(String),
    Variable(String),
    NamedFile(PathBuf),
    LocalFile(PathBuf),
    /// Nobody gives one, and this file does not exist.
    Nowhere(PathBuf),
}

impl KeyOrigin {
    /// The flag, else the environment, else the file that an embedded installation keeps in its data directory.
    pub(crate) fn find(flag: Option<&String>, environment: &Environment, data_dir: &Path) -> Self {
        if let Some(text) = flag {
            return Self::Flag(text.clone());
        }
        if let Some(text) = environment.get("SEXTANT_KEY") {
            return Self::Variable(text.to_owned());
        }
        if let Some(path) = environment.get("SEXTANT_KEY_FILE") {
            return Self::NamedFile(path.into());
        }
        let path = local_file(data_dir);
        if path.exists() {
            Self::LocalFile(path)
        } else {
            Self::Nowhere(path)
        }
    }

    /// The key; `None` where nobody gives one.
    pub(crate) fn read(&self) -> Result<Option<Key>, Error> {
        let text = match self {
            Self::Flag(text) | Self::Variable(text) => text.clone(),
            Self::NamedFile(path) | Self::LocalFile(path) => {
                fs::read_to_string(path).map_err(|source| Error::File {
                    path: path.clone(),
                    source,
                })?
            },
            Self::Nowhere(_) => return Ok(None),
        };
        let key = Key::parse(text.trim());
        key.map(Some).map_err(|_malformed| Error::KeyUnreadable {
            origin: self.to_string(),
        })
    }
}

impl fmt::Display for KeyOrigin {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(_) => f.write_str("the key of --key"),
            Self::Variable(_) => f.write_str("the key of SEXTANT_KEY"),
            Self::NamedFile(path) => write!(
                f,
                "the key of the file \"{}\" that SEXTANT_KEY_FILE names",
                path.display()
            ),
            Self::LocalFile(path) => write!(f, "the key of the file \"{}\"", path.display()),
            Self::Nowhere(path) => write!(
                f,
                "neither --key nor SEXTANT_KEY nor SEXTANT_KEY_FILE gives one, and there is no file \"{}\"",
                path.display()
            ),
        }
    }
}

/// Where an embedded installation keeps its key.
pub(crate) fn local_file(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Whether a call was refused because of its key.
pub(crate) fn is_about_key(status: &Status) -> bool {
    [
        ErrorReason::KeyMissing,
        ErrorReason::KeyInvalid,
        ErrorReason::ScopeMissing,
    ]
    .into_iter()
    .any(|reason| is(status, reason))
}

#[cfg(test)]
mod tests;
