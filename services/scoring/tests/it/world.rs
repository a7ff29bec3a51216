//! A scoring service between ingestion's feed and its store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tonic::{Request, Status, Streaming};

use sextant_domain::id::{ExternalId, Slice, TenantId};
use sextant_domain::position::Position;
use sextant_proto::common::v1::{Date, EntityKind, EntityRef, ReadAt};
use sextant_proto::scoring::v1 as pb;
use sextant_proto::scoring::v1::clock_service_client::ClockServiceClient;
use sextant_proto::scoring::v1::feed_service_client::FeedServiceClient;
use sextant_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use sextant_proto::{ingestion, methods};
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
use sextant_scoring::{Deps, part};
use sextant_store::embedded::Embedded;
use sextant_store::port::Scoring as ScoringPort;
use sextant_wire::page::Pager;

use crate::facts::{instant, on};
use crate::upstream::Ingestion;

pub(crate) const ACME: TenantId = TenantId(0x0198_0000_0000_7000_8000_0000_0000_0001);

/// Where the tenant's clock stands at first.
pub(crate) const NOW: &str = "2027-03-10 12:00";

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

/// Ingestion, and the store of scoring. Scoring itself is started by [`World::start`], any number of times.
pub(crate) struct World {
    pub(crate) ingestion: Ingestion,
    pub(crate) hand: ManualClock,
    clock: Clock,
    pub(crate) store: Embedded,
    n_slices: u16,
    service_key: Key,
    upstream: Lifecycle,
    _directory: TempDir,
}

impl World {
    /// One tenant in dollars and UTC, whose clock stands still at [`NOW`].
    pub(crate) fn new() -> Self {
        Self::with(1, on(NOW))
    }

    pub(crate) fn with(n_slices: u16, fixed_clock: Option<prost_types::Timestamp>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(instant(NOW));
        let world = Self {
            ingestion: Ingestion::default(),
            hand,
            clock,
            store: Embedded::open(directory.path()).unwrap(),
            n_slices,
            service_key: Key::generate().unwrap(),
            upstream: Lifecycle::new(),
            _directory: directory,
        };
        world
            .ingestion
            .put_tenant(ACME, tenant(n_slices, fixed_clock));
        world
    }

    /// As [`World::new`], with a policy for equal values.
    pub(crate) fn with_ties(rfm_tie_policy: ingestion::v1::RfmTiePolicy) -> Self {
        let world = Self::new();
        let tenant = ingestion::v1::Tenant {
            rfm_tie_policy: rfm_tie_policy.into(),
            ..tenant(1, on(NOW))
        };
        world.ingestion.put_tenant(ACME, tenant);
        world
    }

    /// Stores facts in one entry of the first slice; returns the position that covers them.
    pub(crate) fn facts(&self, facts: Vec<ingestion::v1::StoredFact>) -> String {
        self.entry(ingestion::v1::FeedEntry {
            facts,
            ..ingestion::v1::FeedEntry::default()
        })
    }

    /// One more tenant like the first.
    pub(crate) fn put_tenant(&self, id: TenantId) {
        self.ingestion.put_tenant(id, tenant(1, on(NOW)));
    }

    /// Stores facts of another tenant in one entry.
    pub(crate) fn facts_in(&self, tenant: TenantId, facts: Vec<ingestion::v1::StoredFact>) {
        let entry = ingestion::v1::FeedEntry {
            facts,
            ..ingestion::v1::FeedEntry::default()
        };
        self.ingestion.append(tenant, Slice(0), entry);
    }

    /// Stores facts of one account in its own slice.
    pub(crate) fn facts_of(&self, account: &str, facts: Vec<ingestion::v1::StoredFact>) {
        let entry = ingestion::v1::FeedEntry {
            facts,
            ..ingestion::v1::FeedEntry::default()
        };
        self.ingestion.append(ACME, self.slice_of(account), entry);
    }

    pub(crate) fn slice_of(&self, account: &str) -> Slice {
        Slice::of_account(&ExternalId::parse(account).unwrap(), self.n_slices)
    }

    /// Moves the fixed clock, in all slices.
    pub(crate) fn advance(&self, to: &str) -> String {
        self.everywhere(&ingestion::v1::FeedEntry {
            clock: on(to),
            ..ingestion::v1::FeedEntry::default()
        })
    }

