//! The ports of each service over the configured engine. Only what the role needs is opened.

use std::sync::Arc;
use std::time::Duration;

use sextant_backends::{postgres, redis};
use sextant_runtime::config::{Config, StoreKind};
use sextant_runtime::lifecycle::BoxError;
use sextant_runtime::telemetry::Meters;
use sextant_store::cache::{Cache, InProcess};
use sextant_store::embedded::Embedded;
use sextant_store::port::{
    Accounts, Catalogue, Facts, Feed, Intake, Keys, Memberships, Metrics, Places, Replica, Scoring,
    Segmentations, Tenants, Writable,
};

use crate::assemble::timed::Timed;
use crate::installation::Role;

/// How long a point read may be answered from a cache of this process.
const CACHE_TIME_TO_LIVE: Duration = Duration::from_secs(3_600);
/// What a cached membership takes, about.
const CACHED_BYTES: u64 = 1_024;

/// The ports of ingestion.
#[derive(Debug)]
pub struct IngestionPorts {
    /// Facts.
    pub facts: Arc<dyn Facts>,
    /// The feed of its own.
    pub feed: Arc<dyn Feed>,
    /// Tenants.
    pub tenants: Arc<dyn Tenants>,
    /// Keys.
    pub keys: Arc<dyn Keys>,
    /// Accounts.
    pub accounts: Arc<dyn Accounts>,
    /// Where users, and what other systems know, belong.
    pub places: Arc<dyn Places>,
    /// What has come in.
    pub intake: Arc<dyn Intake>,
}

/// The ports of scoring.
#[derive(Debug)]
pub struct ScoringPorts {
    /// Results.
    pub scoring: Arc<dyn Scoring>,
    /// What it keeps of ingestion's feed.
    pub replica: Arc<dyn Replica>,
    /// The feed of its own.
    pub feed: Arc<dyn Feed>,
}

/// The ports of segmentation.
#[derive(Debug)]
pub struct SegmentationPorts {
    /// Memberships and transitions.
    pub memberships: Arc<dyn Memberships>,
    /// Definitions.
    pub segmentations: Arc<dyn Segmentations>,
    /// The segmenters that were published.
    pub catalogue: Arc<dyn Catalogue>,
    /// The feed of its own.
    pub feed: Arc<dyn Feed>,
    /// Caches of point reads, the nearest first.
    pub caches: Vec<Arc<dyn Cache>>,
}

/// The ports of metrics.
#[derive(Debug)]
pub struct MetricsPorts {
    /// Progress and moves.
    pub metrics: Arc<dyn Metrics>,
    /// What it keeps of ingestion's feed.
    pub replica: Arc<dyn Replica>,
}

/// The ports that a role needs; the others are absent.
#[derive(Debug)]
pub struct Stores {
    /// Of ingestion.
    pub ingestion: Option<IngestionPorts>,
    /// Of scoring.
    pub scoring: Option<ScoringPorts>,
    /// Of segmentation.
    pub segmentation: Option<SegmentationPorts>,
    /// Of metrics.
    pub metrics: Option<MetricsPorts>,
    /// What all of them write to.
    pub written: Arc<dyn Writable>,
}

impl Stores {
    pub(super) async fn open(
        config: &Config,
        role: Role,
        meters: &Meters,
    ) -> Result<Self, BoxError> {
        match config.store.kind {
            StoreKind::Embedded => Self::embedded(config, meters),
            StoreKind::Postgres => Self::postgres(config, role, meters).await,
        }
    }

    fn embedded(config: &Config, meters: &Meters) -> Result<Self, BoxError> {
        let engine = Embedded::open(&config.store.data_dir)?;
        let caches = caches(config)?;
        Ok(Self {
            ingestion: Some(ingestion_ports(engine.ingestion(), meters)),
            scoring: Some(scoring_ports(engine.scoring(), meters)),
            segmentation: Some(segmentation_ports(engine.segmentation(), caches, meters)),
            metrics: Some(metrics_ports(engine.metrics(), meters)),
            written: Arc::new(engine),
        })
    }

