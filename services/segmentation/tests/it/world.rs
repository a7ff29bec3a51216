//! A segmentation service between scoring and its store.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use prost::Message;
use prost_types::Timestamp;
use tempfile::TempDir;
use tonic::{Request, Status};
use uuid::Uuid;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;
use sextant_domain::time::{Day, Instant, Zone};
use sextant_plugin_host::{Allowance, Hosts, Plugin, discover};
use sextant_proto::common::v1::{EntityKind, EntityRef, ReadAt};
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::segmentation_service_client::SegmentationServiceClient;
use sextant_proto::segmentation::v1::segmenter_service_client::SegmenterServiceClient;
use sextant_proto::{ingestion, methods, scoring};
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
use sextant_segmentation::{Deps, Isolation, Registry, Replicas, Trust, TrustLevel, part};
use sextant_store::cache::Cache;
use sextant_store::embedded::Embedded;
use sextant_store::port::{
    Catalogue as _, EventRow, Feed, Segmentations as _, SegmenterRow, SegmenterState,
};
use sextant_wire::page::Pager;
use sextant_wire::time;

use crate::between::Between;
use crate::upstream::{Ingestion, Scoring, uid};

pub(crate) const ACME: TenantId = TenantId(0x0198_0000_0000_7000_8000_0000_0000_0001);

/// The segmentation of most tests: medium from 500, high from 2 000, strategic from 10 000 dollars a month.
pub(crate) const TIERS: &str = "tiers";

/// Where the service's own clock stands at first.
pub(crate) const START: Instant = Instant(1_800_000_000_000_000);

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

