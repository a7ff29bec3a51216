//! A metrics service between its feeds and its store.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tonic::{Request, Response, Status};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;
use sextant_metrics::{Deps, part};
use sextant_proto::common::v1::ReadAt;
use sextant_proto::metrics::v1 as pb;
use sextant_proto::metrics::v1::metrics_service_client::MetricsServiceClient;
use sextant_proto::{ingestion, methods, segmentation};
use sextant_runtime::auth::{
    Access, Authenticator, Key, KeyId, KeyRecord, KeySource, KeySourceUnavailable, MethodTable,
    Scope,
};
use sextant_runtime::clock::{Clock, ManualClock};
use sextant_runtime::kept::Room;
use sextant_runtime::lifecycle::Lifecycle;
use sextant_runtime::link::{Link, LinkOptions};
use sextant_runtime::server::{Limits, Part, Surroundings};
use sextant_runtime::telemetry::Meters;
use sextant_runtime::tenant::TENANT_HEADER;
use sextant_store::embedded::Embedded;
use sextant_wire::page::Pager;

use crate::billing::{instant, on, uid};
use crate::upstream::{Ingestion, Segmentation};

pub(crate) const ACME: TenantId = TenantId(0x0198_0000_0000_7000_8000_0000_0000_0001);

/// Where the real clock stands at first.
pub(crate) const REAL: &str = "2027-06-01";

const DEADLINE: Duration = Duration::from_secs(20);

const ROOM: Room = Room {
    idle: Duration::from_secs(300),
    facts: 4_000_000,
};

struct NoKeys;

impl KeySource for NoKeys {
    fn resolve(
        &self,
        _id: KeyId,
    ) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        Box::pin(async { Ok(None) })
    }
}

/// The services before metrics, and its store. Metrics itself is started by [`World::start`], any number of times.
pub(crate) struct World {
    pub(crate) ingestion: Ingestion,
    pub(crate) segmentation: Segmentation,
    pub(crate) hand: ManualClock,
    clock: Clock,
    store: Embedded,
    service_key: Key,
    upstream: Lifecycle,
    _directory: TempDir,
}

impl World {
    /// One tenant in dollars and UTC on the real clock.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(instant(REAL));
        let world = Self {
            ingestion: Ingestion::default(),
            segmentation: Segmentation::default(),
            hand,
            clock,
            store: Embedded::open(directory.path()).unwrap(),
            service_key: Key::generate().unwrap(),
            upstream: Lifecycle::new(),
            _directory: directory,
        };
        world.tenant(ACME, ingestion::v1::Tenant::default());
        world
    }

    /// Makes a tenant; what is not set is in dollars, UTC and one slice.
    pub(crate) fn tenant(&self, id: TenantId, tenant: ingestion::v1::Tenant) {
        let or = |text: String, default: &str| {
            if text.is_empty() {
                default.to_owned()
            } else {
                text
            }
        };
        self.ingestion.put_tenant(
            id,
            ingestion::v1::Tenant {
                time_zone: or(tenant.time_zone, "UTC"),
                base_currency: or(tenant.base_currency, "USD"),
                slices: tenant.slices.max(1),
                ..tenant
            },
        );
    }

    /// Makes the tenant's clock stand still.
    pub(crate) fn fix_clock(&self, at: &str) {
        self.tenant(
            ACME,
            ingestion::v1::Tenant {
                fixed_clock: on(at),
                ..ingestion::v1::Tenant::default()
            },
        );
    }

    /// Stores facts in one entry; returns the position that covers them.
    pub(crate) fn facts(&self, facts: Vec<ingestion::v1::StoredFact>) -> String {
        self.entry(ingestion::v1::FeedEntry {
            facts,
            ..ingestion::v1::FeedEntry::default()
        })
    }

    /// Moves the fixed clock.
    pub(crate) fn advance(&self, to: &str) -> String {
        self.entry(ingestion::v1::FeedEntry {
            clock: on(to),
            ..ingestion::v1::FeedEntry::default()
        })
    }

    /// Opens or completes an import.
    pub(crate) fn import(&self, completed: bool) -> String {
        let mark = ingestion::v1::ImportMark {
            completed,
            history: 0,
        };
        self.entry(ingestion::v1::FeedEntry {
            import: Some(mark),
            ..ingestion::v1::FeedEntry::default()
        })
    }

    fn entry(&self, entry: ingestion::v1::FeedEntry) -> String {
        let sequence = self.ingestion.append(ACME, Slice(0), entry);
        position(sequence)
    }

    /// Segmentation tells of accounts that entered segments of "tier".
    pub(crate) fn moves(&self, facts_sequence: u64, at: &str, moves: &[(&str, &str)]) {
        self.move_entry(
            at,
            moves,
            segmentation::v1::MoveEntry {
                facts_sequence,
                known_at: on(at),
                ..segmentation::v1::MoveEntry::default()
            },
        );
    }

    pub(crate) fn move_entry(
        &self,
        at: &str,
        moves: &[(&str, &str)],
        entry: segmentation::v1::MoveEntry,
    ) {
        let moves = moves
            .iter()
            .map(|(account, segment)| segmentation::v1::Move {
                account_uid: sextant_wire::read::uid_bytes(uid(account)),
                segmentation: "tier".to_owned(),
                segment: (*segment).to_owned(),
                at: on(at),
                known_at: None,
                transition_id: Vec::new().into(),
            });
        self.segmentation.append(
            ACME,
            Slice(0),
            segmentation::v1::MoveEntry {
                moves: moves.collect(),
                ..entry
            },
        );
    }

    /// Starts metrics over the store.
    pub(crate) fn start(&self) -> Metrics {
        let lifecycle = Lifecycle::new();
        let watched = Access::Scope(Scope::Service);
        let facts = Part::new(
            "ingestion",
            MethodTable::new(&[
                ("/sextant.ingestion.v1.FeedService/WatchHeads", watched),
                ("/sextant.ingestion.v1.FeedService/ReadFacts", watched),
            ]),
        )
        .service(
            ingestion::v1::feed_service_server::FeedServiceServer::new(self.ingestion.clone()),
            methods::INGESTION_FEED_SERVICE,
        );
        let moves = Part::new(
            "segmentation",
            MethodTable::new(&[
                ("/sextant.segmentation.v1.FeedService/WatchHeads", watched),
                ("/sextant.segmentation.v1.FeedService/ReadMoves", watched),
            ]),
        )
        .service(
            segmentation::v1::feed_service_server::FeedServiceServer::new(
                self.segmentation.clone(),
            ),
            methods::SEGMENTATION_FEED_SERVICE,
        );
        let deps = Deps {
            metrics: self.store.metrics(),
            replica: self.store.metrics(),
            ingestion: self.link(facts, &self.upstream),
            segmentation: self.link(moves, &self.upstream),
            clock: self.clock.clone(),
            room: ROOM,
            pager: Pager::new(b"test"),
            meters: Meters::none(),
        };
        Metrics {
            client: MetricsServiceClient::new(self.link(part(deps), &lifecycle)),
            lifecycle,
            tenant: ACME,
        }
    }

    fn link(&self, part: Part, lifecycle: &Lifecycle) -> Link {
        let authenticator =
            Authenticator::new(Arc::new(NoKeys), Clock::real(), Duration::from_secs(30))
                .with_service_key(&self.service_key);
        let around = Surroundings {
            lifecycle: lifecycle.clone(),
            authenticator: Arc::new(authenticator),
            meters: Meters::none(),
            limits: Limits {
                max_in_flight: 64,
                max_queue: Duration::from_millis(20),
                default_deadline: DEADLINE,
            },
        };
        let options = LinkOptions::new(DEADLINE, Meters::none()).with_key(&self.service_key);
        part.mount(&around).unwrap().link(&options)
    }
}