    async fn postgres(config: &Config, role: Role, meters: &Meters) -> Result<Self, BoxError> {
        let url = config
            .store
            .postgres_url
            .as_ref()
            .ok_or("store.postgres_url is missing")?;
        let pool_size = usize::try_from(config.store.pool_size)?;
        let database = postgres::Config {
            pool_size,
            ..postgres::Config::new(url.expose())
        };
        let runs = |one: Role| role == Role::All || role == one;
        let mut stores = Self {
            ingestion: None,
            scoring: None,
            segmentation: None,
            metrics: None,
            written: Arc::new(postgres::Probe::new(&database)?),
        };
        if runs(Role::Ingestion) {
            let engine = Arc::new(postgres::Ingestion::connect(&database).await?);
            stores.ingestion = Some(ingestion_ports(engine, meters));
        }
        if runs(Role::Scoring) {
            let engine = Arc::new(postgres::Scoring::connect(&database).await?);
            stores.scoring = Some(scoring_ports(engine, meters));
        }
        if runs(Role::Segmentation) {
            let engine = Arc::new(postgres::Segmentation::connect(&database).await?);
            stores.segmentation = Some(segmentation_ports(engine, caches(config)?, meters));
        }
        if runs(Role::Metrics) {
            let engine = Arc::new(postgres::Metrics::connect(&database).await?);
            stores.metrics = Some(metrics_ports(engine, meters));
        }
        Ok(stores)
    }
}

/// The caches of point reads, the nearest first.
fn caches(config: &Config) -> Result<Vec<Arc<dyn Cache>>, BoxError> {
    let mut caches: Vec<Arc<dyn Cache>> = Vec::new();
    if config.cache.in_process_entries > 0 {
        caches.push(Arc::new(InProcess::new(
            config.cache.in_process_entries.saturating_mul(CACHED_BYTES),
            CACHE_TIME_TO_LIVE,
        )));
    }
    if let Some(url) = &config.cache.redis_url {
        let response_timeout = Duration::from_millis(config.cache.redis_timeout_ms);
        caches.push(Arc::new(redis::Redis::new(redis::Config {
            response_timeout,
            ..redis::Config::new(url.expose())
        })?));
    }
    Ok(caches)
}

fn ingestion_ports<E: Facts + Feed + Tenants + Keys + Accounts + Places + Intake + 'static>(
    engine: Arc<E>,
    meters: &Meters,
) -> IngestionPorts {
    let store = Arc::new(Timed::new(engine, "ingestion", meters));
    IngestionPorts {
        facts: Arc::<Timed<E>>::clone(&store),
        feed: Arc::<Timed<E>>::clone(&store),
        tenants: Arc::<Timed<E>>::clone(&store),
        keys: Arc::<Timed<E>>::clone(&store),
        accounts: Arc::<Timed<E>>::clone(&store),
        places: Arc::<Timed<E>>::clone(&store),
        intake: store,
    }
}

fn scoring_ports<E: Scoring + Replica + Feed + 'static>(
    engine: Arc<E>,
    meters: &Meters,
) -> ScoringPorts {
    let store = Arc::new(Timed::new(engine, "scoring", meters));
    ScoringPorts {
        scoring: Arc::<Timed<E>>::clone(&store),
        replica: Arc::<Timed<E>>::clone(&store),
        feed: store,
    }
}

fn segmentation_ports<E: Memberships + Segmentations + Catalogue + Feed + 'static>(
    engine: Arc<E>,
    caches: Vec<Arc<dyn Cache>>,
    meters: &Meters,
) -> SegmentationPorts {
    let store = Arc::new(Timed::new(engine, "segmentation", meters));
    SegmentationPorts {
        memberships: Arc::<Timed<E>>::clone(&store),
        segmentations: Arc::<Timed<E>>::clone(&store),
        catalogue: Arc::<Timed<E>>::clone(&store),
        feed: store,
        caches,
    }
}

fn metrics_ports<E: Metrics + Replica + 'static>(engine: Arc<E>, meters: &Meters) -> MetricsPorts {
    let store = Arc::new(Timed::new(engine, "metrics", meters));
    MetricsPorts {
        metrics: Arc::<Timed<E>>::clone(&store),
        replica: store,
    }
}
