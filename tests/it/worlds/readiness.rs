//! A process whose PostgreSQL is gone or refuses to write, or whose key another service refuses, says that it is not ready, stays
//! alive, and is ready again without a restart.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use sextant::installation::Role;
use sextant_backends::postgres::migrate;
use sextant_backends::testing::{Database, PostgresServer};
use sextant_proto::ingestion::v1::{ListTenantsRequest, VerdictKind};
use sextant_runtime::auth::Key;
use sextant_runtime::link::Link;

use crate::worlds::records::{accept, account, at, event, send};
use crate::worlds::world::{Shape, World, tenant};

/// Longest wait for a change of readiness, which takes seconds, on a machine that has other things to do.
const LONGEST_CHANGE: Duration = Duration::from_secs(60);

async fn health(link: &Link, name: &str) -> ServingStatus {
    let asked = HealthCheckRequest {
        service: name.to_owned(),
    };
    let answer = HealthClient::new(link.clone()).check(asked).await;
    answer.unwrap().into_inner().status()
}

/// Waits until `/readyz` and the health of the process and of a service are as they should be. It is alive all the time.
async fn until(world: &World, link: &Link, readyz: &str, wanted: ServingStatus) {
    let wait = async {
        loop {
            let told = world.admin(Role::All, "/readyz");
            let names = ["", "sextant.ingestion.v1.IngestionService"];
            let told_by_health = [health(link, names[0]).await, health(link, names[1]).await];
            let alive = world.admin(Role::All, "/healthz");
            assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
            assert_eq!(health(link, "liveness").await, ServingStatus::Serving);
            if told.starts_with(readyz) && told_by_health == [wanted; 2] {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(LONGEST_CHANGE, wait).await;
    assert!(waited.is_ok(), "{readyz} and {wanted:?} did not come");
}

fn is_unavailable(refused: &Status) {
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_is_not_ready_while_postgresql_is_gone_and_ready_again_when_it_is_back() {
    let server = PostgresServer::start();
    let database = Database::on(&server).await;
    migrate(database.url()).await.unwrap();
    let world = World::over(database);
    let (link, client) = (world.links().ingestion, world.client());
    let list = async || {
        let asked = client.request(ListTenantsRequest::default());
        client.tenants().list_tenants(asked).await
    };
    until(&world, &link, "HTTP/1.1 200", ServingStatus::Serving).await;
    list().await.unwrap();

    tokio::task::block_in_place(|| server.crash());
    until(&world, &link, "HTTP/1.1 503", ServingStatus::NotServing).await;
    is_unavailable(&list().await.unwrap_err());

    tokio::task::block_in_place(|| server.start_again());
    until(&world, &link, "HTTP/1.1 200", ServingStatus::Serving).await;
    list().await.unwrap();
    world.end().await;
}

/// What happens where the server has become a standby, and another one is made the first again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_is_not_ready_while_postgresql_is_read_only_and_ready_again_when_it_can_be_written()
 {
    let server = PostgresServer::start();
    let database = Database::on(&server).await;
    migrate(database.url()).await.unwrap();
    let world = World::over(database.clone());
    let link = world.links().ingestion;
    let acme = tenant(&world.client(), "acme", at("2026-02-01T12:00")).await;
    let before = account("a", at("2026-01-30T00:00"));
    accept(&acme, vec![before.clone()]).await;
    until(&world, &link, "HTTP/1.1 200", ServingStatus::Serving).await;

    database.turn_read_only().await;
    until(&world, &link, "HTTP/1.1 503", ServingStatus::NotServing).await;
    let during = event("a", "ann", at("2026-02-01T10:00"));
    for _ in 0..3 {
        is_unavailable(&send(&acme, vec![during.clone()]).await.unwrap_err());
    }

    database.turn_writable().await;
    until(&world, &link, "HTTP/1.1 200", ServingStatus::Serving).await;
    let answer = send(&acme, vec![before, during]).await.unwrap();
    let verdicts = answer.verdicts.iter().map(|verdict| verdict.kind());
    assert_eq!(
        verdicts.collect::<Vec<_>>(),
        [VerdictKind::Duplicate, VerdictKind::Accepted],
        "what was acknowledged is stored, and nothing of what was refused"
    );
    world.end().await;
}

/// Waits for what `/readyz` of a process says.
async fn readyz(world: &World, role: Role, wanted: &str) {
    let wait = async {
        while !world.admin(role, "/readyz").ends_with(wanted) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(LONGEST_CHANGE, wait).await;
    let told = world.admin(role, "/readyz");
    assert!(waited.is_ok(), "{role:?}: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_key_another_service_refuses_names_both_and_is_not_ready_until_it_is_taken()
{
    let world = World::start(Shape::Apart).await;
    let other = Key::generate().unwrap();
    let setting = format!("auth.service_key={}", other.expose());
    let named = format!("auth.service_key sx_{}_… (flag --set)", other.id());
    let refused =
        format!("\r\n\r\nnot ready: ingestion refuses {named}: give both processes the same key\n");
    for role in [Role::Scoring, Role::Segmentation, Role::Metrics] {
        world.kill_and_restart_with(role, std::slice::from_ref(&setting));
        readyz(&world, role, &refused).await;
        let alive = world.admin(role, "/healthz");
        assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
    }
    readyz(&world, Role::Ingestion, "\r\n\r\nready\n").await;

    // Now it is the key of the three that is the right one: nobody but ingestion is started again.
    world.kill_and_restart_with(Role::Ingestion, &[setting]);
    for role in world.roles() {
        readyz(&world, role, "\r\n\r\nready\n").await;
    }
    world.end().await;
}