    /// One slice hears that the fixed clock has moved; returns the position that covers it.
    pub(crate) fn advance_in(&self, slice: Slice, to: &str) -> String {
        let entry = ingestion::v1::FeedEntry {
            clock: on(to),
            ..ingestion::v1::FeedEntry::default()
        };
        let sequence = self.ingestion.append(ACME, slice, entry);
        Position::new(vec![(slice, sequence)]).encode(ACME)
    }

    /// Opens an import, in all slices.
    pub(crate) fn open_import(&self) -> String {
        self.import(false, 0)
    }

    /// Completes an import, in all slices.
    pub(crate) fn complete_import(&self, history: ingestion::v1::HistorySchedule) -> String {
        self.import(true, history.into())
    }

    fn import(&self, completed: bool, history: i32) -> String {
        self.everywhere(&ingestion::v1::FeedEntry {
            import: Some(ingestion::v1::ImportMark { completed, history }),
            ..ingestion::v1::FeedEntry::default()
        })
    }

    fn entry(&self, entry: ingestion::v1::FeedEntry) -> String {
        position(self.ingestion.append(ACME, Slice(0), entry))
    }

    fn everywhere(&self, entry: &ingestion::v1::FeedEntry) -> String {
        let slices: Vec<Slice> = (0..self.n_slices).map(Slice).collect();
        Position::new(self.ingestion.append_to(ACME, &slices, entry)).encode(ACME)
    }

    /// Starts scoring over the store.
    pub(crate) fn start(&self) -> Scoring {
        self.start_over(self.store.scoring())
    }

