//! How soon what is pushed decides in three replicas on one database, and how soon that is taken back.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use sextant_backends::testing::migrated_database;
use sextant_proto::segmentation::v1::RollBackRevisionRequest;

use crate::company::{DAY_S, account, account_id, at, now_s, subscription};
use crate::program::{Cores, Served, scratch};
use crate::report::{Report, Row, Target};
use crate::session::{Session, membership_request, request_id};
use crate::swaps::{SEGMENTATION, push, swap_to};

const N_ACCOUNTS: usize = 2_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Waits until an account is judged by a version wherever somebody asks.
async fn everywhere(sessions: &[Session], digest: &str) {
    let give_up = Instant::now() + LONGEST_WAIT;
    for session in sessions {
        loop {
            let request = session.request(membership_request(account_id(0), SEGMENTATION));
            let answer = session
                .segmentation()
                .get_membership(request)
                .await
                .unwrap();
            let found = answer.into_inner().membership().unwrap();
            if found.plugin_digest == digest {
                break;
            }
            assert!(Instant::now() < give_up, "it does not decide everywhere");
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

async fn roll_back(session: &Session) {
    let request = RollBackRevisionRequest {
        segmentation: SEGMENTATION.to_owned(),
        note: "as it was".to_owned(),
        request_id: request_id(),
    };
    let mut segmenters = session.segmenters();
    let rolled_back = segmenters.roll_back_revision(session.request(request));
    rolled_back.await.unwrap();
}

/// Three processes of all services.
pub(crate) async fn measure(report: &mut Report, rounds: usize) {
    const VERSIONS: [&str; 9] = [
        "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0",
    ];
    let database = migrated_database().await;
    let sources = scratch();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Served::postgres(database.url(), Cores::All, &[]).await);
    }
    let session = Session::create(&replicas[0], None).await;
    let of_replica = |replica: &Served| {
        let mut of_replica = session.reconnected(replica.address);
        of_replica.key.clone_from(&replica.key);
        of_replica
    };
    let sessions: Vec<Session> = replicas.iter().map(of_replica).collect();
    // Everybody is large by one, and small by the next.
    let mut before = push(&session, sources.path(), "0.1.0", 0).await;
    session
        .create_segmentation(SEGMENTATION, "acme.seats", "{}")
        .await;
    let started_s = now_s() - 30 * DAY_S;
    let records = (0..N_ACCOUNTS).flat_map(|number| {
        [
            account(number, started_s),
            subscription(number, 10_000, at(started_s), started_s),
        ]
    });
    session.import(records.collect(), SEGMENTATION).await;
    everywhere(&sessions, &before).await;
    let (mut delivered, mut answered, mut taken_back) = (Vec::new(), Vec::new(), Vec::new());
    for (round, version) in VERSIONS.into_iter().take(rounds).enumerate() {
        let large_from = if round % 2 == 0 { 1_000_000 } else { 0 };
        let begun = Instant::now();
        let newest = push(&session, sources.path(), version, large_from).await;
        swap_to(&session, &newest).await;
        everywhere(&sessions, &newest).await;
        delivered.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        roll_back(&session).await;
        answered.push(begun.elapsed().as_secs_f64());
        everywhere(&sessions, &before).await;
        taken_back.push(begun.elapsed().as_secs_f64());
        swap_to(&session, &newest).await;
        everywhere(&sessions, &newest).await;
        before = newest;
    }
    drop(replicas);
    database.drop_now().await;
    report.add(
        Row::new(
            "compiled, pushed, decides in three replicas",
            "s",
            delivered,
        )
        .should_be(Target::AtMost(10.0)),
    );
    report.add(Row::new("rolled back, answered", "s", answered).should_be(Target::AtMost(1.0)));
    report.add(
        Row::new("... decides again in three replicas", "s", taken_back)
            .should_be(Target::AtMost(1.0)),
    );
}
