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
use crate::progress::Progress;
use crate::server::{Answer, Serve};
use crate::telemetry::Meters;

const WAIT: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn a_burst_waits_but_a_standing_queue_is_refused_ten_times_sooner() {
    let limiter = Limiter::new(1, WAIT);
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
    let limiter = Arc::new(Limiter::new(1, WAIT));
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

fn shed(reads: &Reads, n_turns: usize, service: &Key) -> Shed<Reads> {
    let authenticator =
        Authenticator::new(Arc::new(NoKeys), Clock::real(), WAIT).with_service_key(service);
    Shed::new(
        reads.clone(),
        || Limiter::new(n_turns, WAIT),
        Arc::new(authenticator),
        "test",
        Meters::none(),
    )
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
    let shed = shed(&reads, 2, &service);
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
    let shed = shed(&Reads::default(), 1, &service);
    let mut stay = shed.serve(call("/stay", &client));
    assert!(poll!(&mut stay).is_pending());
    assert!(!is_answered(shed.serve(call("/other", &client))));
    assert!(is_answered(shed.serve(call("/other", &service))));
}
