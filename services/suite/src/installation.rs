//! What the command line asks of the program that it is the front of: services that run in this process, and their stores.
//!
//! Everything else the commands do goes through the public API, over [`Links`].

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use futures_util::future::BoxFuture;

use sextant_runtime::config::Loaded;
use sextant_runtime::lifecycle::{BoxError, Lifecycle};

use crate::doctor::Finding;
use crate::links::Links;

/// A future answer of an installation.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, BoxError>>;

/// Which services a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All four.
    All,
    /// Ingestion.
    Ingestion,
    /// Scoring.
    Scoring,
    /// Segmentation.
    Segmentation,
    /// Metrics.
    Metrics,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::All,
        Self::Ingestion,
        Self::Scoring,
        Self::Segmentation,
        Self::Metrics,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Ingestion => "ingestion",
            Self::Scoring => "scoring",
            Self::Segmentation => "segmentation",
            Self::Metrics => "metrics",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// Services that run in this process.
pub struct Running {
    /// How to reach them.
    pub links: Links,
    /// Where others reach them.
    pub address: SocketAddr,
    /// The installation's key, where this process holds it.
    pub key: Option<String>,
    /// The segmenters that are loaded, with their versions; none where segmentation runs elsewhere.
    pub segmenters: Vec<String>,
    /// Their tasks; [`Lifecycle::shut_down`] begins the end.
    pub lifecycle: Lifecycle,
    /// Serves until a signal or a shutdown, stops everything and gives the exit code. Must be polled while they run.
    pub ended: BoxFuture<'static, u8>,
}

impl fmt::Debug for Running {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What a migration did to the tables of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The service.
    pub service: &'static str,
    /// Version before; 0: there was none.
    pub from: i32,
    /// Version now.
    pub to: i32,
}

/// The services and stores of this program, to be started and looked after.
pub trait Installation: Sync {
    /// Starts the services of a role in this process, serving at the configured address.
    fn start<'a>(&'a self, loaded: &'a Loaded, role: Role) -> Answer<'a, Running>;

    /// Brings the tables of the configured store to the version of this program.
    fn migrate<'a>(&'a self, loaded: &'a Loaded) -> Answer<'a, Vec<Migration>>;

    /// Copies the embedded engine's data, whole and consistent, into a directory that must not hold anything.
    fn backup<'a>(&'a self, loaded: &'a Loaded, to: &'a Path) -> Answer<'a, ()>;

    /// Makes the embedded engine's data directory out of a backup; it must not hold anything.
    fn restore<'a>(&'a self, loaded: &'a Loaded, from: &'a Path) -> Answer<'a, ()>;

    /// Looks after what only the stores can tell: locks, reachability, role, versions, clock skew.
    fn checks<'a>(&'a self, loaded: &'a Loaded) -> BoxFuture<'a, Vec<Finding>>;
}