/// The position of an entry of the one slice.
pub(crate) fn position(sequence: u64) -> String {
    Position::new(vec![(Slice(0), sequence)]).encode(ACME)
}

/// A running metrics service.
pub(crate) struct Metrics {
    client: MetricsServiceClient<Link>,
    lifecycle: Lifecycle,
    pub(crate) tenant: TenantId,
}

impl Metrics {
    /// Stops the followers.
    pub(crate) fn stop(self) {
        self.lifecycle.stop().cancel();
    }

    pub(crate) async fn revenue(
        &self,
        request: pb::GetRevenueRequest,
    ) -> Result<pb::GetRevenueResponse, Status> {
        let request = self.about(request);
        answer(self.client.clone().get_revenue(request).await)
    }

    pub(crate) async fn waterfall(
        &self,
        request: pb::GetWaterfallRequest,
    ) -> Result<pb::GetWaterfallResponse, Status> {
        let request = self.about(request);
        answer(self.client.clone().get_waterfall(request).await)
    }

    pub(crate) async fn churn(
        &self,
        request: pb::GetChurnRequest,
    ) -> Result<pb::GetChurnResponse, Status> {
        let request = self.about(request);
        answer(self.client.clone().get_churn(request).await)
    }

    pub(crate) async fn movements(
        &self,
        request: pb::ListMovementsRequest,
    ) -> Result<pb::ListMovementsResponse, Status> {
        let request = self.about(request);
        answer(self.client.clone().list_movements(request).await)
    }

    fn about<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let tenant = uuid::Uuid::from_u128(self.tenant.0).to_string();
        request
            .metadata_mut()
            .insert(TENANT_HEADER, tenant.parse().unwrap());
        request
    }
}

fn answer<T>(response: Result<Response<T>, Status>) -> Result<T, Status> {
    response.map(Response::into_inner)
}

/// Everything up to a position.
pub(crate) fn at(position: &str) -> Option<ReadAt> {
    Some(ReadAt {
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    })
}

/// As of a moment, once a position is reached.
pub(crate) fn as_of(moment: &str, position: &str) -> Option<ReadAt> {
    Some(ReadAt {
        as_of: on(moment),
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    })
}

/// With the knowledge of a moment, once a position is reached.
pub(crate) fn known_at(moment: &str, position: &str) -> Option<ReadAt> {
    Some(ReadAt {
        known_at: on(moment),
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    })
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    sextant_wire::status::reason_of(&answer.unwrap_err()).unwrap()
}
