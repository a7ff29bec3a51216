//! A process with ingestion alone, over the embedded engine in a directory of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tonic::Status;
use uuid::Uuid;

use sextant_domain::time::Instant;
use sextant_ingestion::{
    DEFAULT_CREDIT_RECORDS, Deps, Limits, StoreKeySource, ensure_installation_key, part,
};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::access_service_client::AccessServiceClient;
use sextant_proto::ingestion::v1::account_service_client::AccountServiceClient;
use sextant_proto::ingestion::v1::feed_service_client::FeedServiceClient;
use sextant_proto::ingestion::v1::ingestion_service_client::IngestionServiceClient;
use sextant_proto::ingestion::v1::source_service_client::SourceServiceClient;
use sextant_proto::ingestion::v1::tenant_service_client::TenantServiceClient;
use sextant_runtime::auth::{Authenticator, Key};
use sextant_runtime::clock::{Clock, ManualClock};
use sextant_runtime::lifecycle::Lifecycle;
use sextant_runtime::link::{Link, LinkOptions};
use sextant_runtime::server::{self, Listener, Mounted, Readiness, Server, Surroundings};
use sextant_runtime::telemetry::Meters;
use sextant_store::embedded::Embedded;
use sextant_store::port::Facts;
use sextant_wire::page::Pager;

/// The moment at which the real clock stands: 2026-01-15T12:00:00Z.
pub(crate) const NOW: Instant = Instant(1_768_478_400_000_000);
/// What the service takes in.
pub(crate) const INTAKE: Limits = Limits {
    max_batch_records: 10_000,
    max_batch_bytes: 4 << 20,
    credit_records: DEFAULT_CREDIT_RECORDS,
    max_waiting_bytes: 256 << 20,
    default_retention_days: 395,
};

const LIMITS: server::Limits = server::Limits {
    max_in_flight: 64,
    max_queue: Duration::from_secs(1),
    default_deadline: Duration::from_secs(30),
};

/// How a test reaches the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    InProcess,
    Network,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::InProcess, Kind::Network];

