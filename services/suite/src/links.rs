//! Where the four services are, as seen by a client.

use std::fmt;

use sextant_runtime::link::{Link, LinkError, LinkOptions};

/// A link to each service.
#[derive(Debug, Clone)]
pub struct Links {
    /// Records, accounts, tenants and keys.
    pub ingestion: Link,
    /// Features and scores.
    pub scoring: Link,
    /// Segments.
    pub segmentation: Link,
    /// Business numbers.
    pub metrics: Link,
}

/// The address of each service, such as `http://127.0.0.1:7070`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Of ingestion.
    pub ingestion: String,
    /// Of scoring.
    pub scoring: String,
    /// Of segmentation.
    pub segmentation: String,
    /// Of metrics.
    pub metrics: String,
}

impl Addresses {
    /// All services at one address.
    #[must_use]
    pub fn all_at(address: &str) -> Self {
        Self {
            ingestion: address.to_owned(),
            scoring: address.to_owned(),
            segmentation: address.to_owned(),
            metrics: address.to_owned(),
        }
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ingestion,
            scoring,
            segmentation,
            metrics,
        } = self;
        if *self == Self::all_at(ingestion) {
            return f.write_str(ingestion);
        }
        write!(
            f,
            "{ingestion} for ingestion, {scoring} for scoring, {segmentation} for segmentation, {metrics} for metrics"
        )
    }
}

impl Links {
    /// Links over the network; each connects on its first call. Needs a running executor.
    ///
    /// # Errors
    /// An address cannot be read.
    pub fn connect(addresses: &Addresses, options: &LinkOptions) -> Result<Self, LinkError> {
        Ok(Self {
            ingestion: Link::connect(&addresses.ingestion, options)?,
            scoring: Link::connect(&addresses.scoring, options)?,
            segmentation: Link::connect(&addresses.segmentation, options)?,
            metrics: Link::connect(&addresses.metrics, options)?,
        })
    }
}
