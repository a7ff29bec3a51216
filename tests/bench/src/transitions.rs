//! From the acknowledgement of a record to the delivery of the transition that it causes, at a stated load.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future;
use prost_types::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tonic::Streaming;

use sextant_proto::ingestion::v1::{IngestRequest, IngestResponse, Record};
use sextant_proto::segmentation::v1::{WatchTransitionsRequest, WatchTransitionsResponse};

use crate::company::{DAY_S, account, account_number, at, now_s, subscription};
use crate::program::{Cores, Served, scratch};
use crate::report::{Report, Row, Target, quantile};
use crate::session::{Knowledge, Session};

const N_ACCOUNTS: usize = 20_000;
const PER_SECOND: usize = 1_000;
const SECONDS: usize = 10;
/// Records of one message, sent every ten milliseconds.
const MESSAGE: usize = PER_SECOND / 100;
const N_RECORDS: usize = PER_SECOND * SECONDS;
const SEGMENTATION: &str = "tiers";
const CUTS: &str = r#"{"mode":"cut_points"}"#;
/// Monthly revenue of the tiers "low" and "medium".
const LOW_MINOR: i64 = 1_000;
const MEDIUM_MINOR: i64 = 60_000;
const TARGET_MS: f64 = 500.0;
/// Longest wait for the next transition.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// One installation whose accounts are moved by every record: each record changes what its account pays.
struct Moving {
    session: Session,
    started_s: i64,
    /// Revenue of each account at present.
    pays: Vec<i64>,
    /// The account that is moved next; each has its turn before the first is moved again.
    next: usize,
}

impl Moving {
    async fn start(served: &Served) -> Self {
        let session = Session::create(served, None).await;
        session
            .create_segmentation(SEGMENTATION, "sextant.value_tiers", CUTS)
            .await;
        let started_s = now_s() - 10 * DAY_S;
        let of_account = |number| {
            [
                account(number, started_s),
                subscription(number, LOW_MINOR, at(started_s), started_s),
            ]
        };
        session
            .import((0..N_ACCOUNTS).flat_map(of_account).collect(), SEGMENTATION)
            .await;
        Self {
            session,
            started_s,
            pays: vec![LOW_MINOR; N_ACCOUNTS],
            next: 0,
        }
    }

    /// A record that moves the next account to the other tier, now.
    fn record(&mut self) -> (usize, Record) {
        let number = self.next;
        self.next = (number + 1) % N_ACCOUNTS;
        let pays = &mut self.pays[number];
        *pays = if *pays == LOW_MINOR {
            MEDIUM_MINOR
        } else {
            LOW_MINOR
        };
        (number, subscription(number, *pays, now(), self.started_s))
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

    /// Sends at the stated rate; returns each record's time from acknowledgement to delivery, in milliseconds.
    async fn round(&mut self) -> Vec<f64> {
        let mut watch = self.watch().await;
        let (requests, mut answers) = self.session.open(Knowledge::Now).await;
        answers.message().await.unwrap().unwrap();
        let sent: Mutex<Vec<Vec<usize>>> = Mutex::default();
        let mut acknowledged: Vec<Option<Instant>> = vec![None; N_ACCOUNTS];
        let mut delivered: Vec<Option<Instant>> = vec![None; N_ACCOUNTS];
        let accounts = (0..N_RECORDS)
            .map(|step| (self.next + step) % N_ACCOUNTS)
            .collect::<Vec<_>>();
        let sending = self.send(requests, &sent);
        let hearing = hear(&mut answers, &sent, &mut acknowledged);
        let watching = deliver(&mut watch, &mut delivered);
        future::join3(sending, hearing, watching).await;
        let wait = |number: usize| {
            let (from, to) = (acknowledged[number].unwrap(), delivered[number].unwrap());
            to.saturating_duration_since(from).as_secs_f64() * 1e3
        };
        accounts.into_iter().map(wait).collect()
    }

    async fn send(&mut self, requests: mpsc::Sender<IngestRequest>, sent: &Mutex<Vec<Vec<usize>>>) {
        let mut ticks = interval(Duration::from_millis(10));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for sequence in 1..=N_RECORDS / MESSAGE {
            ticks.tick().await;
            let (numbers, records) = (0..MESSAGE).map(|_| self.record()).unzip();
            sent.lock().unwrap().push(numbers);
            let sequence = u64::try_from(sequence).unwrap();
            requests
                .send(IngestRequest {
                    options: None,
                    sequence,
                    records,
                })
                .await
                .unwrap();
        }
    }
}

/// Notes when each account's record was acknowledged.
async fn hear(
    answers: &mut Streaming<IngestResponse>,
    sent: &Mutex<Vec<Vec<usize>>>,
    acknowledged: &mut [Option<Instant>],
) {
    let mut heard = 0;
    while heard < N_RECORDS / MESSAGE {
        let answer = answers
            .message()
            .await
            .unwrap()
            .expect("the stream was cut off");
        assert!(answer.exceptions.is_empty(), "{:?}", answer.exceptions);
        let (now, newest) = (
            Instant::now(),
            usize::try_from(answer.acknowledged_sequence).unwrap(),
        );
        for number in sent.lock().unwrap()[heard..newest].iter().flatten() {
            acknowledged[*number] = Some(now);
        }
        heard = newest;
    }
}

/// Notes when each account's transition was delivered; every record has to cause one.
async fn deliver(
    watch: &mut Streaming<WatchTransitionsResponse>,
    delivered: &mut [Option<Instant>],
) {
    let mut n_delivered = 0;
    while n_delivered < N_RECORDS {
        let answer = timeout(LONGEST_SILENCE, watch.message()).await;
        let answer = answer
            .unwrap_or_else(|_silent| panic!("{n_delivered} of {N_RECORDS} transitions came"));
        let now = Instant::now();
        for transition in answer.unwrap().unwrap().transitions {
            assert_ne!(transition.from_segment, transition.to_segment);
            let place = &mut delivered[account_number(&transition.account.unwrap().id)];
            assert!(place.is_none(), "an account moved twice");
            *place = Some(now);
            n_delivered += 1;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client of the product has a clock of its own"
)]
fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}

pub(crate) async fn measure(report: &mut Report, n_rounds: usize) {
    let folder = scratch();
    let served = Served::embedded(folder.path(), Cores::All, &[]).await;
    let mut moving = Moving::start(&served).await;
    let (mut p99s, mut medians) = (Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        let waits_ms = moving.round().await;
        p99s.push(quantile(&waits_ms, 0.99));
        medians.push(quantile(&waits_ms, 0.5));
    }
    let name =
        format!("acknowledged to transition delivered, {PER_SECOND}/s, {N_ACCOUNTS} accounts");
    report.add(Row::new(format!("{name}: p99"), "ms", p99s).should_be(Target::AtMost(TARGET_MS)));
    report.add(Row::new(format!("{name}: p50"), "ms", medians));
}
