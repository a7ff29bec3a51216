use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use sextant_store::cache::{Cache, InProcess};
use sextant_store::conformance::{
    CacheHarness, Harness, Ingestion, Metrics, Scoring, Segmentation,
};
use sextant_store::embedded::Embedded;
use sextant_store::port::Writable;

/// Handles of the embedded engine share its one writer per file: only one process may have the directory open.
struct EmbeddedHarness {
    directory: TempDir,
    store: Embedded,
}

impl Harness for EmbeddedHarness {
    async fn fresh() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Embedded::open(directory.path()).unwrap();
        Self { directory, store }
    }

    async fn ingestion(&self) -> Ingestion {
        Ingestion::of(&self.store.ingestion())
    }

    async fn scoring(&self) -> Scoring {
        Scoring::of(&self.store.scoring())
    }

    async fn segmentation(&self) -> Segmentation {
        Segmentation::of(&self.store.segmentation())
    }

    async fn metrics(&self) -> Metrics {
        Metrics::of(&self.store.metrics())
    }

    async fn writable(&self) -> Arc<dyn Writable> {
        Arc::new(self.store.clone())
    }

    async fn reopen(self) -> Self {
        let Self { directory, store } = self;
        drop(store);
        let store = Embedded::open(directory.path()).unwrap();
        Self { directory, store }
    }
}

sextant_store::conformance::suite!(EmbeddedHarness);

mod cache {
    use super::*;

    struct InProcessHarness(Arc<InProcess>);

    impl CacheHarness for InProcessHarness {
        async fn fresh() -> Self {
            Self(Arc::new(InProcess::new(1 << 20, Duration::from_secs(600))))
        }

        async fn cache(&self) -> Arc<dyn Cache> {
            Arc::<InProcess>::clone(&self.0)
        }
    }

    sextant_store::conformance::cache_suite!(InProcessHarness);
}
