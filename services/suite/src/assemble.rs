//! Puts the program together: configuration → stores → parts → links → server.

pub(crate) mod external;
mod local_key;
mod stores;
mod timed;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tracing::{info, warn};

use sextant_backends::postgres;
use sextant_ingestion::{LinkKeySource, StoreKeySource, ensure_installation_key};
use sextant_plugin_host::{Plugin, Segmenter, discover, left_alone};
use sextant_runtime::auth::{Authenticator, Key, KeySource};
use sextant_runtime::clock::Clock;
use sextant_runtime::config::{Config, Loaded, StoreKind};
use sextant_runtime::kept::Room;
use sextant_runtime::lifecycle::{BoxError, DrainPlan, Expiry, Lifecycle, Signals};
use sextant_runtime::link::{Link, LinkOptions};
use sextant_runtime::server::{
    Limits, Listener, Mounted, Readiness, Server, Surroundings, serve_admin,
};
use sextant_runtime::telemetry::{Meters, Telemetry};
use sextant_segmentation::Registry;
use sextant_store::embedded::Embedded;
use sextant_wire::page::Pager;

pub use crate::assemble::stores::{
    IngestionPorts, MetricsPorts, ScoringPorts, SegmentationPorts, Stores,
};

use crate::installation::{Answer, Installation, Migration, Role, Running};
use crate::links::Links;
use crate::service_key::{self, ServiceKey};

/// Longest wait of a call between services whose caller gave no deadline.
const SERVICE_DEADLINE: Duration = Duration::from_secs(30);

/// The program as it is built: real stores, real services.
#[derive(Debug)]
pub struct Program {
    /// Everything that services store goes through here.
    stores: fn(Stores) -> Stores,
}

impl Default for Program {
    fn default() -> Self {
        Self::over(|stores| stores)
    }
}

impl Program {
    /// The program with something put between the services and their stores, such as a fault.
    #[must_use]
    pub fn over(stores: fn(Stores) -> Stores) -> Self {
        Self { stores }
    }
}

/// What a process is made of before its parts are mounted.
struct Assembly<'a> {
    config: &'a Config,
    stores: Stores,
    clock: Clock,
    pager: Pager,
    links: LinkOptions,
    around: Surroundings,
}

/// The parts of a process and the links to all services.
struct Parts {
    mounted: Vec<Mounted>,
    links: Links,
    segmenters: Vec<String>,
}

impl Installation for Program {
    fn start<'a>(&'a self, loaded: &'a Loaded, role: Role) -> Answer<'a, Running> {
        async move {
            let running = self.run(loaded, role).await?;
            info!(role = role.as_str(), address = %running.address, store = ?loaded.config.store.kind, "serving");
            Ok(running)
        }
        .boxed()
    }

    fn migrate<'a>(&'a self, loaded: &'a Loaded) -> Answer<'a, Vec<Migration>> {
        async move {
            let store = &loaded.config.store;
            let done = match (store.kind, &store.postgres_url) {
                (StoreKind::Embedded, _) => {
                    // The embedded engine brings its files to the newest version whenever it opens them.
                    let opened = Embedded::open_existing(&store.data_dir)?;
                    let version = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
                    let done = opened.migrations().map(|(service, from, to)| Migration {
                        service,
                        from: version(from),
                        to: version(to),
                    });
                    return Ok(done.into());
                },
                (StoreKind::Postgres, None) => return Err("store.postgres_url is missing".into()),
                (StoreKind::Postgres, Some(url)) => postgres::migrate(url.expose()).await?,
            };
            Ok(done
                .into_iter()
                .map(|one| Migration {
                    service: one.service.schema(),
                    from: one.from,
                    to: one.to,
                })
                .collect())
        }
        .boxed()
    }

