//! The service as a part of a process.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tonic::codec::CompressionEncoding::Gzip;

use sextant_proto::ingestion::v1::access_service_server::AccessServiceServer;
use sextant_proto::ingestion::v1::account_service_server::AccountServiceServer;
use sextant_proto::ingestion::v1::feed_service_server::FeedServiceServer;
use sextant_proto::ingestion::v1::ingestion_service_server::IngestionServiceServer;
use sextant_proto::ingestion::v1::source_service_server::SourceServiceServer;
use sextant_proto::ingestion::v1::tenant_service_server::TenantServiceServer;
use sextant_proto::methods;
use sextant_runtime::auth::{Access, Authenticator, MethodTable, Scope};
use sextant_runtime::clock::Clock;
use sextant_runtime::config;
use sextant_runtime::heads::sweep;
use sextant_runtime::server::{Handler, Part};
use sextant_runtime::telemetry::Meters;
use sextant_store::port::{Accounts, Facts, Feed, Intake, Keys, Places, Tenants};
use sextant_wire::page::Pager;

use crate::service::{Service, Shared};
use crate::{handlers, places};

/// Records that a stream's client may send beyond the acknowledged ones: two batches, so that the next one is on its way
/// while one is stored.
pub const DEFAULT_CREDIT_RECORDS: u32 = 20_000;

/// How much is taken in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records of one batch.
    pub max_batch_records: usize,
    /// Bytes of one message.
    pub max_batch_bytes: usize,
    /// Records that a stream may hold unacknowledged.
    pub credit_records: u32,
    /// Bytes of records that all streams together may have sent and not stored yet; one tenant's may have a quarter.
    pub max_waiting_bytes: usize,
    /// Age up to which records are taken, in days, of tenants that name none.
    pub default_retention_days: u32,
}

impl From<&config::Ingest> for Limits {
    fn from(config: &config::Ingest) -> Self {
        let max_batch_records = usize::try_from(config.max_batch_records).unwrap_or(usize::MAX);
        Self {
            max_batch_records,
            max_batch_bytes: usize::try_from(config.max_batch_bytes).unwrap_or(usize::MAX),
            // A batch of the greatest size must fit.
            credit_records: DEFAULT_CREDIT_RECORDS.max(config.max_batch_records.saturating_mul(2)),
            max_waiting_bytes: usize::try_from(config.max_waiting_bytes).unwrap_or(usize::MAX),
            default_retention_days: config.retention_days,
        }
    }
}

/// What the service is made of.
#[derive(Debug)]
pub struct Deps {
    /// Stores facts.
    pub facts: Arc<dyn Facts>,
    /// The feed of what was stored.
    pub feed: Arc<dyn Feed>,
    /// Tenants.
    pub tenants: Arc<dyn Tenants>,
    /// API keys.
    pub keys: Arc<dyn Keys>,
    /// Accounts and the facts about them.
    pub accounts: Arc<dyn Accounts>,
    /// Where users, and what other systems know, belong.
    pub places: Arc<dyn Places>,
    /// What has come in.
    pub intake: Arc<dyn Intake>,
    /// Whose remembered keys are forgotten when they are revoked here: the one of the [`Surroundings`].
    ///
    /// [`Surroundings`]: sextant_runtime::server::Surroundings
    pub authenticator: Arc<Authenticator>,
    /// The real clock.
    pub clock: Clock,
    /// Makes page tokens; all replicas share its secret.
    pub pager: Pager,
    /// Where measurements go.
    pub meters: Meters,
    /// How much is taken in.
    pub limits: Limits,
    /// Directory of the endpoints of webhooks; `None`: there are none.
    pub webhook_dir: Option<PathBuf>,
}

const READ: Access = Access::Scope(Scope::Read);
const INGEST: Access = Access::Scope(Scope::Ingest);
const ADMIN: Access = Access::Scope(Scope::Admin);
/// Only for Sextant's own services.
const SERVICE: Access = Access::Scope(Scope::Service);

