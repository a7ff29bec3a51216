//! Processes that die while records stream in lose nothing that was acknowledged and count nothing twice.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::runtime::Builder;
use tonic::Code;

use sextant::client::Client;
use sextant_proto::ingestion::v1::{ListAccountsRequest, Record, VerdictKind};

use crate::worlds::compared::compare;
use crate::worlds::oracle::{Oracle, VALUES};
use crate::worlds::records::{advance, later, send};
use crate::worlds::story::{DAYS, START, story};
use crate::worlds::world::{Shape, World, segmentation, segmentation_by, tenant};

const BATCH: usize = 40;
/// Batches that are acknowledged between two deaths.
const BATCHES_PER_LIFE: usize = 6;
/// Batches that are acknowledged while a process is down, at most.
const AHEAD: usize = 2;
const DEATHS: usize = 4;
/// Resends of one batch before the test gives up.
const MAX_RESENDS: usize = 10_000;

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

/// A page token holds as long as what it continues.
async fn turn_a_page_across_a_restart(world: &World, client: &Client) {
    let page = async |page_token: String| {
        for _ in 0..MAX_RESENDS {
            let request = client.request(ListAccountsRequest {
                page_size: 1,
                page_token: page_token.clone(),
                ..ListAccountsRequest::default()
            });
            match client.accounts().list_accounts(request).await {
                Ok(listed) => return listed.into_inner(),
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
            }
        }
        panic!("a page was refused {MAX_RESENDS} times");
    };
    let first = page(String::new()).await;
    world.kill_and_restart(world.roles()[0]);
    let second = page(first.next_page_token).await;
    assert_ne!(first.accounts[0], second.accounts[0]);
}

fn check(shape: Shape) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start(shape));
    let (lives, records) = story();
    // All becomes known on the last day of the story, whose close then knows it.
    let oracle = Oracle::new(lives, |_| DAYS - 1);
    let records: Vec<Record> = records.into_iter().map(|(_, record)| record).collect();
    let noon = |day: usize| later(START, day * 24 + 12);
    let client = runtime.block_on(async {
        let client = tenant(&world.client(), "killed", noon(DAYS - 1)).await;
        segmentation(&client, "lifecycle").await;
        for (key, config) in VALUES {
            segmentation_by(&client, key, "value_tiers", config).await;
        }
        client
    });
    let (sender, acknowledged) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let world = &world;
        scope.spawn(move || kill_in_turn(world, acknowledged));
        runtime.block_on(stream(world, &client, &records, &sender))
    });
    runtime.block_on(async {
        let position = advance(&client, noon(DAYS)).await.unwrap();
        compare(&client, &oracle, records.len(), &position).await;
    });
    runtime.block_on(turn_a_page_across_a_restart(&world, &client));
    for replay in 1..=2 {
        let (verdicts, position) = runtime.block_on(stream(&world, &client, &records, &sender));
        let fresh = verdicts
            .iter()
            .filter(|verdict| **verdict != VerdictKind::Duplicate)
            .count();
        assert_eq!(fresh, 0, "replay {replay}");
        runtime.block_on(compare(&client, &oracle, records.len(), &position));
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