pub(crate) struct World {
    pub(crate) hand: ManualClock,
    /// Opens the installation.
    pub(crate) operator: Key,
    /// Opens what is for services alone.
    pub(crate) service: Key,
    mounted: Mounted,
    around: Surroundings,
    clock: Clock,
    store: Embedded,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(INTAKE, |facts| facts).await
    }

    /// A world with other limits whose facts go through a wrapper.
    pub(crate) async fn with(
        limits: Limits,
        wrap: impl FnOnce(Arc<dyn Facts>) -> Arc<dyn Facts>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path()).unwrap();
        let (clock, hand) = Clock::manual(NOW);
        let (operator, service) = (Key::generate().unwrap(), Key::generate().unwrap());
        ensure_installation_key(store.ingestion().as_ref(), &operator, "operator", NOW)
            .await
            .unwrap();
        ensure_installation_key(store.ingestion().as_ref(), &operator, "operator", NOW)
            .await
            .unwrap();
        let keys = Arc::new(StoreKeySource::new(store.ingestion()));
        let authenticator = Arc::new(
            Authenticator::new(keys, clock.clone(), Duration::from_secs(30))
                .with_service_key(&service),
        );
        let around = Surroundings {
            lifecycle: Lifecycle::new(),
            authenticator: Arc::clone(&authenticator),
            meters: Meters::none(),
            limits: LIMITS,
        };
        let webhook_dir = webhooks(directory.path());
        let deps = deps(&store, &around, clock.clone(), (limits, webhook_dir), wrap);
        let mounted = part(deps).mount(&around).unwrap();
        Self {
            hand,
            operator,
            service,
            mounted,
            around,
            clock,
            store,
            directory,
        }
    }

    /// The service as the holder of a key reaches it.
    pub(crate) fn by(&self, key: &Key) -> Clients {
        Clients(self.mounted.link(&self.options(key)))
    }

    /// Another replica over the same store, as the holder of a key reaches it.
    pub(crate) fn replica(&self, key: &Key) -> Clients {
        self.replica_with(key, |deps| deps)
    }

    /// The same, made of other things.
    pub(crate) fn replica_with(&self, key: &Key, change: impl FnOnce(Deps) -> Deps) -> Clients {
        let deps = deps(
            &self.store,
            &self.around,
            self.clock.clone(),
            (INTAKE, webhooks(self.directory.path())),
            |facts| facts,
        );
        let mounted = part(change(deps)).mount(&self.around).unwrap();
        Clients(mounted.link(&self.options(key)))
    }

    /// The same, over a socket if asked for.
    pub(crate) async fn over(&self, kind: Kind, key: &Key) -> Clients {
        match kind {
            Kind::InProcess => self.by(key),
            Kind::Network => {
                let address = self.serve().await;
                Clients(Link::connect(&format!("http://{address}"), &self.options(key)).unwrap())
            },
        }
    }

    /// The service on a port of its own.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let server = Server::new(vec![self.mounted.clone()], Duration::from_secs(600));
        let readiness = Readiness::new(&self.around.lifecycle);
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        server
            .start(listener, &self.around, &readiness)
            .await
            .unwrap()
    }

    /// Writes the file of a webhook's endpoint.
    pub(crate) fn write_endpoint(&self, name: &str, file: &serde_json::Value) {
        let folder = webhooks(self.directory.path());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.json")), file.to_string()).unwrap();
    }

    /// A new tenant that follows the real clock, and a key that may do everything with it.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        self.tenant_as(pb::Tenant {
            name: name.to_owned(),
            ..plain_tenant()
        })
        .await
    }

    pub(crate) async fn tenant_as(&self, asked: pb::Tenant) -> Tenant {
        let operator = self.by(&self.operator);
        let request = pb::CreateTenantRequest {
            tenant: Some(asked),
            request_id: request_id(),
        };
        let tenant = operator
            .tenants()
            .create_tenant(request)
            .await
            .unwrap()
            .into_inner()
            .tenant
            .unwrap();
        let key = self
            .key(&operator, &tenant.tenant_id, &[pb::Scope::Admin])
            .await;
        Tenant {
            id: tenant.tenant_id,
            clients: self.by(&key),
            key,
        }
    }

    /// A new key, made by `maker`.
    pub(crate) async fn key(&self, maker: &Clients, tenant: &str, scopes: &[pb::Scope]) -> Key {
        let key = pb::Key {
            tenant_id: tenant.to_owned(),
            scopes: scopes.iter().map(|scope| i32::from(*scope)).collect(),
            title: "test".to_owned(),
            ..pb::Key::default()
        };
        let request = pb::CreateKeyRequest {
            key: Some(key),
            request_id: request_id(),
        };
        let made = maker
            .access()
            .create_key(request)
            .await
            .unwrap()
            .into_inner();
        Key::parse(&made.secret).unwrap()
    }

    fn options(&self, key: &Key) -> LinkOptions {
        LinkOptions::new(LIMITS.default_deadline, Meters::none()).with_key(key)
    }
}

/// What the service is made of over a store.
fn deps(
    store: &Embedded,
    around: &Surroundings,
    clock: Clock,
    (limits, webhook_dir): (Limits, PathBuf),
    wrap: impl FnOnce(Arc<dyn Facts>) -> Arc<dyn Facts>,
) -> Deps {
    Deps {
        facts: wrap(store.ingestion()),
        feed: store.ingestion(),
        tenants: store.ingestion(),
        keys: store.ingestion(),
        accounts: store.ingestion(),
        places: store.ingestion(),
        intake: store.ingestion(),
        authenticator: Arc::clone(&around.authenticator),
        clock,
        pager: Pager::new(b"test"),
        meters: Meters::none(),
        limits,
        webhook_dir: Some(webhook_dir),
    }
}