    /// Starts scoring over the store behind something else.
    pub(crate) fn start_over(&self, scoring: Arc<dyn ScoringPort>) -> Scoring {
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
        let deps = Deps {
            scoring,
            replica: self.store.scoring(),
            feed: self.store.scoring(),
            ingestion: self.link(facts, &self.upstream),
            clock: self.clock.clone(),
            room: ROOM,
            pager: Pager::new(b"test"),
            meters: Meters::none(),
        };
        Scoring {
            link: self.link(part(deps), &lifecycle),
            lifecycle,
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

fn tenant(n_slices: u16, fixed_clock: Option<prost_types::Timestamp>) -> ingestion::v1::Tenant {
    ingestion::v1::Tenant {
        time_zone: "UTC".to_owned(),
        base_currency: "USD".to_owned(),
        slices: n_slices.into(),
        fixed_clock,
        ..ingestion::v1::Tenant::default()
    }
}

/// The position of an entry of the first slice.
pub(crate) fn position(sequence: u64) -> String {
    Position::new(vec![(Slice(0), sequence)]).encode(ACME)
}

/// A running scoring service.
pub(crate) struct Scoring {
    link: Link,
    lifecycle: Lifecycle,
}

impl Scoring {
    /// Stops the followers.
    pub(crate) fn stop(self) {
        self.lifecycle.stop().cancel();
    }

    pub(crate) fn client(&self) -> ScoringServiceClient<Link> {
        ScoringServiceClient::new(self.link.clone())
    }

    pub(crate) async fn features(
        &self,
        account: &str,
        at: Option<ReadAt>,
    ) -> Result<pb::GetFeaturesResponse, Status> {
        let account = Some(account_ref(account));
        let request = about(pb::GetFeaturesRequest { account, at });
        Ok(self.client().get_features(request).await?.into_inner())
    }

    pub(crate) async fn scores(
        &self,
        account: &str,
        at: Option<ReadAt>,
    ) -> Result<pb::GetScoresResponse, Status> {
        let account = Some(account_ref(account));
        let request = about(pb::GetScoresRequest { account, at });
        Ok(self.client().get_scores(request).await?.into_inner())
    }

    pub(crate) async fn clock(&self) -> pb::GetClockResponse {
        self.clock_at("").await
    }

    /// The clock as it is known once a position is reached.
    pub(crate) async fn clock_at(&self, position: &str) -> pb::GetClockResponse {
        let mut client = ClockServiceClient::new(self.link.clone());
        let request = pb::GetClockRequest {
            at_least_position: position.to_owned(),
        };
        let answer = client.get_clock(about(request)).await;
        answer.unwrap().into_inner()
    }

    /// All models, newest first.
    pub(crate) async fn models(&self) -> Vec<pb::Model> {
        let request = pb::ListModelsRequest {
            page_size: 1000,
            page_token: String::new(),
        };
        let answer = self.client().list_models(about(request)).await.unwrap();
        answer.into_inner().models
    }

    /// How the feeds grow, as followers hear it.
    pub(crate) async fn heads(&self) -> Streaming<pb::WatchHeadsResponse> {
        let mut client = FeedServiceClient::new(self.link.clone());
        let heads = client.watch_heads(pb::WatchHeadsRequest {}).await;
        heads.unwrap().into_inner()
    }

    /// The whole feed of a slice.
    pub(crate) async fn feed(&self, slice: Slice) -> Vec<pb::Evaluation> {
        let mut client = FeedServiceClient::new(self.link.clone());
        let mut all: Vec<pb::Evaluation> = Vec::new();
        loop {
            let request = pb::ReadEvaluationsRequest {
                tenant_id: ACME.0.to_be_bytes().to_vec().into(),
                slice: slice.0.into(),
                after_sequence: all.last().map_or(0, |last| last.sequence),
            };
            let answer = client.read_evaluations(request).await.unwrap().into_inner();
            assert_eq!(answer.time_zone, "UTC");
            assert_eq!(answer.base_currency, "USD");
            if answer.evaluations.is_empty() {
                return all;
            }
            all.extend(answer.evaluations);
        }
    }

    /// Features of a slice as the messages that carry them.
    pub(crate) async fn columns(&self, slice: Slice, closed_on: Option<Date>) -> Vec<Bytes> {
        let request = pb::ReadColumnsRequest {
            slice: slice.0.into(),
            closed_on,
            ..pb::ReadColumnsRequest::default()
        };
        let messages = self.read_columns(request).await.into_iter();
        messages.map(|message| message.arrow_ipc).collect()
    }

    /// Features of accounts of the first slice as of closes as they are known now, each with its close.
    pub(crate) async fn columns_of_late(
        &self,
        late: Vec<pb::LateAccount>,
        late_closes: Vec<Date>,
    ) -> Vec<pb::ReadColumnsResponse> {
        self.read_columns(pb::ReadColumnsRequest {
            late,
            late_closes,
            ..pb::ReadColumnsRequest::default()
        })
        .await
    }

    /// Features of accounts, as anybody asks for them.
    pub(crate) async fn read_columns(
        &self,
        request: pb::ReadColumnsRequest,
    ) -> Vec<pb::ReadColumnsResponse> {
        self.ask_for_columns(request).await.unwrap()
    }

    /// The same, where they may be refused.
    pub(crate) async fn ask_for_columns(
        &self,
        request: pb::ReadColumnsRequest,
    ) -> Result<Vec<pb::ReadColumnsResponse>, Status> {
        let mut client = FeedServiceClient::new(self.link.clone());
        let request = pb::ReadColumnsRequest {
            tenant_id: ACME.0.to_be_bytes().to_vec().into(),
            ..request
        };
        let stream = client.read_columns(request).await?.into_inner();
        stream.try_collect().await
    }
}

pub(crate) fn account_ref(account: &str) -> EntityRef {
    EntityRef {
        kind: EntityKind::Account.into(),
        id: account.to_owned(),
    }
}

/// A request about the tenant.
pub(crate) fn about<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let tenant = uuid::Uuid::from_u128(ACME.0).to_string();
    request
        .metadata_mut()
        .insert(TENANT_HEADER, tenant.parse().unwrap());
    request
}

/// Everything up to a position.
pub(crate) fn at(position: &str) -> Option<ReadAt> {
    Some(ReadAt {
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    })
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    sextant_wire::status::reason_of(&answer.unwrap_err()).unwrap()
}

/// A feature's value as text; empty where it is unknown.
pub(crate) fn value(features: &[pb::Feature], name: &str) -> String {
    use pb::feature::Value;
    let feature = features.iter().find(|feature| feature.name == name);
    match feature.unwrap().value.as_ref() {
        None => String::new(),
        Some(Value::Integer(integer)) => integer.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Time(at)) => sextant_wire::time::instant(at).unwrap().to_string(),
    }
}
