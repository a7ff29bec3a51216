//! Point reads over the network, through everything that stands in front of a read, against Echo.

use prost::Message as _;
use sextant_backends::testing::redis_url;
use sextant_proto::ingestion::v1::Record;

use crate::company::{DAY_S, account, account_id, at, subscription};
use crate::echo;
use crate::load::{Answered, Load};
use crate::program::{SERVER_CORE, Served, scratch};
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
                answer.membership.unwrap().segment,
                expected,
                "account {number}, pass {pass}"
            );
        }
    }
    n_bytes / (2 * N_ACCOUNTS)
}

/// A server with the accounts, whose caches are hot.
async fn serve(folder: &std::path::Path, settings: &[String]) -> (Served, Session, usize) {
    let served = Served::embedded(folder, SERVER_CORE, settings).await;
    let session = Session::create(&served, Some(at(NOON_2026_01_15_S))).await;
    session
        .create_segmentation(SEGMENTATION, "sextant.value_tiers", CUTS)
        .await;
    session.import(history(), SEGMENTATION).await;
    let n_bytes = check(&session).await;
    (served, session, n_bytes)
}

/// What one server answered in each round.
#[derive(Debug, Default)]
struct Rounds {
    rates: Vec<f64>,
    p99s: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, high: Answered, low: Answered) {
        self.rates.push(high.per_second);
        self.p99s.push(low.p99_us);
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
    let load = |address, session| {
        async move |n_in_flight| {
            let (segmentation, n_accounts) = (SEGMENTATION, N_ACCOUNTS);
            Load {
                address,
                session,
                segmentation,
                n_accounts,
                n_in_flight,
            }
            .apply()
            .await
        }
    };
    let mut rounds = [Rounds::default(), Rounds::default(), Rounds::default()];
    for _ in 0..n_rounds {
        let servers = [
            (echo_address, &near_session),
            (near.address, &near_session),
            (far.address, &far_session),
        ];
        for ((address, session), rounds) in servers.into_iter().zip(&mut rounds) {
            let ask = load(address, session);
            rounds.add(ask(HIGH).await, ask(LOW).await);
        }
    }
    drop((echo, near, far));
    let [echo, near, far] = rounds;
    let near_name = format!("point read, hot in process, {n_bytes} B");
    for (name, ours, rate, p99) in [
        (near_name.as_str(), near, 0.8, 1.5),
        ("point read, hot in Redis", far, 0.5, 2.0),
    ] {
        report.add(
            Row::new(
                format!("{name}: rate at {HIGH} in flight"),
                "reads/s",
                ours.rates,
            )
            .against("Echo", &echo.rates)
            .should_be(Target::RatioAtLeast(rate)),
        );
        report.add(
            Row::new(format!("{name}: p99 at {LOW} in flight"), "us", ours.p99s)
                .against("Echo", &echo.p99s)
                .should_be(Target::RatioAtMost(p99)),
        );
    }
}