/// Scoring, and the store of segmentation. Segmentation itself is started by [`World::start`], any number of times.
pub(crate) struct World {
    pub(crate) scoring: Scoring,
    pub(crate) ingestion: Ingestion,
    pub(crate) hand: ManualClock,
    clock: Clock,
    store: Embedded,
    service_key: Key,
    upstream: Lifecycle,
    _directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(START);
        Self {
            scoring: Scoring::default(),
            ingestion: Ingestion::default(),
            hand,
            clock,
            store: Embedded::open(directory.path()).unwrap(),
            service_key: Key::generate().unwrap(),
            upstream: Lifecycle::new(),
            _directory: directory,
        }
    }

    pub(crate) fn put(&self, accounts: &[(&str, i64)]) {
        for (account, mrr_minor) in accounts {
            self.scoring.put(account, Some(*mrr_minor));
        }
    }

    /// Scoring closes a day; returns the position that covers it. Positions are numbers of scoring's entries here.
    pub(crate) fn close(&self, day: &str) -> String {
        self.tell(closing(day))
    }

    /// The same, before segmentation hears of it.
    pub(crate) fn close_unheard(&self, day: &str) {
        let entry = self.numbered(Slice(0), closing(day));
        self.scoring.tell_later(Slice(0), entry);
    }

    /// Scoring tells that accounts have changed within a day.
    pub(crate) fn change(&self, at: &str, accounts: &[(&str, i64)]) -> String {
        self.change_known(at, at, accounts)
    }

    /// A slice of a tenant that is spread is closed.
    pub(crate) fn close_in(&self, slice: Slice, day: &str) -> String {
        self.tell_of(slice, closing(day))
    }

    pub(crate) fn change_known(
        &self,
        at: &str,
        known_at: &str,
        accounts: &[(&str, i64)],
    ) -> String {
        self.put(accounts);
        let uids = accounts
            .iter()
            .map(|(account, _)| sextant_wire::read::uid_bytes(uid(account)));
        self.tell(scoring::v1::Evaluation {
            as_of: on(at),
            known_at: on(known_at),
            account_uids: uids.collect(),
            ..scoring::v1::Evaluation::default()
        })
    }

    /// Scoring of a tenant that is spread tells that an account of a slice has changed within a day.
    pub(crate) fn change_in(&self, slice: Slice, at: &str, account: (&str, i64)) -> String {
        self.put(&[account]);
        self.tell_of(
            slice,
            scoring::v1::Evaluation {
                as_of: on(at),
                known_at: on(at),
                account_uids: vec![sextant_wire::read::uid_bytes(uid(account.0))],
                ..scoring::v1::Evaluation::default()
            },
        )
    }

    /// Scoring tells of facts about closed days: since when for each account. What they show is told with `learn`.
    pub(crate) fn late(&self, at: &str, accounts: &[(&str, &str)]) -> String {
        let day = |text: &str| Day::parse(text).unwrap();
        let account_uid = |account: &str| sextant_wire::read::uid_bytes(uid(account));
        let first = accounts.iter().map(|(_, since)| day(since)).min().unwrap();
        let late = accounts
            .iter()
            .map(|(account, since)| scoring::v1::LateAccount {
                account_uid: account_uid(account),
                since: Some(time::date(day(since))),
            });
        let closes = self.scoring.closes_since(first).into_iter();
        self.tell(scoring::v1::Evaluation {
            as_of: on(at),
            known_at: on(at),
            account_uids: accounts.iter().map(|(one, _)| account_uid(one)).collect(),
            late: late.collect(),
            late_closes: closes.map(time::date).collect(),
            ..scoring::v1::Evaluation::default()
        })
    }

    /// Scoring has made closes again, from a day on: what they show is told with `restate`.
    pub(crate) fn restated(&self, at: &str, accounts: &[&str], since: &str) -> String {
        let since = Day::parse(since).unwrap();
        let late = accounts.iter().map(|account| scoring::v1::LateAccount {
            account_uid: sextant_wire::read::uid_bytes(uid(account)),
            since: Some(time::date(since)),
        });
        let closes = self.scoring.closes_since(since).into_iter();
        self.tell(scoring::v1::Evaluation {
            as_of: on(at),
            known_at: on(at),
            late: late.collect(),
            late_closes: closes.map(time::date).collect(),
            restated: true,
            backfilling: true,
            ..scoring::v1::Evaluation::default()
        })
    }

    /// Scoring ends what it tells of closes with the present, of which it tells for everyone.
    pub(crate) fn present(&self, at: &str) -> String {
        self.tell(scoring::v1::Evaluation {
            as_of: on(at),
            known_at: on(at),
            all_accounts: true,
            ..scoring::v1::Evaluation::default()
        })
    }

    pub(crate) fn tell(&self, entry: scoring::v1::Evaluation) -> String {
        self.tell_of(Slice(0), entry)
    }

    fn tell_of(&self, slice: Slice, entry: scoring::v1::Evaluation) -> String {
        let entry = self.numbered(slice, entry);
        Position::new(vec![(slice, self.scoring.tell(slice, entry))]).encode(ACME)
    }

    fn numbered(&self, slice: Slice, entry: scoring::v1::Evaluation) -> scoring::v1::Evaluation {
        scoring::v1::Evaluation {
            facts_sequence: self.scoring.n_entries(slice) + 1,
            watermark: entry.as_of,
            ..entry
        }
    }

    /// Which segmentations are behind a slice after the last entry that metrics follows.
    pub(crate) async fn told_behind(&self, slice: Slice) -> Vec<String> {
        let feed = self.store.segmentation();
        let entries = feed.entries(ACME, slice, 0, 1_000).await.unwrap();
        let last = entries.last().unwrap();
        pb::MoveEntry::decode(&*last.payload).unwrap().behind
    }

    /// Another process takes a version out of use, of which this one has not heard.
    pub(crate) async fn retire_unheard(&self, digest: &str) {
        let row = SegmenterRow {
            digest: digest.to_owned(),
            segmenter_id: "acme.health".to_owned(),
            version: "1.0.0".to_owned(),
            platform: String::new(),
            state: SegmenterState::Retired,
            published_at: START,
            segmenter: Vec::new(),
        };
        let event = EventRow {
            number: 0,
            at: START,
            tenant: None,
            segmenter_id: row.segmenter_id.clone(),
            segmentation: String::new(),
            revision: 0,
            event: Vec::new(),
        };
        let store = self.store.segmentation();
        store.publish(row, Vec::new(), event).await.unwrap();
    }

    /// Keeps what a proposed revision of the first segmentation is said to change.
    pub(crate) async fn report(&self, revision: u32, diff: &pb::ShadowDiff) {
        let store = self.store.segmentation();
        let kept = store.keep_shadow(ACME, 1, revision, diff.encode_to_vec());
        kept.await.unwrap();
    }

    pub(crate) fn start(&self) -> Segmentation {
        self.start_with(Vec::new())
    }

    /// Starts segmentation over the store, with caches before it.
    pub(crate) fn start_with(&self, caches: Vec<Arc<dyn Cache>>) -> Segmentation {
        self.start_behind(self.scoring.clone(), caches, built_in())
    }

    /// Starts segmentation with a segmenter that panics at 13, and where it is asked why somebody has 14.
    pub(crate) fn start_panicking(&self) -> Segmentation {
        self.start_behind(
            self.scoring.clone(),
            Vec::new(),
            Registry::new([panicking()]),
        )
    }

    /// Starts segmentation with the built-in segmenters and, if it is installed, the one that panics at 13.
    pub(crate) fn start_beside(&self, is_installed: bool) -> Segmentation {
        let plugins = discover(&built_in_folder()).into_iter().map(Result::unwrap);
        let registry = Registry::new(plugins.chain(is_installed.then(panicking)));
        self.start_behind(self.scoring.clone(), Vec::new(), registry)
    }

    /// Starts the real scoring over ingestion's feed.
    pub(crate) fn start_scoring(&self) -> Link {
        let deps = sextant_scoring::Deps {
            scoring: self.store.scoring(),
            replica: self.store.scoring(),
            feed: self.store.scoring(),
            ingestion: self.link(self.facts(), &self.upstream),
            clock: self.clock.clone(),
            room: ROOM,
            pager: Pager::new(b"test"),
            meters: Meters::none(),
        };
        self.link(sextant_scoring::part(deps), &self.upstream)
    }

    /// Starts segmentation behind the real scoring.
    pub(crate) fn start_between(&self, between: &Between) -> Segmentation {
        self.start_behind(between.clone(), Vec::new(), built_in())
    }

    fn start_behind<S>(
        &self,
        scoring: S,
        caches: Vec<Arc<dyn Cache>>,
        registry: Registry,
    ) -> Segmentation
    where
        S: scoring::v1::feed_service_server::FeedService
            + scoring::v1::clock_service_server::ClockService
            + Clone,
    {
        let lifecycle = Lifecycle::new();
        let watched = Access::Scope(Scope::Service);
        let scores = Part::new(
            "scoring",
            MethodTable::new(&[
                ("/sextant.scoring.v1.FeedService/WatchHeads", watched),
                ("/sextant.scoring.v1.FeedService/ReadEvaluations", watched),
                ("/sextant.scoring.v1.FeedService/ReadColumns", watched),
                ("/sextant.scoring.v1.ClockService/GetClock", watched),
            ]),
        )
        .service(
            scoring::v1::feed_service_server::FeedServiceServer::new(scoring.clone()),
            methods::SCORING_FEED_SERVICE,
        )
        .service(
            scoring::v1::clock_service_server::ClockServiceServer::new(scoring),
            methods::SCORING_CLOCK_SERVICE,
        );
        let deps = Deps {
            memberships: self.store.segmentation(),
            segmentations: self.store.segmentation(),
            catalogue: self.store.segmentation(),
            isolation: Isolation {
                hosts: Hosts::of_this_program().unwrap(),
                allowance: Allowance::default(),
                trust: Trust {
                    level: TrustLevel::Open,
                    file: None,
                },
                token_dir: None,
                watched_dir: None,
                replicas: Replicas::Alone,
            },
            feed: self.store.segmentation(),
            caches,
            registry,
            scoring: self.link(scores, &self.upstream),
            ingestion: self.link(self.facts(), &self.upstream),
            clock: self.clock.clone(),
            room: ROOM,
            pager: Pager::new(b"test"),
            meters: Meters::none(),
        };
        let link = self.link(part(deps), &lifecycle);
        Segmentation {
            client: SegmentationServiceClient::new(link.clone()),
            segmenters: SegmenterServiceClient::new(link),
            lifecycle,
        }
    }

    fn facts(&self) -> Part {
        let watched = Access::Scope(Scope::Service);
        Part::new(
            "ingestion",
            MethodTable::new(&[
                ("/sextant.ingestion.v1.FeedService/WatchHeads", watched),
                ("/sextant.ingestion.v1.FeedService/ReadFacts", watched),
            ]),
        )
        .service(
            ingestion::v1::feed_service_server::FeedServiceServer::new(self.ingestion.clone()),
            methods::INGESTION_FEED_SERVICE,
        )
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

fn closing(day: &str) -> scoring::v1::Evaluation {
    scoring::v1::Evaluation {
        as_of: end_of(day),
        known_at: end_of(day),
        closed_on: Some(time::date(Day::parse(day).unwrap())),
        all_accounts: true,
        ..scoring::v1::Evaluation::default()
    }
}

fn built_in() -> Registry {
    let plugins = discover(&built_in_folder()).into_iter();
    Registry::new(plugins.map(Result::unwrap))
}

fn panicking() -> Plugin {
    Plugin::load(&built_in_folder().join("libsextant_fixture_panicking.so")).unwrap()
}

/// The folder with the `.so` files of the dev-dependencies: where this binary is.
pub(crate) fn built_in_folder() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// A running segmentation service.
pub(crate) struct Segmentation {
    pub(crate) client: SegmentationServiceClient<Link>,
    pub(crate) segmenters: SegmenterServiceClient<Link>,
    lifecycle: Lifecycle,
}

impl Segmentation {
    /// Stops the followers.
    pub(crate) fn stop(&self) {
        self.lifecycle.stop().cancel();
    }

    /// Makes [`TIERS`].
    pub(crate) async fn create_tiers(&self) -> pb::Segmentation {
        self.create(TIERS, "sextant.value_tiers", r#"{"mode":"cut_points"}"#)
            .await
            .unwrap()
    }

    pub(crate) async fn create(
        &self,
        key: &str,
        segmenter_id: &str,
        config: &str,
    ) -> Result<pb::Segmentation, Status> {
        let request = pb::CreateSegmentationRequest {
            request_id: Uuid::now_v7().to_string(),
            ..creation(key, segmenter_id, config)
        };
        self.create_with(request).await
    }

    pub(crate) async fn create_with(
        &self,
        request: pb::CreateSegmentationRequest,
    ) -> Result<pb::Segmentation, Status> {
        let mut client = self.client.clone();
        let answer = client.create_segmentation(about(request)).await?;
        Ok(answer.into_inner().segmentation.unwrap())
    }

    pub(crate) async fn membership(
        &self,
        account: &str,
        at: Option<ReadAt>,
    ) -> Result<pb::Membership, Status> {
        let request = pb::GetMembershipRequest {
            account: Some(account_ref(account)),
            segmentation: TIERS.to_owned(),
            at,
        };
        let answer = self.client.clone().get_membership(about(request)).await?;
        Ok(answer.into_inner().membership().unwrap())
    }

    /// The segment of an account in [`TIERS`].
    pub(crate) async fn segment(&self, account: &str, at: Option<ReadAt>) -> String {
        self.membership(account, at).await.unwrap().segment
    }

    /// Transitions of an account, newest first.
    pub(crate) async fn transitions(
        &self,
        account: &str,
        at: Option<ReadAt>,
    ) -> Vec<pb::Transition> {
        let request = pb::ListTransitionsRequest {
            segmentation: TIERS.to_owned(),
            account: Some(account_ref(account)),
            at,
            ..pb::ListTransitionsRequest::default()
        };
        let mut client = self.client.clone();
        let answer = client.list_transitions(about(request)).await.unwrap();
        answer.into_inner().transitions
    }
}

pub(crate) fn creation(
    key: &str,
    segmenter_id: &str,
    config: &str,
) -> pb::CreateSegmentationRequest {
    pb::CreateSegmentationRequest {
        segmentation: Some(pb::Segmentation {
            key: key.to_owned(),
            segmenter_id: segmenter_id.to_owned(),
            config: config.to_owned(),
            ..pb::Segmentation::default()
        }),
        request_id: String::new(),
        validate_only: false,
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
    let tenant = Uuid::from_u128(ACME.0).to_string();
    request
        .metadata_mut()
        .insert(TENANT_HEADER, tenant.parse().unwrap());
    request
}

/// `2027-03-15` or `2027-03-15 10:30`, in UTC.
pub(crate) fn on(text: &str) -> Option<Timestamp> {
    let (day, clock) = text.split_once(' ').unwrap_or((text, "00:00"));
    let at = Instant::parse(&format!("{day}T{clock}:00Z")).unwrap();
    Some(time::timestamp(at))
}

pub(crate) fn end_of(day: &str) -> Option<Timestamp> {
    let next = Day::parse(day).unwrap().plus(1);
    Some(time::timestamp(Zone::utc().start_of(next).plus_us(-1)))
}

/// The position of an entry of the one slice.
pub(crate) fn position(sequence: u64) -> String {
    Position::new(vec![(Slice(0), sequence)]).encode(ACME)
}

/// Everything up to a position.
pub(crate) fn at(position: &str) -> Option<ReadAt> {
    Some(ReadAt {
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    })
}

/// As of a moment.
pub(crate) fn as_of(moment: Option<Timestamp>) -> Option<ReadAt> {
    Some(ReadAt {
        as_of: moment,
        ..ReadAt::default()
    })
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    sextant_wire::status::reason_of(&answer.unwrap_err()).unwrap()
}
