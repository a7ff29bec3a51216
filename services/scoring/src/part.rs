use std::sync::Arc;

use sextant_proto::methods;
use sextant_proto::scoring::v1::clock_service_server::ClockServiceServer;
use sextant_proto::scoring::v1::feed_service_server::FeedServiceServer;
use sextant_proto::scoring::v1::scoring_service_server::ScoringServiceServer;
use sextant_runtime::auth::{Access, MethodTable, Scope};
use sextant_runtime::clock::Clock;
use sextant_runtime::follow::follow;
use sextant_runtime::heads::sweep;
use sextant_runtime::kept::Room;
use sextant_runtime::link::Link;
use sextant_runtime::server::Part;
use sextant_runtime::telemetry::Meters;
use sextant_store::port::{Feed as FeedPort, Replica, Scoring};
use sextant_wire::page::Pager;

use crate::engine::Engine;
use crate::feed::Feed;
use crate::handlers::Handlers;

/// What scoring needs.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Its own results.
    pub scoring: Arc<dyn Scoring>,
    /// What it keeps of ingestion's feed.
    pub replica: Arc<dyn Replica>,
    /// Its own feed.
    pub feed: Arc<dyn FeedPort>,
    /// The service before it, called with the services' own key.
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
        "/sextant.scoring.v1.ScoringService/GetFeatures",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.scoring.v1.ScoringService/ListFeatures",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.scoring.v1.ScoringService/GetScores",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.scoring.v1.ScoringService/ListFeatureDefinitions",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.scoring.v1.ScoringService/ListModels",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.scoring.v1.ClockService/GetClock",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.scoring.v1.FeedService/WatchHeads",
        Access::Scope(Scope::Service),
    ),
    (
        "/sextant.scoring.v1.FeedService/ReadEvaluations",
        Access::Scope(Scope::Service),
    ),
    (
        "/sextant.scoring.v1.FeedService/ReadColumns",
        Access::Scope(Scope::Service),
    ),
];

/// The scoring service, ready to be mounted.
#[must_use]
pub fn part(deps: Deps) -> Part {
    let (clock, meters) = (deps.clock.clone(), deps.meters);
    let engine = Arc::new(Engine::new(
        deps.scoring,
        deps.replica,
        deps.feed,
        deps.ingestion,
        deps.clock,
        deps.room,
    ));
    let handlers = Handlers {
        engine: Arc::clone(&engine),
        pager: deps.pager,
    };
    let cells = Arc::clone(&engine.cells);
    let (announcing, following, closing) = (
        Arc::clone(&engine),
        Arc::clone(&engine),
        Arc::clone(&engine),
    );
    Part::new("scoring", MethodTable::new(METHODS))
        .service(
            ScoringServiceServer::new(handlers.clone()),
            methods::SCORING_SCORING_SERVICE,
        )
        .service(
            ClockServiceServer::new(handlers),
            methods::SCORING_CLOCK_SERVICE,
        )
        .service(
            FeedServiceServer::new(Feed(engine)),
            methods::SCORING_FEED_SERVICE,
        )
        .task("scoring-heads", |stop| async move {
            sweep(|| announcing.find_heads(), stop).await;
        })
        .task("scoring-follow", |stop| {
            follow(following, clock, meters, stop)
        })
        .task("scoring-closes", |stop| closing.keep_closing(stop))
        .task("scoring-idle", |stop| async move {
            cells.drop_idle(stop).await;
        })
}
