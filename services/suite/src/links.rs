//! Where the four services are, as seen by a client.

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

    /// Each with the name of its service.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &str); 4] {
        let Self {
            ingestion,
            scoring,
            segmentation,
            metrics,
        } = self;
        [
            ("ingestion", ingestion),
            ("scoring", scoring),
            ("segmentation", segmentation),
            ("metrics", metrics),
        ]
    }
}

impl Links {
    /// Links over the network; each connects on its first call. Needs a running executor.
    ///
    /// # Errors
    /// An address cannot be read.
    pub fn connect(addresses: &Addresses, options: &LinkOptions) -> Result<Self, LinkError> {
        let [ingestion, scoring, segmentation, metrics] =
            addresses.named().map(|(name, address)| {
                let peer = format!("{name} at {address}");
                Link::connect(address, &options.clone().of_peer(&peer))
            });
        Ok(Self {
            ingestion: ingestion?,
            scoring: scoring?,
            segmentation: segmentation?,
            metrics: metrics?,
        })
    }
}
