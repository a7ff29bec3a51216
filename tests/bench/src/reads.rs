//! Point reads over the network, through everything that stands in front of a read, against Echo.

use std::net::SocketAddr;
use std::path::Path;

use prost::Message as _;

use sextant_backends::testing::redis_url;
use sextant_proto::ingestion::v1::Record;

use crate::company::{DAY_S, account, account_id, at, subscription};
use crate::echo;
use crate::load::{Answered, Load};
use crate::program::{Process, SERVER_CORE, Served, scratch};
use crate::report::{Report, Row, Target};
use crate::session::Session;

const N_ACCOUNTS: usize = 5_000;
const SEGMENTATION: &str = "tiers";
const NOON_2026_01_15_S: i64 = 1_768_478_400;
/// Monthly revenue and the segment that it leads to, with fixed cuts.
const TIERS: [(i64, &str); 4] = [
    (1_000, "low"),
    (60_000, "medium"),
    (250_000, "high"),
    (2_000_000, "strategic"),
];
const CUTS: &str = r#"{"mode":"cut_points"}"#;
/// Rate at this load, 99th percentile at the lower one.
const HIGH: usize = 64;
const LOW: usize = 16;

fn history() -> Vec<Record> {
    let started_s = NOON_2026_01_15_S - 40 * DAY_S;
    let of_account = |number: usize| {
        let (mrr_minor, _) = TIERS[number % TIERS.len()];
        [
            account(number, started_s),
            subscription(number, mrr_minor, at(started_s), started_s),
        ]
    };
    (0..N_ACCOUNTS).flat_map(of_account).collect()
}

/// Reads every membership, which also warms the cache, and checks it; returns the mean encoded size of an answer.
async fn check(session: &Session) -> usize {
    let mut n_bytes = 0;
    // The second time, the answer comes from the cache, and must be the same.
    for pass in 0..2 {
        for number in 0..N_ACCOUNTS {
            let answer = session.membership(account_id(number), SEGMENTATION).await;
            n_bytes += answer.encoded_len();
            let (_, expected) = TIERS[number % TIERS.len()];
            assert_eq!(
                answer.membership().unwrap().segment,
                expected,
                "account {number}, pass {pass}"
            );
        }
    }
    n_bytes / (2 * N_ACCOUNTS)
}

/// A server with the accounts, whose caches are hot.
async fn serve(folder: &Path, settings: &[String]) -> (Served, Session, usize) {
    let served = Served::embedded(folder, SERVER_CORE, settings).await;
    let session = Session::create(&served, Some(at(NOON_2026_01_15_S))).await;
    session
        .create_segmentation(SEGMENTATION, "sextant.value_tiers", CUTS)
        .await;
    session.import(history(), SEGMENTATION).await;
    let n_bytes = check(&session).await;
    (served, session, n_bytes)
}

/// A server under load.
#[derive(Debug)]
struct Server<'a> {
    process: &'a Process,
    address: SocketAddr,
    session: &'a Session,
}

impl Server<'_> {
    async fn ask(&self, n_in_flight: usize) -> Answered {
        let load = Load {
            address: self.address,
            session: self.session,
            segmentation: SEGMENTATION,
            n_accounts: N_ACCOUNTS,
            n_in_flight,
        };
        load.apply().await
    }
}

/// What one server answered in each round.
#[derive(Debug, Default)]
struct Rounds {
    rates: Vec<f64>,
    p99s: Vec<f64>,
    /// Processor time of the server for one read at the higher load, in microseconds.
    processor_us: Vec<f64>,
}

impl Rounds {
    async fn add(&mut self, server: &Server<'_>) {
        let before_s = server.process.processor_s();
        let high = server.ask(HIGH).await;
        let spent_s = server.process.processor_s() - before_s;
        self.rates.push(high.per_second);
        self.processor_us.push(spent_s * 1e6 / high.n_answers);
        self.p99s.push(server.ask(LOW).await.p99_us);
    }

    fn report(&self, report: &mut Report, name: &str, echo: &Self, (rate, p99): (f64, f64)) {
        report.add(
            Row::new(
                format!("{name}: rate at {HIGH} in flight"),
                "reads/s",
                self.rates.clone(),
            )
            .against("Echo", &echo.rates)
            .should_be(Target::RatioAtLeast(rate)),
        );
        report.add(
            Row::new(
                format!("{name}: p99 at {LOW} in flight"),
                "us",
                self.p99s.clone(),
            )
            .against("Echo", &echo.p99s)
            .should_be(Target::RatioAtMost(p99)),
        );
        report.add(
            Row::new(
                format!("{name}: server's processor time"),
                "us/read",
                self.processor_us.clone(),
            )
            .against("Echo", &echo.processor_us),
        );
    }
}

pub(crate) async fn measure(report: &mut Report, n_rounds: usize) {
    let folder = scratch();
    let (near, near_session, n_bytes) = serve(&folder.path().join("near"), &[]).await;
    let far_settings = [
        "cache.in_process_entries=0".to_owned(),
        format!("cache.redis_url={}", redis_url()),
    ];
    let (far, far_session, _) = serve(&folder.path().join("far"), &far_settings).await;
    let (echo, echo_address) = echo::start(n_bytes).await;
    let servers = [
        Server {
            process: &echo,
            address: echo_address,
            session: &near_session,
        },
        Server {
            process: &near.process,
            address: near.address,
            session: &near_session,
        },
        Server {
            process: &far.process,
            address: far.address,
            session: &far_session,
        },
    ];
    let mut rounds = [Rounds::default(), Rounds::default(), Rounds::default()];
    for _ in 0..n_rounds {
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            rounds.add(server).await;
        }
    }
    let [echo, near, far] = rounds;
    near.report(
        report,
        &format!("point read, hot in process, {n_bytes} B"),
        &echo,
        (0.8, 1.5),
    );
    far.report(report, "point read, hot in Redis", &echo, (0.5, 2.0));
}