    fn backup<'a>(&'a self, loaded: &'a Loaded, to: &'a Path) -> Answer<'a, ()> {
        let written = embedded_data(&loaded.config, "copies")
            .and_then(|data_dir| Embedded::backup(data_dir, to).map_err(BoxError::from));
        std::future::ready(written).boxed()
    }

    fn restore<'a>(&'a self, loaded: &'a Loaded, from: &'a Path) -> Answer<'a, ()> {
        let restored = embedded_data(&loaded.config, "makes")
            .and_then(|data_dir| Ok(Embedded::restore(from, data_dir)?));
        std::future::ready(restored).boxed()
    }

    fn checks<'a>(&'a self, loaded: &'a Loaded) -> BoxFuture<'a, Vec<crate::doctor::Finding>> {
        crate::doctor::stores::check(&loaded.config).boxed()
    }
}

/// The data directory of a command that does something to the embedded engine's files and to no other store.
fn embedded_data<'c>(config: &'c Config, does: &str) -> Result<&'c Path, BoxError> {
    match config.store.kind {
        StoreKind::Embedded => Ok(&config.store.data_dir),
        StoreKind::Postgres => Err(format!("this command {does} files of the embedded engine, but store.kind is postgres: use pg_dump and pg_restore, or set store.kind to embedded").into()),
    }
}

impl Program {
    /// Starts the services of a role.
    async fn run(&self, loaded: &Loaded, role: Role) -> Result<Running, BoxError> {
        let config = &loaded.config;
        config.check_exposure()?;
        // First of all: where a port is taken, no folder is made and no task begins.
        let admin = Listener::bind(config.server.admin_listen)?;
        let listener = Listener::bind(config.server.listen)?;
        let telemetry = Telemetry::new(&config.telemetry, role.as_str())?;
        // A test that runs several processes in one keeps the first one's.
        drop(telemetry.install());
        let lifecycle = Lifecycle::new();
        let readiness = Readiness::new(&lifecycle);
        let clock = Clock::real();
        let local = first_key(loaded, role)?;
        let stores = (self.stores)(Stores::open(config, role, telemetry.meters()).await?);
        let written = Arc::clone(&stores.written);
        if let (Some(key), Some(ports)) = (&local, &stores.ingestion) {
            ensure_installation_key(ports.keys.as_ref(), key, "local key", clock.now()).await?;
        }
        let service_key = ServiceKey::of(loaded, role)?;
        let links = LinkOptions::new(SERVICE_DEADLINE, telemetry.meters().clone())
            .with_key(&service_key.key)
            .telling(&readiness, &service_key.to_string());
        let authenticator = Authenticator::new(
            key_source(config, &stores, &links)?,
            clock.clone(),
            Duration::from_secs(config.auth.key_cache_s),
        )
        .with_service_key(&service_key.key);
        let around = Surroundings {
            lifecycle: lifecycle.clone(),
            authenticator: Arc::new(authenticator),
            meters: telemetry.meters().clone(),
            limits: Limits::from(&config.server),
        };
        // A key that outlives the process: one that was made at the start does not.
        let page_key = match (&config.auth.service_key, &local) {
            (None, Some(first)) => first,
            _ => &service_key.key,
        };
        let pager = Pager::new(page_key.expose().as_bytes());
        let assembly = Assembly {
            config,
            stores,
            clock,
            pager,
            links,
            around: around.clone(),
        };
        let parts = assembly.parts(role)?;
        serve_admin(admin, &lifecycle, &readiness, telemetry.scrape());
        let server = Server::new(parts.mounted, config.server.max_connection_age());
        let address: SocketAddr = server.start(listener, &around, &readiness).await?;
        readiness.watch_store(&lifecycle, move || {
            let written = Arc::clone(&written);
            async move { written.check_writable().await }
        });
        Ok(Running {
            links: parts.links,
            segmenters: parts.segmenters,
            address,
            key: local.map(|key| key.expose()),
            ended: ended(config, &lifecycle, telemetry)?,
            lifecycle,
        })
    }
}

fn ended(
    config: &Config,
    lifecycle: &Lifecycle,
    telemetry: Telemetry,
) -> Result<BoxFuture<'static, u8>, BoxError> {
    let plan = DrainPlan {
        notice: config.server.drain_notice(),
        deadline: config.server.drain(),
        on_expiry: Expiry::ExitProcess,
    };
    let (signals, lifecycle) = (Signals::of_process()?, lifecycle.clone());
    Ok(async move {
        let ended = lifecycle.run(plan, signals).await;
        drop(tokio::task::spawn_blocking(|| telemetry.shut_down()).await);
        ended.exit_code()
    }
    .boxed())
}

