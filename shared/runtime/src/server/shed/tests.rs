use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, poll};
use http::{Request, Response, header};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;

use super::{Limiter, MAX_WAITING_FACTOR, Shed};
use crate::auth::{Authenticator, Key, KeyId, KeyRecord, KeySource, KeySourceUnavailable};
use crate::clock::Clock;
use crate::config;
use crate::progress::Progress;
use crate::server::{Answer, Serve};
use crate::telemetry::{Meters, Telemetry};

const WAIT: Duration = Duration::from_millis(100);

fn limiter(n_turns: usize) -> Limiter {
    Limiter::new(n_turns, WAIT, "test", Meters::none())
}

fn counting(n_turns: usize, telemetry: &Telemetry) -> Limiter {
    Limiter::new(n_turns, WAIT, "test", telemetry.meters().clone())
}

fn telemetry() -> Telemetry {
    let config = config::Telemetry {
        log_filter: "off".to_owned(),
        log_format: config::LogFormat::Text,
        otlp_endpoint: None,
        trace_sample_ratio: 1.0,
    };
    Telemetry::new(&config, "test").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_burst_waits_but_a_standing_queue_is_refused_ten_times_sooner() {
    let limiter = limiter(1);
    let turn = limiter.try_turn().unwrap();
    assert!(limiter.try_turn().is_none());
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(started.elapsed(), WAIT);

    tokio::time::advance(Duration::from_millis(1)).await; // now there was a queue for more than the full wait
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(started.elapsed(), WAIT / 10);

    drop(turn);
    drop(limiter.try_turn().unwrap()); // one free turn, and patience is back
    let _turn = limiter.try_turn().unwrap();
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(started.elapsed(), WAIT);
}

#[tokio::test(start_paused = true)]
async fn the_queue_has_a_bound_and_the_oldest_is_served_first() {
    let limiter = Arc::new(limiter(1));
    let turn = limiter.try_turn().unwrap();
    let mut waiters: Vec<_> = (0..MAX_WAITING_FACTOR)
        .map(|_| Box::pin(limiter.wait()))
        .collect();
    for waiter in &mut waiters {
        assert!(futures_util::poll!(waiter).is_pending());
    }
    let started = Instant::now();
    assert!(limiter.wait().await.is_none());
    assert_eq!(
        started.elapsed(),
        Duration::ZERO,
        "a full queue refuses at once"
    );
    drop(turn);
    assert!(waiters.remove(0).await.is_some());
}

const ACME: TenantId = TenantId(1);

struct NoKeys;

impl KeySource for NoKeys {
    fn resolve(
        &self,
        _id: KeyId,
    ) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        Box::pin(async { Ok(None) })
    }
}

/// "/read" waits for a position, "/stay" for ever, all else is answered at once.
#[derive(Clone, Default)]
struct Reads(Arc<Progress>);

impl Serve for Reads {
    fn serve(&self, request: Request<Body>) -> Answer {
        let progress = Arc::clone(&self.0);
        Box::pin(async move {
            let floor = Position::new(vec![(Slice(0), 1)]);
            match request.uri().path() {
                "/read" => match progress.wait_for(ACME, &floor).await {
                    Ok(_reached) => {},
                    Err(problem) => return Ok(Status::from(problem).into_http()),
                },
                "/stay" => std::future::pending().await,
                _ => {},
            }
            Ok(Response::new(Body::empty()))
        })
    }
}

fn shed(reads: &Reads, limiter: impl Fn() -> Limiter, service: &Key) -> Shed<Reads> {
    let authenticator =
        Authenticator::new(Arc::new(NoKeys), Clock::real(), WAIT).with_service_key(service);
    Shed::new(reads.clone(), limiter, Arc::new(authenticator))
}

fn call(path: &str, key: &Key) -> Request<Body> {
    Request::builder()
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", key.expose()))
        .body(Body::empty())
        .unwrap()
}

fn is_answered(answer: Answer) -> bool {
    let answer = answer.now_or_never();
    answer.is_some_and(|answer| answer.unwrap().headers().is_empty())
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_for_a_position_hold_no_turn_and_take_one_again_to_answer() {
    let (client, service) = (Key::generate().unwrap(), Key::generate().unwrap());
    let reads = Reads::default();
    let telemetry = telemetry();
    let shed = shed(&reads, || counting(2, &telemetry), &service);
    let mut readers: Vec<_> = (0..2 * MAX_WAITING_FACTOR)
        .map(|_| shed.serve(call("/read", &client)))
        .collect();
    for reader in &mut readers {
        assert!(poll!(reader).is_pending());
    }
    assert!(is_answered(shed.serve(call("/other", &client))));
    assert!(is_answered(shed.serve(call("/other", &service))));
    let crowded = shed.serve(call("/read", &client)).await.unwrap();
    assert!(crowded.headers().contains_key("grpc-status"));
    let scraped = telemetry.scrape().text().unwrap();
    let counted = "sextant_rpc_shed_total{sextant_service=\"test\"} 1";
    assert!(scraped.contains(counted), "{scraped}");

    let mut stay = [(); 2].map(|()| shed.serve(call("/stay", &client)));
    for stay in &mut stay {
        assert!(poll!(stay).is_pending());
    }
    reads.0.reach(ACME, Slice(0), 1);
    assert!(
        poll!(&mut readers[0]).is_pending(),
        "an answer needs a turn"
    );
    drop(stay);
    for reader in readers {
        assert!(reader.await.unwrap().headers().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_clients_never_keep_our_own_services_from_a_turn() {
    let (client, service) = (Key::generate().unwrap(), Key::generate().unwrap());
    let shed = shed(&Reads::default(), || limiter(1), &service);
    let mut stay = shed.serve(call("/stay", &client));
    assert!(poll!(&mut stay).is_pending());
    assert!(!is_answered(shed.serve(call("/other", &client))));
    assert!(is_answered(shed.serve(call("/other", &service))));
}
