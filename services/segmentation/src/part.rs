use std::sync::Arc;
use std::sync::atomic::Ordering;

use sextant_proto::methods;
use sextant_proto::segmentation::v1::feed_service_server::FeedServiceServer;
use sextant_proto::segmentation::v1::segmentation_service_server::SegmentationServiceServer;
use sextant_proto::segmentation::v1::segmenter_service_server::SegmenterServiceServer;
use sextant_runtime::auth::{Access, MethodTable, Scope};
use sextant_runtime::clock::Clock;
use sextant_runtime::follow::follow;
use sextant_runtime::heads::sweep;
use sextant_runtime::kept::Room;
use sextant_runtime::link::Link;
use sextant_runtime::server::Part;
use sextant_runtime::telemetry::{Label, Meters, Metric};
use sextant_store::cache::Cache;
use sextant_store::port::{Catalogue, Feed as FeedPort, Memberships, Segmentations};
use sextant_wire::page::Pager;

use crate::engine::{Engine, Lookups};
use crate::feed::Feed;
use crate::handlers::Handlers;
use crate::registry::Registry;
use crate::segmenters::Isolation;

/// What segmentation needs.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Memberships and transitions.
    pub memberships: Arc<dyn Memberships>,
    /// Definitions.
    pub segmentations: Arc<dyn Segmentations>,
    /// Its own feed.
    pub feed: Arc<dyn FeedPort>,
    /// Caches of point reads, the nearest first; may be empty.
    pub caches: Vec<Arc<dyn Cache>>,
    /// The segmenters that come with the program.
    pub registry: Registry,
    /// Those that were published.
    pub catalogue: Arc<dyn Catalogue>,
    /// Where those run.
    pub isolation: Isolation,
    /// The service before it, called with the services' own key.
    pub scoring: Link,
    /// The first service: how far its feed has grown.
    pub ingestion: Link,
    /// The real clock.
    pub clock: Clock,
    /// How much of the tenants is kept in memory.
    pub room: Room,
    /// Makes page tokens.
    pub pager: Pager,
    /// Where measurements go.
    pub meters: Meters,
}

const METHODS: &[(&str, Access)] = &[
    (
        "/sextant.segmentation.v1.SegmentationService/ListSegmenters",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/CreateSegmentation",
        Access::Scope(Scope::Define),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/ListSegmentations",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/ListSegments",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/GetMembership",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/ListMemberships",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/ListMembers",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/ListTransitions",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmentationService/WatchTransitions",
        Access::Stream(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/UploadSegmenter",
        Access::Scope(Scope::PluginsPublish),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/RegisterSegmenter",
        Access::Scope(Scope::PluginsPublish),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/GetSegmenter",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/ApproveSegmenter",
        Access::Scope(Scope::Admin),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/QuarantineSegmenter",
        Access::Scope(Scope::PluginsActivate),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/ReleaseSegmenter",
        Access::Scope(Scope::PluginsActivate),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/RetireSegmenter",
        Access::Scope(Scope::PluginsPublish),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/ProposeRevision",
        Access::Scope(Scope::PluginsActivate),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/GetRevision",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/ListRevisions",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/ActivateRevision",
        Access::Scope(Scope::PluginsActivate),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/RollBackRevision",
        Access::Scope(Scope::PluginsActivate),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/ListSegmenterEvents",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.segmentation.v1.SegmenterService/ListSegmenterLines",
        Access::Scope(Scope::PluginsPublish),
    ),
    (
        "/sextant.segmentation.v1.FeedService/WatchHeads",
        Access::Scope(Scope::Service),
    ),
    (
        "/sextant.segmentation.v1.FeedService/ReadMoves",
        Access::Scope(Scope::Service),
    ),
];

/// The segmentation service, ready to be mounted.
#[must_use]
pub fn part(deps: Deps) -> Part {
    let pager = deps.pager.clone();
    let (clock, meters) = (deps.clock.clone(), deps.meters.clone());
    let engine = Arc::new(Engine::new(deps));
    show(&engine.lookups, &meters);
    let handlers = Handlers {
        engine: Arc::clone(&engine),
        pager,
    };
    let cells = Arc::clone(&engine.cells);
    let [
        announcing,
        following,
        listening,
        beginning,
        supervising,
        publishing,
        living,
        shadowing,
    ] = std::array::from_fn(|_| Arc::clone(&engine));
    let published = SegmenterServiceServer::new(handlers.clone());
    Part::new("segmentation", MethodTable::new(METHODS))
        .service(
            SegmentationServiceServer::new(handlers),
            methods::SEGMENTATION_SEGMENTATION_SERVICE,
        )
        .service(published, methods::SEGMENTATION_SEGMENTER_SERVICE)
        .service(
            FeedServiceServer::new(Feed(engine)),
            methods::SEGMENTATION_FEED_SERVICE,
        )
        .task("segmentation-heads", |stop| async move {
            sweep(|| announcing.find_heads(), stop).await;
        })
        .task("segmentation-follow", |stop| {
            follow(following, clock, meters, stop)
        })
        .task("segmentation-listen", |stop| async move {
            listening.listen(stop).await;
        })
        .task("segmentation-begin", |stop| async move {
            beginning.keep_beginning(stop).await;
        })
        .task("segmentation-segmenters", |stop| async move {
            supervising.supervise(stop).await;
        })
        .task("segmentation-directory", |stop| async move {
            publishing.follow_directory(stop).await;
        })
        .task("segmentation-replica", |stop| async move {
            living.live(stop).await;
        })
        .task("segmentation-shadows", |stop| async move {
            shadowing.keep_shadows(stop).await;
        })
        .task("segmentation-idle", |stop| async move {
            cells.drop_idle(stop).await;
        })
}

fn show(lookups: &Lookups, meters: &Meters) {
    for (outcome, count) in [("hit", &lookups.hits), ("miss", &lookups.misses)] {
        let labels = [Label::Service("segmentation"), Label::Outcome(outcome)];
        let count = Arc::clone(count);
        meters.watch(Metric::CacheLookups, &labels, move || {
            count.load(Ordering::Relaxed) as f64
        });
    }
}
