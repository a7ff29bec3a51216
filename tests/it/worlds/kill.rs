//! Processes that die while records stream in lose nothing that was acknowledged and count nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::runtime::Builder;
use tonic::Code;

use sextant::client::Client;
use sextant_proto::ingestion::v1::{GetIngestCountsRequest, Record, SourceCounts, VerdictKind};
use sextant_proto::segmentation::v1::ListSegmentsRequest;

use crate::worlds::records::{
    account, ask, at, event, feature, later, now, revenue, send, subscription,
};
use crate::worlds::world::{Shape, World, segmentation, tenant};

/// The first day at midnight, and the number of days until the clock.
const START: &str = "2026-01-01T00:00";
const DAYS: usize = 60;
const ACCOUNTS: usize = 20;
const BATCH: usize = 40;
/// Batches that are acknowledged between two deaths.
const BATCHES_PER_LIFE: usize = 6;
/// Batches that are acknowledged while a process is down, at most.
const AHEAD: usize = 2;
const DEATHS: usize = 4;
/// Resends of one batch before the test gives up.
const MAX_RESENDS: usize = 10_000;

/// What the records say, counted as plainly as can be.
#[derive(Debug, Default)]
struct Oracle {
    records: u64,
    /// Events of the last 28 days by account.
    events: BTreeMap<String, i64>,
    /// Days with events among them.
    days: BTreeMap<String, BTreeSet<usize>>,
    /// Users with events among them.
    users: BTreeMap<String, BTreeSet<usize>>,
    /// Accounts by stage of the lifecycle.
    stages: BTreeMap<&'static str, u64>,
    mrr_minor: i64,
}

impl Oracle {
    fn see_event(&mut self, account: &str, day: usize, user: usize) {
        if day + 28 > DAYS {
            *self.events.entry(account.to_owned()).or_default() += 1;
            self.days.entry(account.to_owned()).or_default().insert(day);
            self.users
                .entry(account.to_owned())
                .or_default()
                .insert(user);
        }
    }

    fn see_stage(&mut self, stage: &'static str) {
        *self.stages.entry(stage).or_default() += 1;
    }
}

fn name(number: usize) -> String {
    format!("account-{number:02}")
}

/// The subscription of an account, if it has one: the day that it begins, seats, and cents for each.
fn terms(number: usize) -> Option<(usize, u64, i64)> {
    let (seats, cents) = (
        u64::try_from(number).unwrap() + 1,
        1_000 + 37 * i64::try_from(number).unwrap(),
    );
    match number % 3 {
        0 => None,
        1 => Some((5, seats, cents)),
        _ => Some((50, seats, cents)),
    }
}

/// All records by day, the accounts' own late enough for the first of them to be waited for, and what they add up to.
fn story() -> (Vec<Record>, Oracle) {
    let (mut records, mut oracle) = (Vec::new(), Oracle::default());
    for day in 0..DAYS {
        for number in 0..ACCOUNTS {
            let name = name(number);
            if day == number % 4 {
                records.push(account(&name, at(START)));
            }
            for count in 0..(number * 5 + day * 3) % 4 {
                let user = (number + day + count) % (1 + number % 4);
                records.push(event(
                    &name,
                    &format!("u{user}"),
                    later(START, day * 24 + count),
                ));
                oracle.see_event(&name, day, user);
            }
            if let Some((begins, seats, cents)) = terms(number)
                && begins == day
            {
                records.push(subscription(&name, later(START, day * 24), seats, cents));
                oracle.mrr_minor += i64::try_from(seats).unwrap() * cents;
            }
        }
    }
    for number in 0..ACCOUNTS {
        oracle.see_stage(match terms(number) {
            None => "prospect",
            Some((begins, ..)) if DAYS - begins < 30 => "onboarding",
            Some(_) => "adopting",
        });
    }
    oracle.records = u64::try_from(records.len()).unwrap();
    (records, oracle)
}

/// Kills one process after another, each when enough has been acknowledged since the one before.
fn kill_in_turn(world: &World, acknowledged: Receiver<()>) {
    for role in world.roles().into_iter().cycle().take(DEATHS) {
        if acknowledged.iter().take(BATCHES_PER_LIFE).count() == BATCHES_PER_LIFE {
            world.kill_and_restart(role);
        }
    }
}

