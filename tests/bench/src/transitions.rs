//! From the moment at which an event is due to be sent to the delivery of the transition that it causes, at a stated load.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use futures_util::future;
use prost_types::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tonic::Streaming;

use sextant_backends::testing::{migrated_database, redis_url};
use sextant_proto::ingestion::v1::{IngestRequest, IngestResponse, Record};
use sextant_proto::segmentation::v1::{WatchTransitionsRequest, WatchTransitionsResponse};

use crate::company::{DAY_S, Numbers, account, account_number, at, now_s, subscription, used};
use crate::program::{Cores, Served, scratch};
use crate::report::{Report, Row, Target, quantile};
use crate::session::{Knowledge, Session};

const N_ACCOUNTS: usize = 20_000;
const PER_SECOND: usize = 1_000;
const SECONDS: usize = 10;
/// Events of one message, sent every ten milliseconds.
const MESSAGE: usize = PER_SECOND / 100;
const N_EVENTS: usize = PER_SECOND * SECONDS;
/// One of so many events moves its account; the others change features and nothing else.
const ONE_MOVES: usize = 5;
/// Accounts that one round moves, each for good.
const MOVED: usize = N_EVENTS / ONE_MOVES;
/// Accounts that no event moves; the others are each moved once.
const STAYING: Range<usize> = 16_000..N_ACCOUNTS;
const SEGMENTATION: &str = "lifecycle";
/// What an account pays, and since how many days: it is established as soon as it is used on four days of 28.
const MRR_MINOR: i64 = 10_000;
const PAYING_DAYS: i64 = 200;
/// Days before today on which an account was used: of one whom the next event makes established, and of one that stays
/// adopting, even if a round goes on after midnight.
const ALMOST: Range<i64> = 2..5;
const RARELY: Range<i64> = 2..3;
const TARGET_MS: f64 = 500.0;
/// Longest wait for the next transition.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// One installation whose accounts pay and are used; some of them are about to become established.
struct Moving {
    session: Session,
    numbers: Numbers,
    /// Accounts before this one have moved.
    next: usize,
}

/// What one round showed.
struct Round {
    /// Of each event that moved its account, from its turn to be sent to delivery, in milliseconds.
    waits_ms: Vec<f64>,
    /// Events acknowledged in a second.
    per_second: f64,
}

impl Moving {
    async fn start(served: &Served) -> Self {
        let session = Session::create(served, None).await;
        session
            .create_segmentation(SEGMENTATION, "sextant.lifecycle", "{}")
            .await;
        let (now_s, mut records) = (now_s(), Vec::new());
        let started_s = now_s - PAYING_DAYS * DAY_S;
        for number in 0..N_ACCOUNTS {
            let days = if STAYING.contains(&number) {
                RARELY
            } else {
                ALMOST
            };
            records.push(account(number, started_s));
            records.push(subscription(number, MRR_MINOR, at(started_s), started_s));
            records.extend(days.map(|day| used(number, 0, "report", at(now_s - day * DAY_S))));
        }
        session.import(records, SEGMENTATION).await;
        Self {
            session,
            numbers: Numbers(20_260_116),
            next: 0,
        }
    }

    /// Events of one round, as they are sent, each with its account: one of [`ONE_MOVES`] is the first of today of an account
    /// that it moves.
    fn accounts(&mut self) -> Vec<usize> {
        let moved = self.next..self.next + MOVED;
        assert!(
            moved.end <= STAYING.start,
            "there are accounts for {} rounds",
            STAYING.start / MOVED
        );
        self.next = moved.end;
        let staying = |numbers: &mut Numbers| STAYING.start + numbers.below(STAYING.len());
        moved
            .flat_map(|number| {
                let others: Vec<usize> =
                    (1..ONE_MOVES).map(|_| staying(&mut self.numbers)).collect();
                std::iter::once(number).chain(others)
            })
            .collect()
    }

    async fn watch(&self) -> Streaming<WatchTransitionsResponse> {
        let request = WatchTransitionsRequest {
            segmentation: SEGMENTATION.to_owned(),
            resume_after: String::new(),
        };
        let mut request = self.session.request(request);
        request.metadata_mut().remove("grpc-timeout");
        let mut watch = self
            .session
            .segmentation()
            .watch_transitions(request)
            .await
            .unwrap()
            .into_inner();
        // The first answer says that the watch has begun.
        watch.message().await.unwrap().unwrap();
        watch
    }

