use std::sync::Arc;

use sextant_proto::methods;
use sextant_proto::metrics::v1::metrics_service_server::MetricsServiceServer;
use sextant_runtime::auth::{Access, MethodTable, Scope};
use sextant_runtime::clock::Clock;
use sextant_runtime::follow::follow;
use sextant_runtime::kept::Room;
use sextant_runtime::link::Link;
use sextant_runtime::server::Part;
use sextant_runtime::telemetry::Meters;
use sextant_store::port::{Metrics, Replica};
use sextant_wire::page::Pager;

use crate::engine::Engine;
use crate::follower::{FactsFollower, MovesFollower};
use crate::handlers::Handlers;

/// What metrics needs.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Its progress in both feeds, and the moves between segments.
    pub metrics: Arc<dyn Metrics>,
    /// What it keeps of ingestion's feed.
    pub replica: Arc<dyn Replica>,
    /// Where subscriptions come from, called with the services' own key.
    pub ingestion: Link,
    /// Where moves between segments come from, called with the services' own key.
    pub segmentation: Link,
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
        "/sextant.metrics.v1.MetricsService/GetRevenue",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.metrics.v1.MetricsService/GetWaterfall",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.metrics.v1.MetricsService/GetChurn",
        Access::Scope(Scope::Read),
    ),
    (
        "/sextant.metrics.v1.MetricsService/ListMovements",
        Access::Scope(Scope::Read),
    ),
];

/// The metrics service, ready to be mounted.
#[must_use]
pub fn part(deps: Deps) -> Part {
    let pager = deps.pager.clone();
    let (clock, meters) = (deps.clock.clone(), deps.meters.clone());
    let (same_clock, same_meters) = (clock.clone(), meters.clone());
    let engine = Arc::new(Engine::new(deps));
    let cells = Arc::clone(&engine.cells);
    let facts = Arc::new(FactsFollower::new(Arc::clone(&engine)));
    let moves = Arc::new(MovesFollower::new(Arc::clone(&engine)));
    Part::new("metrics", MethodTable::new(METHODS))
        .service(
            MetricsServiceServer::new(Handlers { engine, pager }),
            methods::METRICS_METRICS_SERVICE,
        )
        .task("metrics-follow-facts", |stop| {
            follow(facts, clock, meters, stop)
        })
        .task("metrics-follow-moves", |stop| {
            follow(moves, same_clock, same_meters, stop)
        })
        .task("metrics-idle", |stop| async move {
            cells.drop_idle(stop).await;
        })
}
