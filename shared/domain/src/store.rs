//! Why a store fails, and what it knows a request by: part of the domain, so that every service answers in the same way.

use std::fmt;

use crate::id::{PayloadHash, TenantId};
use crate::time::Instant;

/// One delivery of a request that changes something. Owner, method and id tell whether it is the same request again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose request ids are one number space: a tenant's; `None`: the installation's.
    pub owner: Option<TenantId>,
    /// Name of the rpc.
    pub method: &'static str,
    /// The id that the caller gave it, a UUID.
    pub id: u128,
    /// Hash of everything that was asked.
    pub parameters: PayloadHash,
    /// When it came, by the real clock.
    pub at: Instant,
}

/// Why a store did not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// The store does not answer now; the same call may succeed later. Nothing was written.
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// The engine's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another writer has stored results since these were computed: reload and start again from what is stored.
    Fenced,
    /// A tenant, key or segmentation of that name exists.
    AlreadyExists {
        /// What exists, such as "tenant \"acme\"".
        what: String,
    },
    /// A segmenter that was to be put to use may not be used.
    NotReady {
        /// Which, such as "segmenter \"acme.health\" 1.0.0".
        what: String,
    },
    /// A request id was used before with other parameters.
    RequestIdReused,
    /// History came while no import of the tenant is open. Nothing was written.
    NoImport,
    /// No room is left to write.
    Full {
        /// What was tried.
        doing: &'static str,
    },
    /// What is stored cannot be read: it was written by a newer version or is damaged.
    Unreadable {
        /// What was read, such as "rollup of account 0198…".
        what: String,
    },
}

impl Error {
    /// The store does not answer now.
    pub fn unavailable(
        doing: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            doing,
            source: source.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { doing, .. } => write!(f, "store is unavailable while {doing}"),
            Self::Fenced => write!(f, "another writer has moved on"),
            Self::AlreadyExists { what } => write!(f, "{what} exists"),
            Self::NotReady { what } => write!(f, "{what} may not be used"),
            Self::RequestIdReused => write!(f, "request id was used with other parameters"),
            Self::NoImport => write!(f, "no import is open"),
            Self::Full { doing } => write!(f, "no room is left while {doing}"),
            Self::Unreadable { what } => write!(f, "stored {what} is unreadable"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable { source, .. } => Some(source.as_ref()),
            Self::Fenced
            | Self::AlreadyExists { .. }
            | Self::NotReady { .. }
            | Self::RequestIdReused
            | Self::NoImport
            | Self::Full { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}
