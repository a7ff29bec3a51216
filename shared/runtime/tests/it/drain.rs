use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use sextant_runtime::lifecycle::{Cause, DrainPlan, Expiry, Signal, Signals};
use sextant_runtime::link::Link;
use sextant_runtime::server::{Listener, ServeError, Server};

use crate::probe::{Probe, ask, watch};
use crate::world::{LIMITS, World, within};

fn plan(notice: Duration) -> DrainPlan {
    DrainPlan {
        notice,
        deadline: Duration::from_secs(10),
        on_expiry: Expiry::Call(|_code| {}),
    }
}

#[tokio::test]
async fn a_drain_answers_every_call_in_work_ends_waiting_streams_and_refuses_new_calls() {
    const CALLS: usize = 32;
    let world = World::new(LIMITS);
    let (probe, mut seen) = Probe::new();
    let address = world.serve(world.mount(probe.clone())).await;
    let link = Link::connect(&format!("http://{address}"), &world.options()).unwrap();
    let mut stream = within(watch(&link, Request::new("one".to_owned())))
        .await
        .unwrap();
    assert_eq!(
        within(stream.message()).await.unwrap().as_deref(),
        Some("first")
    );

    let calls = join_all((0..CALLS).map(|_| ask(&link, "gate")));
    let (signal, signals) = mpsc::channel(1);
    let run = world
        .lifecycle
        .run(plan(Duration::ZERO), Signals::from_channel(signals));
    let drive = async {
        for _ in 0..CALLS {
            assert_eq!(within(seen.recv()).await, Some("entered"));
        }
        signal.send(Signal::Terminate).await.unwrap();
        let status = within(stream.message()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.get_details_retry_info().is_some());
        assert!(!world.readiness.is_ready());
        probe.gate.add_permits(CALLS);
    };
    let (answers, ended, ()) = within(async { tokio::join!(calls, run, drive) }).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), "passed");
    }
    assert_eq!(
        (ended.cause, ended.exit_code()),
        (Cause::Signal(Signal::Terminate), 0)
    );
    assert_eq!(ended.unfinished, [""; 0]);
    let late = within(ask(&link, "echo:x")).await.unwrap_err();
    assert_eq!(late.code(), Code::Unavailable, "{late}");
}

#[tokio::test]
async fn health_says_not_serving_before_the_port_closes() {
    let world = World::new(LIMITS);
    assert!(!world.readiness.is_ready());
    let address = world.serve(world.mount(Probe::new().0)).await;
    assert!(world.readiness.is_ready());
    let link = Link::connect(&format!("http://{address}"), &world.options_without_key()).unwrap();
    let mut health = HealthClient::new(link.clone());
    let of = |name: &str| HealthCheckRequest {
        service: name.to_owned(),
    };
    for name in ["", "liveness", "test.v1.Probe"] {
        let status = within(health.check(of(name)))
            .await
            .unwrap()
            .into_inner()
            .status();
        assert_eq!(status, ServingStatus::Serving, "{name:?}");
    }
    let mut watched = within(health.watch(of(""))).await.unwrap().into_inner();
    assert_eq!(
        within(watched.message()).await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );

    let (signal, signals) = mpsc::channel(2);
    let run = world.lifecycle.run(
        plan(Duration::from_secs(3_600)),
        Signals::from_channel(signals),
    );
    let drive = async {
        signal.send(Signal::Terminate).await.unwrap();
        assert_eq!(
            within(watched.message()).await.unwrap().unwrap().status(),
            ServingStatus::NotServing
        );
        // The port still serves while load balancers take notice.
        let live = within(health.check(of("liveness")))
            .await
            .unwrap()
            .into_inner()
            .status();
        assert_eq!(live, ServingStatus::Serving);
        assert!(!world.readiness.is_ready());
        signal.send(Signal::Interrupt).await.unwrap();
    };
    let (ended, ()) = within(async { tokio::join!(run, drive) }).await;
    assert_eq!(ended.exit_code(), 0);
}

#[tokio::test]
async fn a_taken_address_and_a_service_served_twice_are_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::new(LIMITS);
    let error = Listener::bind(taken.local_addr().unwrap()).unwrap_err();
    assert!(matches!(error, ServeError::Bind { .. }), "{error}");
    let two = Server::new(
        vec![world.mount(Probe::new().0), world.mount(Probe::new().0)],
        Duration::from_secs(600),
    );
    let error = two
        .start(
            Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap(),
            &world.around,
            &world.readiness,
        )
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ServeError::ServedTwice {
                service: "test.v1.Probe"
            }
        ),
        "{error}"
    );
    assert!(!world.readiness.is_ready());
}
