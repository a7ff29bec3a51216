//! A process with one probe, reached in-process or over a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use sextant_runtime::auth::{
    Authenticator, Key, KeyId, KeyRecord, KeySource, KeySourceUnavailable,
};
use sextant_runtime::clock::Clock;
use sextant_runtime::lifecycle::Lifecycle;
use sextant_runtime::link::{Link, LinkOptions};
use sextant_runtime::server::{Limits, Listener, Mounted, Readiness, Server, Surroundings};
use sextant_runtime::telemetry::Meters;

use crate::probe::Probe;

pub(crate) const LIMITS: Limits = Limits {
    max_in_flight: 64,
    max_queue: Duration::from_millis(20),
    default_deadline: Duration::from_secs(30),
};

/// Gives every thread a subscriber: a line that one without reaches first would be off for all.
pub(crate) fn subscribe_everywhere() {
    let nowhere = tracing_subscriber::fmt().with_writer(std::io::sink);
    let _set_before = tracing::subscriber::set_global_default(nowhere.finish());
}

/// How a test reaches the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    InProcess,
    Network,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::InProcess, Kind::Network];

/// Keys in a list.
pub(crate) struct Keys(pub(crate) Vec<(KeyId, KeyRecord)>);

impl KeySource for Keys {
    fn resolve(&self, id: KeyId) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        Box::pin(async move {
            Ok(self
                .0
                .iter()
                .find(|(known, _)| *known == id)
                .map(|(_, record)| record.clone()))
        })
    }
}

pub(crate) struct World {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) around: Surroundings,
    pub(crate) readiness: Readiness,
    pub(crate) service_key: Key,
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with(limits, Keys(Vec::new()), Meters::none())
    }

    pub(crate) fn with(limits: Limits, keys: impl KeySource + 'static, meters: Meters) -> Self {
        let lifecycle = Lifecycle::new();
        let service_key = Key::generate().unwrap();
        let authenticator =
            Authenticator::new(Arc::new(keys), Clock::real(), Duration::from_secs(30))
                .with_service_key(&service_key);
        let around = Surroundings {
            lifecycle: lifecycle.clone(),
            authenticator: Arc::new(authenticator),
            meters,
            limits,
        };
        let readiness = Readiness::new(&lifecycle);
        Self {
            lifecycle,
            around,
            readiness,
            service_key,
        }
    }

    /// Options that call as a service of ours.
    pub(crate) fn options(&self) -> LinkOptions {
        self.options_without_key().with_key(&self.service_key)
    }

    pub(crate) fn options_without_key(&self) -> LinkOptions {
        LinkOptions::new(
            self.around.limits.default_deadline,
            self.around.meters.clone(),
        )
    }

    pub(crate) fn mount(&self, probe: Probe) -> Mounted {
        probe.part().mount(&self.around).unwrap()
    }

    pub(crate) async fn serve(&self, mounted: Mounted) -> SocketAddr {
        let server = Server::new(vec![mounted], Duration::from_secs(600));
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        server
            .start(listener, &self.around, &self.readiness)
            .await
            .unwrap()
    }

    pub(crate) async fn link(&self, probe: Probe, kind: Kind, options: &LinkOptions) -> Link {
        let mounted = self.mount(probe);
        match kind {
            Kind::InProcess => mounted.link(options),
            Kind::Network => {
                Link::connect(&format!("http://{}", self.serve(mounted).await), options).unwrap()
            },
        }
    }
}

/// A world with default limits, its link and the probe's events.
pub(crate) async fn linked(
    kind: Kind,
) -> (World, Link, Probe, mpsc::UnboundedReceiver<&'static str>) {
    linked_with(kind, LIMITS).await
}

pub(crate) async fn linked_with(
    kind: Kind,
    limits: Limits,
) -> (World, Link, Probe, mpsc::UnboundedReceiver<&'static str>) {
    let world = World::new(limits);
    let (probe, seen) = Probe::new();
    let link = world.link(probe.clone(), kind, &world.options()).await;
    (world, link, probe, seen)
}

/// A test that would wait for ever fails instead.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("still waiting after 20 s")
}