    /// Sends at the stated rate and waits for every transition that is due.
    async fn round(&mut self) -> Round {
        let mut watch = self.watch().await;
        let (requests, mut answers) = self.session.open(Knowledge::Now).await;
        answers.message().await.unwrap().unwrap();
        let moved = self.next..self.next + MOVED;
        let accounts = self.accounts();
        let begun = Instant::now();
        let (acknowledged, delivered, due) = future::join3(
            hear(&mut answers),
            deliver(&mut watch, moved.clone()),
            send(requests, &accounts),
        )
        .await;
        let messages = accounts.chunks(MESSAGE).zip(&due);
        let due: HashMap<usize, Instant> = messages
            .flat_map(|(numbers, at)| numbers.iter().map(|number| (*number, *at)))
            .collect();
        let wait = |number: usize| {
            let wait = delivered[&number].saturating_duration_since(due[&number]);
            wait.as_secs_f64() * 1e3
        };
        let spent = acknowledged - begun;
        Round {
            waits_ms: moved.map(wait).collect(),
            per_second: f64::from(u32::try_from(N_EVENTS).unwrap()) / spent.as_secs_f64(),
        }
    }
}

/// Sends a message of events every ten milliseconds; when the turn of each was, even where it was sent late.
async fn send(requests: mpsc::Sender<IngestRequest>, accounts: &[usize]) -> Vec<Instant> {
    let mut due = Vec::new();
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for (sequence, numbers) in (1..).zip(accounts.chunks(MESSAGE)) {
        due.push(ticks.tick().await);
        let events = numbers
            .iter()
            .map(|number| -> Record { used(*number, 1, "dashboard", now()) });
        let message = IngestRequest {
            options: None,
            sequence,
            records: events.collect(),
        };
        requests.send(message).await.unwrap();
    }
    due
}

/// When all messages were acknowledged.
async fn hear(answers: &mut Streaming<IngestResponse>) -> Instant {
    let mut acknowledged = 0;
    while acknowledged < N_EVENTS / MESSAGE {
        let answer = answers
            .message()
            .await
            .unwrap()
            .expect("the stream was cut off");
        assert!(answer.exceptions.is_empty(), "{:?}", answer.exceptions);
        acknowledged = usize::try_from(answer.acknowledged_sequence).unwrap();
    }
    Instant::now()
}

/// When the transition of each account that has to move was delivered; no other account may move.
async fn deliver(
    watch: &mut Streaming<WatchTransitionsResponse>,
    moved: Range<usize>,
) -> HashMap<usize, Instant> {
    let mut delivered = HashMap::new();
    while delivered.len() < moved.len() {
        let answer = timeout(LONGEST_SILENCE, watch.message()).await;
        let n_delivered = delivered.len();
        let answer = answer
            .unwrap_or_else(|_silent| panic!("{n_delivered} of {} transitions came", moved.len()));
        let now = Instant::now();
        for transition in answer.unwrap().unwrap().transitions {
            assert_eq!(
                (&*transition.from_segment, &*transition.to_segment),
                ("adopting", "established")
            );
            let number = account_number(&transition.account.unwrap().id);
            assert!(moved.contains(&number), "account {number} moved");
            let before = delivered.insert(number, now);
            assert!(before.is_none(), "account {number} moved twice");
        }
    }
    delivered
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client of the product has a clock of its own"
)]
fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}

async fn measure_on(report: &mut Report, store: &str, served: &Served, n_rounds: usize) {
    let mut moving = Moving::start(served).await;
    let (mut p99s, mut medians, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        let round = moving.round().await;
        p99s.push(quantile(&round.waits_ms, 0.99));
        medians.push(quantile(&round.waits_ms, 0.5));
        rates.push(round.per_second);
    }
    let name = format!("event to transition, {store}, {N_ACCOUNTS} accounts");
    let asked = f64::from(u32::try_from(PER_SECOND).unwrap());
    let (allowed, asked) = (vec![TARGET_MS; n_rounds], vec![asked; n_rounds]);
    report.add(
        Row::new(format!("{name}: p99"), "ms", p99s)
            .against("allowed", &allowed)
            .should_be(Target::AtMost(TARGET_MS)),
    );
    report.add(Row::new(format!("{name}: p50"), "ms", medians));
    report.add(Row::new(format!("{name}: rate"), "events/s", rates).against("asked for", &asked));
}

pub(crate) async fn measure(report: &mut Report, n_rounds: usize) {
    {
        let folder = scratch();
        let served = Served::embedded(folder.path(), Cores::All, &[]).await;
        measure_on(report, "embedded", &served, n_rounds).await;
    }
    let database = migrated_database().await;
    {
        let redis = [format!("cache.redis_url={}", redis_url())];
        let served = Served::postgres(database.url(), Cores::All, &redis).await;
        measure_on(report, "PostgreSQL and Redis", &served, n_rounds).await;
    }
    database.drop_now().await;
}