/// The first key of the installation: the configured one, or for a process that runs everything the one of its data
/// directory.
fn first_key(loaded: &Loaded, role: Role) -> Result<Option<Key>, BoxError> {
    let config = &loaded.config;
    match (&config.auth.admin_key, config.store.kind, role) {
        (_, StoreKind::Embedded, Role::Ingestion | Role::Scoring | Role::Segmentation | Role::Metrics) => {
            Err("the embedded engine serves all services in one process: use `sextant serve all`, or set store.kind to postgres".into())
        },
        (Some(secret), ..) => service_key::configured(loaded, "auth.admin_key", secret).map(Some),
        (None, _, Role::All) => Ok(Some(local_key::read_or_make(&config.store.data_dir)?)),
        (None, StoreKind::Postgres, _) => Ok(None),
    }
}

fn key_source(
    config: &Config,
    stores: &Stores,
    links: &LinkOptions,
) -> Result<Arc<dyn KeySource>, BoxError> {
    match &stores.ingestion {
        Some(ports) => Ok(Arc::new(StoreKeySource::new(Arc::clone(&ports.keys)))),
        None => Ok(Arc::new(LinkKeySource::new(remote(
            "ingestion",
            config.services.ingestion.as_deref(),
            links,
        )?))),
    }
}

/// A link to a service of another process.
fn remote(
    service: &'static str,
    address: Option<&str>,
    links: &LinkOptions,
) -> Result<Link, BoxError> {
    let address = address.ok_or_else(|| format!("services.{service} is missing: set it to the address of that service, such as http://127.0.0.1:7070"))?;
    Ok(Link::connect(address, &links.clone().of_peer(service))?)
}

