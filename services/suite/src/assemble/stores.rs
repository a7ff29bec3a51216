//! The ports of each service over the configured engine. Only what the role needs is opened.

use std::sync::Arc;
use std::time::Duration;

use sextant_backends::{postgres, redis};
use sextant_runtime::config::{Config, StoreKind};
use sextant_runtime::lifecycle::BoxError;
use sextant_store::cache::{Cache, InProcess};
use sextant_store::embedded::Embedded;
use sextant_store::port::{
    Accounts, Facts, Feed, Intake, Keys, Memberships, Metrics, Replica, Scoring, Segmentations,
    Tenants,
};

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
}

impl Stores {
    pub(super) async fn open(config: &Config, role: Role) -> Result<Self, BoxError> {
        match config.store.kind {
            StoreKind::Embedded => Self::embedded(config),
            StoreKind::Postgres => Self::postgres(config, role).await,
        }
    }

    fn embedded(config: &Config) -> Result<Self, BoxError> {
        let engine = Embedded::open(&config.store.data_dir)?;
        let caches = caches(config)?;
        Ok(Self {
            ingestion: Some(ingestion_ports(&engine.ingestion())),
            scoring: Some(scoring_ports(&engine.scoring())),
            segmentation: Some(segmentation_ports(&engine.segmentation(), caches)),
            metrics: Some(metrics_ports(&engine.metrics())),
        })
    }

    async fn postgres(config: &Config, role: Role) -> Result<Self, BoxError> {
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
        };
        if runs(Role::Ingestion) {
            stores.ingestion = Some(ingestion_ports(&Arc::new(
                postgres::Ingestion::connect(&database).await?,
            )));
        }
        if runs(Role::Scoring) {
            stores.scoring = Some(scoring_ports(&Arc::new(
                postgres::Scoring::connect(&database).await?,
            )));
        }
        if runs(Role::Segmentation) {
            stores.segmentation = Some(segmentation_ports(
                &Arc::new(postgres::Segmentation::connect(&database).await?),
                caches(config)?,
            ));
        }
        if runs(Role::Metrics) {
            stores.metrics = Some(metrics_ports(&Arc::new(
                postgres::Metrics::connect(&database).await?,
            )));
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

fn ingestion_ports<E: Facts + Feed + Tenants + Keys + Accounts + Intake + 'static>(
    engine: &Arc<E>,
) -> IngestionPorts {
    IngestionPorts {
        facts: Arc::<E>::clone(engine),
        feed: Arc::<E>::clone(engine),
        tenants: Arc::<E>::clone(engine),
        keys: Arc::<E>::clone(engine),
        accounts: Arc::<E>::clone(engine),
        intake: Arc::<E>::clone(engine),
    }
}

fn scoring_ports<E: Scoring + Replica + Feed + 'static>(engine: &Arc<E>) -> ScoringPorts {
    ScoringPorts {
        scoring: Arc::<E>::clone(engine),
        replica: Arc::<E>::clone(engine),
        feed: Arc::<E>::clone(engine),
    }
}

fn segmentation_ports<E: Memberships + Segmentations + Feed + 'static>(
    engine: &Arc<E>,
    caches: Vec<Arc<dyn Cache>>,
) -> SegmentationPorts {
    SegmentationPorts {
        memberships: Arc::<E>::clone(engine),
        segmentations: Arc::<E>::clone(engine),
        feed: Arc::<E>::clone(engine),
        caches,
    }
}

fn metrics_ports<E: Metrics + Replica + 'static>(engine: &Arc<E>) -> MetricsPorts {
    MetricsPorts {
        metrics: Arc::<E>::clone(engine),
        replica: Arc::<E>::clone(engine),
    }
}