/// Where the endpoints of webhooks are, beside the store.
fn webhooks(directory: &Path) -> PathBuf {
    directory.join("webhooks")
}

/// A tenant and what its key opens.
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) key: Key,
    pub(crate) clients: Clients,
}

impl Tenant {
    /// The id as the feed has it.
    pub(crate) fn id_bytes(&self) -> Vec<u8> {
        Uuid::parse_str(&self.id).unwrap().into_bytes().to_vec()
    }

    /// Sends one batch.
    pub(crate) async fn send(&self, records: Vec<pb::Record>) -> pb::IngestBatchResponse {
        let request = pb::IngestBatchRequest {
            records,
            ..pb::IngestBatchRequest::default()
        };
        self.clients
            .ingestion()
            .ingest_batch(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Opens an import.
    pub(crate) async fn start_import(&self) {
        let request = pb::StartImportRequest {
            request_id: request_id(),
        };
        let mut client = self.clients.tenants();
        client.start_import(request).await.unwrap();
    }

    /// Sends one batch and tells the verdicts, such as "ACCEPTED" and "REJECTED id FIELD_MISSING".
    pub(crate) async fn verdicts(&self, records: Vec<pb::Record>) -> Vec<String> {
        self.send(records).await.verdicts.iter().map(told).collect()
    }

    /// One source.
    pub(crate) async fn source(&self, source: &str) -> pb::Source {
        let mut client = self.clients.sources();
        let request = pb::ListSourcesRequest::default();
        let listed = client.list_sources(request).await.unwrap().into_inner();
        let found = listed.sources.into_iter().find(|one| one.source == source);
        found.unwrap_or_default()
    }

    /// The counts of one source as [accepted, duplicate, conflict, held, rejected].
    pub(crate) async fn counts(&self, source: &str) -> [u64; 5] {
        let found = self.source(source).await;
        [
            found.accepted,
            found.duplicate,
            found.conflict,
            found.held,
            found.rejected,
        ]
    }
}

/// A verdict in words.
pub(crate) fn told(verdict: &pb::Verdict) -> String {
    let kind = verdict
        .kind()
        .as_str_name()
        .trim_start_matches("VERDICT_KIND_");
    match &verdict.rejection {
        Some(rejection) => format!("{kind} {} {}", rejection.field, rejection.reason),
        None => kind.to_owned(),
    }
}

/// All clients over one link.
#[derive(Debug, Clone)]
pub(crate) struct Clients(pub(crate) Link);

impl Clients {
    pub(crate) fn ingestion(&self) -> IngestionServiceClient<Link> {
        IngestionServiceClient::new(self.0.clone())
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Link> {
        AccountServiceClient::new(self.0.clone())
    }

    pub(crate) fn sources(&self) -> SourceServiceClient<Link> {
        SourceServiceClient::new(self.0.clone())
    }

    pub(crate) fn tenants(&self) -> TenantServiceClient<Link> {
        TenantServiceClient::new(self.0.clone())
    }

    pub(crate) fn access(&self) -> AccessServiceClient<Link> {
        AccessServiceClient::new(self.0.clone())
    }

    pub(crate) fn feed(&self) -> FeedServiceClient<Link> {
        FeedServiceClient::new(self.0.clone())
    }
}

/// A tenant in UTC that reports in USD.
pub(crate) fn plain_tenant() -> pb::Tenant {
    pb::Tenant {
        name: "acme".to_owned(),
        time_zone: "UTC".to_owned(),
        base_currency: "USD".to_owned(),
        slices: 1,
        ..pb::Tenant::default()
    }
}

pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// The reason that a refused call carries.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    sextant_wire::status::reason_of(&status).unwrap_or_else(|| format!("no reason: {status:?}"))
}

/// A test that would wait for ever fails instead.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("still waiting after 20 s")
}