impl Assembly<'_> {
    /// Mounts the parts of a role, in the order of the data's way, each with links to the ones before it.
    fn parts(mut self, role: Role) -> Result<Parts, BoxError> {
        let (mut mounted, mut segmenters) = (Vec::new(), Vec::new());
        let ingestion = match self.stores.ingestion.take() {
            Some(ports) => {
                self.mount(sextant_ingestion::part(self.ingestion(ports)), &mut mounted)?
            },
            None => remote(
                "ingestion",
                self.config.services.ingestion.as_deref(),
                &self.links,
            )?,
        };
        let scoring = match self.stores.scoring.take() {
            Some(ports) => {
                let deps = sextant_scoring::Deps {
                    scoring: ports.scoring,
                    replica: ports.replica,
                    feed: ports.feed,
                    ingestion: ingestion.clone(),
                    clock: self.clock.clone(),
                    room: Room::from(&self.config.cache),
                    pager: self.pager.clone(),
                    meters: self.meters(),
                };
                Some(self.mount(sextant_scoring::part(deps), &mut mounted)?)
            },
            None => self.optional(
                "scoring",
                self.config.services.scoring.as_deref(),
                role == Role::Segmentation,
            )?,
        };
        let segmentation = match (self.stores.segmentation.take(), &scoring) {
            (Some(ports), Some(scoring)) => {
                let registry = registry(self.config)?;
                let isolation = external::isolation(self.config)?;
                segmenters = names(&registry);
                let deps = sextant_segmentation::Deps {
                    memberships: ports.memberships,
                    segmentations: ports.segmentations,
                    catalogue: ports.catalogue,
                    isolation,
                    feed: ports.feed,
                    caches: ports.caches,
                    registry,
                    scoring: scoring.clone(),
                    ingestion: ingestion.clone(),
                    clock: self.clock.clone(),
                    room: Room::from(&self.config.cache),
                    pager: self.pager.clone(),
                    meters: self.meters(),
                };
                Some(self.mount(sextant_segmentation::part(deps), &mut mounted)?)
            },
            _ => self.optional(
                "segmentation",
                self.config.services.segmentation.as_deref(),
                role == Role::Metrics,
            )?,
        };
        let metrics = match (self.stores.metrics.take(), &segmentation) {
            (Some(ports), Some(segmentation)) => {
                let deps = self.metrics(ports, ingestion.clone(), segmentation.clone());
                Some(self.mount(sextant_metrics::part(deps), &mut mounted)?)
            },
            _ => self.optional("metrics", self.config.services.metrics.as_deref(), false)?,
        };
        // A role that does not know a later service never calls it; the link then leads to the first one and says so.
        let links = Links {
            scoring: scoring.unwrap_or_else(|| ingestion.clone()),
            segmentation: segmentation.unwrap_or_else(|| ingestion.clone()),
            metrics: metrics.unwrap_or_else(|| ingestion.clone()),
            ingestion,
        };
        Ok(Parts {
            mounted,
            links,
            segmenters,
        })
    }

    fn ingestion(&self, ports: IngestionPorts) -> sextant_ingestion::Deps {
        sextant_ingestion::Deps {
            facts: ports.facts,
            feed: ports.feed,
            tenants: ports.tenants,
            keys: ports.keys,
            accounts: ports.accounts,
            places: ports.places,
            intake: ports.intake,
            authenticator: Arc::clone(&self.around.authenticator),
            clock: self.clock.clone(),
            pager: self.pager.clone(),
            meters: self.meters(),
            limits: sextant_ingestion::Limits::from(&self.config.ingest),
            webhook_dir: self.config.ingest.webhook_dir.clone(),
        }
    }

    fn metrics(
        &self,
        ports: MetricsPorts,
        ingestion: Link,
        segmentation: Link,
    ) -> sextant_metrics::Deps {
        sextant_metrics::Deps {
            metrics: ports.metrics,
            replica: ports.replica,
            ingestion,
            segmentation,
            clock: self.clock.clone(),
            room: Room::from(&self.config.cache),
            pager: self.pager.clone(),
            meters: self.meters(),
        }
    }

    fn meters(&self) -> Meters {
        self.around.meters.clone()
    }

    fn mount(
        &self,
        part: sextant_runtime::server::Part,
        mounted: &mut Vec<Mounted>,
    ) -> Result<Link, BoxError> {
        let part = part.mount(&self.around)?;
        let link = part.link(&self.links);
        mounted.push(part);
        Ok(link)
    }

    /// A link to another process, if its address is known or has to be.
    fn optional(
        &self,
        service: &'static str,
        address: Option<&str>,
        needed: bool,
    ) -> Result<Option<Link>, BoxError> {
        if address.is_none() && !needed {
            return Ok(None);
        }
        remote(service, address, &self.links).map(Some)
    }
}

/// Where the built-in segmenters are: in the configured folder, or beside the program.
pub(crate) fn segmenters(config: &Config) -> io::Result<PathBuf> {
    if let Some(folder) = &config.plugins.builtin_dir {
        return Ok(folder.clone());
    }
    let program = std::env::current_exe()?;
    Ok(program.parent().map(Path::to_owned).unwrap_or_default())
}

/// Segmenters with their versions.
fn names(registry: &Registry) -> Vec<String> {
    let descriptors = registry.all().map(Segmenter::descriptor);
    descriptors
        .map(|one| format!("{} {}", one.id, one.version))
        .collect()
}

/// The segmenters that come with the service, and run in its process.
fn registry(config: &Config) -> Result<Registry, BoxError> {
    let folder = segmenters(config)?;
    let plugins = discover(&folder)
        .into_iter()
        .collect::<Result<Vec<Plugin>, _>>()?;
    if config.plugins.builtin_dir.is_some() {
        for other in left_alone(&folder)? {
            warn!(file = %other.display(), "not loaded: segmenters are named libsextant_segmenter_*.so");
        }
    }
    if plugins.is_empty() {
        let folder = folder.display();
        return Err(format!("no segmenter (libsextant_segmenter_*.so) is in {folder}: build them with `cargo build`, or set plugins.builtin_dir").into());
    }
    Ok(Registry::new(plugins))
}

#[cfg(test)]
mod tests;