/// Sends a batch until it is acknowledged, as a client does that is told to try again.
async fn deliver(world: &World, client: &Client, batch: &[Record]) -> (Vec<VerdictKind>, String) {
    for _ in 0..MAX_RESENDS {
        match send(client, batch.to_vec()).await {
            Ok(answer) => {
                let verdicts = answer.verdicts.iter().map(|verdict| verdict.kind());
                return (verdicts.collect(), answer.position);
            },
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                world.wait_until_all_serve();
            },
        }
    }
    panic!("a batch was refused {MAX_RESENDS} times");
}

/// Sends everything in order, tells of each acknowledgement, and gives the verdicts and the last position.
async fn stream(
    world: &World,
    client: &Client,
    records: &[Record],
    acknowledged: &SyncSender<()>,
) -> (Vec<VerdictKind>, String) {
    let (mut verdicts, mut position) = (Vec::new(), String::new());
    for batch in records.chunks(BATCH) {
        let (judged, reached) = deliver(world, client, batch).await;
        verdicts.extend(judged);
        position = reached;
        // Nobody listens once the last process was killed.
        acknowledged.send(()).unwrap_or(());
    }
    (verdicts, position)
}

async fn counts(client: &Client) -> SourceCounts {
    let request = client.request(GetIngestCountsRequest {});
    let answer = client.ingestion().get_ingest_counts(request).await;
    let mut sources = answer.unwrap().into_inner().sources;
    assert_eq!(sources.len(), 1);
    sources.remove(0)
}

async fn compare(client: &Client, oracle: &Oracle, position: &str) {
    let counts = counts(client).await;
    assert_eq!(
        (
            counts.accepted,
            counts.held,
            counts.rejected,
            counts.conflict
        ),
        (oracle.records, 0, 0, 0)
    );
    let at = now(position);
    for number in 0..ACCOUNTS {
        let name = name(number);
        let count = |sets: &BTreeMap<String, BTreeSet<usize>>| {
            Some(
                sets.get(&name)
                    .map_or(0, |set| i64::try_from(set.len()).unwrap()),
            )
        };
        let expected = [
            (
                "usage.events_28d",
                oracle.events.get(&name).copied().or(Some(0)),
            ),
            ("usage.active_days_28d", count(&oracle.days)),
            ("usage.active_users_28d", count(&oracle.users)),
        ];
        for (feature_name, expected) in expected {
            let found = feature(client, &name, feature_name, &at).await;
            assert_eq!(found, expected, "{feature_name} of {name}");
        }
    }
    assert_eq!(
        revenue(client, &at).await.total.unwrap().mrr_minor,
        oracle.mrr_minor
    );
    let request = ListSegmentsRequest {
        segmentation: "lifecycle".to_owned(),
        at: Some(at),
        ..ListSegmentsRequest::default()
    };
    let answer = ask!(client, segmentation.list_segments, request);
    let stages: BTreeMap<String, u64> = answer
        .segments
        .into_iter()
        .filter(|summary| summary.accounts > 0)
        .map(|summary| (summary.segment.unwrap().key, summary.accounts))
        .collect();
    let expected: BTreeMap<String, u64> = oracle
        .stages
        .iter()
        .map(|(stage, accounts)| ((*stage).to_owned(), *accounts))
        .collect();
    assert_eq!(stages, expected);
}

fn check(shape: Shape) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start(shape));
    let (records, oracle) = story();
    let client = runtime.block_on(async {
        let client = tenant(&world.client(), "killed", later(START, DAYS * 24 + 12)).await;
        segmentation(&client, "lifecycle").await;
        client
    });
    let (sender, acknowledged) = sync_channel(AHEAD);
    let (_, position) = thread::scope(|scope| {
        let world = &world;
        scope.spawn(move || kill_in_turn(world, acknowledged));
        runtime.block_on(stream(world, &client, &records, &sender))
    });
    runtime.block_on(compare(&client, &oracle, &position));
    for replay in 1..=2 {
        let (verdicts, position) = runtime.block_on(stream(&world, &client, &records, &sender));
        let fresh = verdicts
            .iter()
            .filter(|verdict| **verdict != VerdictKind::Duplicate)
            .count();
        assert_eq!(fresh, 0, "replay {replay}");
        runtime.block_on(compare(&client, &oracle, &position));
    }
}

#[test]
fn a_process_of_all_services_that_is_killed_loses_nothing_and_counts_nothing_twice() {
    check(Shape::Embedded);
}

#[test]
fn services_that_are_killed_one_after_another_lose_nothing_and_count_nothing_twice() {
    check(Shape::Apart);
}
