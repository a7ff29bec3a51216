//! The ports of all four services on PostgreSQL: one schema per service, row-level security forced on every tenant table.

mod decode;
mod feed;
mod ingestion;
mod metrics;
mod migrate;
mod pool;
mod probe;
mod replica;
mod requests;
mod rows;
mod scoring;
mod segmentation;
mod session;

pub use ingestion::Ingestion;
pub use metrics::Metrics;
pub use migrate::{MigrateError, Migrated, SYSTEM_TABLES, migrate};
pub use pool::{Config, ConnectError};
pub use probe::Probe;
pub use scoring::Scoring;
pub use segmentation::Segmentation;

/// A service with tables of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Facts, accounts, tenants, keys.
    Ingestion,
    /// Roll-ups and models.
    Scoring,
    /// Memberships and transitions.
    Segmentation,
    /// Moves between segments.
    Metrics,
}

impl Service {
    /// All services, upstream first.
    pub const ALL: [Self; 4] = [
        Self::Ingestion,
        Self::Scoring,
        Self::Segmentation,
        Self::Metrics,
    ];

    /// The schema that holds its tables.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::Ingestion => "sextant_ingestion",
            Self::Scoring => "sextant_scoring",
            Self::Segmentation => "sextant_segmentation",
            Self::Metrics => "sextant_metrics",
        }
    }
}