const METHODS: [(&str, Access); 25] = [
    (
        "/sextant.ingestion.v1.IngestionService/Ingest",
        Access::Stream(Scope::Ingest),
    ),
    ("/sextant.ingestion.v1.IngestionService/IngestBatch", INGEST),
    (
        "/sextant.ingestion.v1.IngestionService/ListRejections",
        READ,
    ),
    (
        "/sextant.ingestion.v1.IngestionService/ReplayRejections",
        INGEST,
    ),
    ("/sextant.ingestion.v1.IngestionService/ListHeld", READ),
    ("/sextant.ingestion.v1.SourceService/ListSources", READ),
    ("/sextant.ingestion.v1.SourceService/ListEventTypes", READ),
    ("/sextant.ingestion.v1.AccountService/GetAccount", READ),
    ("/sextant.ingestion.v1.AccountService/GetHierarchy", READ),
    ("/sextant.ingestion.v1.AccountService/ListAccounts", READ),
    ("/sextant.ingestion.v1.AccountService/ListInvoices", READ),
    ("/sextant.ingestion.v1.AccountService/ListPayments", READ),
    ("/sextant.ingestion.v1.AccountService/ListTimeline", READ),
    ("/sextant.ingestion.v1.TenantService/CreateTenant", ADMIN),
    (
        "/sextant.ingestion.v1.TenantService/GetTenant",
        Access::AnyScope,
    ),
    ("/sextant.ingestion.v1.TenantService/ListTenants", READ),
    ("/sextant.ingestion.v1.TenantService/StartImport", INGEST),
    ("/sextant.ingestion.v1.TenantService/CompleteImport", INGEST),
    ("/sextant.ingestion.v1.TenantService/AdvanceClock", ADMIN),
    ("/sextant.ingestion.v1.AccessService/CreateKey", ADMIN),
    ("/sextant.ingestion.v1.AccessService/ListKeys", ADMIN),
    ("/sextant.ingestion.v1.AccessService/RevokeKey", ADMIN),
    ("/sextant.ingestion.v1.AccessService/ResolveKey", SERVICE),
    ("/sextant.ingestion.v1.FeedService/WatchHeads", SERVICE),
    ("/sextant.ingestion.v1.FeedService/ReadFacts", SERVICE),
];

/// The paths of Segment's API, and the kind of message that comes to each; none: a batch of any. Scope: ingest.
const SEGMENT: [(&str, Option<&str>); 7] = [
    ("/v1/batch", None),
    ("/v1/identify", Some("identify")),
    ("/v1/group", Some("group")),
    ("/v1/track", Some("track")),
    ("/v1/page", Some("page")),
    ("/v1/screen", Some("screen")),
    ("/v1/alias", Some("alias")),
];

/// Where events in the format of CloudEvents come. Scope: ingest.
const CLOUDEVENTS: &str = "/v1/cloudevents";

/// The ingestion service: its six gRPC services, and the task that finds what other replicas have committed.
#[must_use]
pub fn part(deps: Deps) -> Part {
    let max_bytes = deps.limits.max_batch_bytes;
    let shared = Arc::new(Shared::new(deps));
    let heads = Arc::clone(&shared.heads);
    let service = Service(Arc::clone(&shared));
    let ingestion = IngestionServiceServer::new(service.clone())
        .max_decoding_message_size(max_bytes)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let accounts = AccountServiceServer::new(service.clone())
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let doors = SEGMENT.map(|(path, _)| (path, INGEST));
    let doors = doors.into_iter().chain([
        (CLOUDEVENTS, INGEST),
        (handlers::stripe::PATH, Access::Public),
    ]);
    let table: Vec<_> = METHODS.into_iter().chain(doors).collect();
    let part = Part::new("ingestion", MethodTable::new(&table));
    let part = SEGMENT.into_iter().fold(part, |part, (path, kind)| {
        part.door(path, max_bytes, segment(&shared, kind))
    });
    let part = part.door(CLOUDEVENTS, max_bytes, cloudevents(&shared));
    let part = part.door(handlers::stripe::PATH, max_bytes, stripe(&shared));
    part.service(ingestion, methods::INGESTION_INGESTION_SERVICE)
        .service(accounts, methods::INGESTION_ACCOUNT_SERVICE)
        .service(
            SourceServiceServer::new(service.clone()),
            methods::INGESTION_SOURCE_SERVICE,
        )
        .service(
            TenantServiceServer::new(service.clone()),
            methods::INGESTION_TENANT_SERVICE,
        )
        .service(
            AccessServiceServer::new(service.clone()),
            methods::INGESTION_ACCESS_SERVICE,
        )
        .service(
            FeedServiceServer::new(service),
            methods::INGESTION_FEED_SERVICE,
        )
        .task("ingestion-heads", |stop| async move {
            sweep(|| heads.refresh(), stop).await;
        })
        .task("ingestion-places", |stop| places::follow(shared, stop))
}

fn cloudevents(shared: &Arc<Shared>) -> Handler {
    let shared = Arc::clone(shared);
    Arc::new(move |knock| handlers::cloudevents::handle(Arc::clone(&shared), knock).boxed())
}

fn stripe(shared: &Arc<Shared>) -> Handler {
    let shared = Arc::clone(shared);
    Arc::new(move |knock| handlers::stripe::handle(Arc::clone(&shared), knock).boxed())
}

fn segment(shared: &Arc<Shared>, kind: Option<&'static str>) -> Handler {
    let shared = Arc::clone(shared);
    Arc::new(move |knock| handlers::segment::handle(Arc::clone(&shared), kind, knock).boxed())
}

#[cfg(test)]
mod tests;
