//! One typed configuration for every role, merged from flags, environment, file and defaults, with the origin of each value.
//!
//! This module is the only reader of the environment.

mod environment;
mod error;
mod keys;
mod load;
mod secret;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use crate::config::environment::Environment;
pub use crate::config::error::{Error, Origin};
pub use crate::config::keys::nearest;
pub use crate::config::load::{Entry, Flag, Loaded, Sources, load};
pub use crate::config::secret::Secret;

/// Everything that can be configured. Defaults and ranges are in the key list, which `config show` prints.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listening, limits and shutdown.
    pub server: Server,
    /// Where facts and results are kept.
    pub store: Store,
    /// What stands in front of point reads.
    pub cache: Cache,
    /// Where the other services are, when they run as processes of their own.
    pub services: Services,
    /// Who may call.
    pub auth: Auth,
    /// Where segmenters come from.
    pub plugins: Plugins,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// What is accepted.
    pub ingest: Ingest,
}

/// Listening, limits and shutdown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address of the gRPC port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether the embedded engine may be served to other machines, without encryption.
    pub expose: bool,
    /// Address of `/metrics`, `/healthz` and `/readyz`.
    pub admin_listen: SocketAddr,
    /// Calls that one service works on at the same time.
    pub max_in_flight: u32,
    /// How long a call may wait for its turn before it is shed, in milliseconds.
    pub max_queue_ms: u64,
    /// Longest wait for an answer when the caller gave no deadline, in milliseconds.
    pub default_deadline_ms: u64,
    /// Time between "not ready" and refusing connections after SIGTERM, in milliseconds.
    pub drain_notice_ms: u64,
    /// Time that running calls have to finish during shutdown, in milliseconds.
    pub drain_ms: u64,
    /// Age at which a connection is asked to reconnect, in seconds, before jitter.
    pub max_connection_age_s: u64,
}

/// Which engine keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// SQLite files under one directory.
    Embedded,
    /// A PostgreSQL server.
    Postgres,
}

/// Where facts and results are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The engine.
    pub kind: StoreKind,
    /// Directory of the embedded engine's files.
    pub data_dir: PathBuf,
    /// Connection string; present when the engine is PostgreSQL.
    pub postgres_url: Option<Secret>,
    /// Connections per process.
    pub pool_size: u32,
}

/// What stands in front of point reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Entries of the in-process cache.
    pub in_process_entries: u64,
    /// Redis, when several processes share a cache.
    pub redis_url: Option<Secret>,
    /// Longest wait for Redis, in milliseconds; then the read is a miss.
    pub redis_timeout_ms: u64,
    /// After how many seconds a tenant that nobody asks for leaves memory.
    pub tenant_idle_s: u64,
    /// What one service keeps of tenants in memory, in facts, accounts, memberships and moves, besides what is in use.
    pub tenant_facts: u64,
}

/// Where the other services are; absent = in this process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// Address of ingestion, such as `http://127.0.0.1:7070`.
    pub ingestion: Option<String>,
    /// Address of scoring.
    pub scoring: Option<String>,
    /// Address of segmentation.
    pub segmentation: Option<String>,
    /// Address of metrics.
    pub metrics: Option<String>,
}

/// Who may call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The key by which services know each other, the same in every process; absent = a fresh one, for all services in one.
    pub service_key: Option<Secret>,
    /// The first key of the installation, with every scope; absent = the one of the data directory.
    pub admin_key: Option<Secret>,
    /// How long the answer about a key is remembered, in seconds: the longest a revoked key keeps working.
    pub key_cache_s: u64,
}

/// Where segmenters come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Directory of the built-in segmenters, which run in the service's process; absent = beside the binary.
    pub builtin_dir: Option<PathBuf>,
    /// Directory whose segmenters (`*.so`) are published as they come; absent = there is none.
    pub watched_dir: Option<PathBuf>,
    /// What has to be true of a segmenter before it is run.
    pub trust: Trust,
    /// File with the keys that may sign segmenters; absent = there are none.
    pub trust_file: Option<PathBuf>,
    /// Directory with the tokens of servers, a file each; absent = no server is asked with one.
    pub token_dir: Option<PathBuf>,
    /// How much of the sandbox published segmenters need.
    pub sandbox: Sandbox,
    /// Most memory of one of them, in MiB.
    pub memory_mb: u32,
    /// Longest time of one call of their code, in milliseconds.
    pub call_ms: u64,
    /// Longest time of a fit, in milliseconds.
    pub fit_ms: u64,
}

/// What has to be true of a segmenter before it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Whoever may publish is trusted.
    Open,
    /// Somebody has approved its digest.
    Digest,
    /// A key has signed it that the operator trusts with it.
    Signed,
}

/// How much of the sandbox a segmenter in a process of its own needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// All of it.
    Whole,
    /// What the kernel offers.
    Partial,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Logs and traces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Level, and levels per target: `info,sextant_scoring=debug`.
    pub log_filter: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// OTLP collector (gRPC); absent = no traces leave the process.
    pub otlp_endpoint: Option<String>,
    /// Share of traces that start here and are kept, 0 to 1.
    pub trace_sample_ratio: f64,
}

/// What is accepted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// Age up to which records are taken, in days, of tenants that name none. What is stored stays, however old it gets.
    pub retention_days: u32,
    /// Largest batch, in bytes.
    pub max_batch_bytes: u64,
    /// Largest batch, in records.
    pub max_batch_records: u32,
    /// Bytes of records that all streams together may have sent and not stored yet.
    pub max_waiting_bytes: u64,
    /// Directory of the endpoints of webhooks, a file each; `None`: there are none.
    pub webhook_dir: Option<PathBuf>,
}

impl Config {
    /// Whether services may listen where they are to: with the embedded engine, which is for one machine, at a loopback address
    /// only, unless the configuration says otherwise. Nothing here encrypts.
    ///
    /// # Errors
    /// [`Error::Exposed`] names the key.
    pub fn check_exposure(&self) -> Result<(), Error> {
        if self.store.kind != StoreKind::Embedded || self.server.expose {
            return Ok(());
        }
        for (key, address) in [
            ("server.listen", self.server.listen),
            ("server.admin_listen", self.server.admin_listen),
        ] {
            if !address.ip().to_canonical().is_loopback() {
                return Err(Error::Exposed { key, address });
            }
        }
        Ok(())
    }
}

impl Server {
    /// Longest wait for a turn.
    #[must_use]
    pub fn max_queue(&self) -> Duration {
        Duration::from_millis(self.max_queue_ms)
    }

    /// Longest wait for an answer when the caller gave no deadline.
    #[must_use]
    pub fn default_deadline(&self) -> Duration {
        Duration::from_millis(self.default_deadline_ms)
    }

    /// Time between "not ready" and refusing connections after SIGTERM.
    #[must_use]
    pub fn drain_notice(&self) -> Duration {
        Duration::from_millis(self.drain_notice_ms)
    }

    /// Time that running calls have to finish.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    /// Age at which a connection is asked to reconnect, before jitter.
    #[must_use]
    pub fn max_connection_age(&self) -> Duration {
        Duration::from_secs(self.max_connection_age_s)
    }
}

#[cfg(test)]
mod tests;
