use std::sync::Arc;

use sextant_backends::postgres;
use sextant_backends::redis::{Config, Redis};
use sextant_backends::testing::{Database, RedisServer, migrated_database};
use sextant_store::cache::Cache;
use sextant_store::conformance::{self, CacheHarness, Harness};
use sextant_store::port::Writable;

struct Postgres(Database);

impl Harness for Postgres {
    async fn fresh() -> Self {
        Self(migrated_database().await)
    }

    async fn ingestion(&self) -> conformance::Ingestion {
        conformance::Ingestion::of(&Arc::new(
            postgres::Ingestion::connect(&self.0.config())
                .await
                .unwrap(),
        ))
    }

    async fn scoring(&self) -> conformance::Scoring {
        conformance::Scoring::of(&Arc::new(
            postgres::Scoring::connect(&self.0.config()).await.unwrap(),
        ))
    }

    async fn segmentation(&self) -> conformance::Segmentation {
        conformance::Segmentation::of(&Arc::new(
            postgres::Segmentation::connect(&self.0.config())
                .await
                .unwrap(),
        ))
    }

    async fn metrics(&self) -> conformance::Metrics {
        conformance::Metrics::of(&Arc::new(
            postgres::Metrics::connect(&self.0.config()).await.unwrap(),
        ))
    }

    async fn writable(&self) -> Arc<dyn Writable> {
        Arc::new(postgres::Probe::new(&self.0.config()).unwrap())
    }

    async fn reopen(self) -> Self {
        self
    }
}

conformance::suite!(Postgres);

/// Each case has a server of its own: the suite uses the same keys in every case.
struct OnRedis(RedisServer);

impl CacheHarness for OnRedis {
    async fn fresh() -> Self {
        Self(RedisServer::start())
    }

    async fn cache(&self) -> Arc<dyn Cache> {
        Arc::new(Redis::new(Config::new(self.0.url())).unwrap())
    }
}

mod on_redis {
    use super::OnRedis;

    super::conformance::cache_suite!(OnRedis);
}
