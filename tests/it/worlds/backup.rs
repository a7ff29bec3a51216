//! A backup that is made under load is an installation that stopped at one moment.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::block_in_place;

use sextant::client::Client;
use sextant_proto::ingestion::v1::{ListSourcesRequest, Record, VerdictKind};
use sextant_proto::segmentation::v1::ListSegmentsRequest;

use crate::worlds::records::{
    accept, account, ask, at, event, feature, later, membership, now, revenue, send, subscription,
};
use crate::worlds::world::{Shape, World, segmentation, tenant};

const START: &str = "2026-01-10T00:00";
const CLOCK: &str = "2026-02-01T12:00";
/// What is there before: known, answered, and in every cache.
const BEFORE: usize = 200;
/// What comes in one batch while the backup is made.
const BATCH: usize = 10;
const MAX_BATCHES: usize = 10_000;

/// Three records of an account.
fn records(number: usize) -> Vec<Record> {
    let name = format!("a{number:05}");
    vec![
        account(&name, at(START)),
        event(&name, "u", later(START, 20 * 24)),
        subscription(&name, at("2026-01-20T00:00"), 1, 1_000),
    ]
}

fn batch(number: usize) -> Vec<Record> {
    (0..BATCH)
        .flat_map(|one| records(BEFORE + number * BATCH + one))
        .collect()
}

/// Accounts that are stored, in segments, and paying.
async fn totals(client: &Client, position: &str) -> [u64; 3] {
    let at = now(position);
    let request = ListSegmentsRequest {
        segmentation: "lifecycle".to_owned(),
        at: Some(at.clone()),
        ..ListSegmentsRequest::default()
    };
    let segments = ask!(client, segmentation.list_segments, request).accounts;
    let mrr_minor = revenue(client, &at).await.total.unwrap().mrr_minor;
    [
        counts(client).await / 3,
        segments,
        u64::try_from(mrr_minor).unwrap() / 1_000,
    ]
}

/// Records that are stored.
async fn counts(client: &Client) -> u64 {
    let request = client.request(ListSourcesRequest::default());
    let answer = client.sources().list_sources(request).await;
    let sources = answer.unwrap().into_inner().sources;
    sources.iter().map(|source| source.accepted).sum()
}

/// Sends batches until `done`, and gives how many.
async fn load(client: &Client, done: &AtomicBool) -> usize {
    for number in 0..MAX_BATCHES {
        if done.load(Ordering::Acquire) {
            return number;
        }
        send(client, batch(number)).await.unwrap();
    }
    panic!("the backup does not end");
}

/// Backs the world up while records come in; returns the number of batches that came.
async fn back_up(world: &World, client: &Client, to: &Path) -> usize {
    let done = AtomicBool::new(false);
    let copying = async {
        // The load begins first.
        tokio::task::yield_now().await;
        let output = block_in_place(|| world.program(&["backup", to.to_str().unwrap()]));
        done.store(true, Ordering::Release);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaints}");
    };
    tokio::join!(load(client, &done), copying).0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_restored_as_it_was_and_followed_without_gap_or_repetition() {
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), "saved", at(CLOCK)).await;
    segmentation(&client, "lifecycle").await;
    let accounts = (0..BEFORE)
        .map(|number| records(number)[0].clone())
        .collect();
    accept(&client, accounts).await;
    let rest = (0..BEFORE).flat_map(|number| records(number).split_off(1));
    let position = accept(&client, rest.collect()).await;
    let known = u64::try_from(BEFORE).unwrap();
    assert_eq!(totals(&client, &position).await, [known; 3]);

    let folder = world.folder().join("backup");
    let batches = back_up(&world, &client, &folder).await;
    let all = known + u64::try_from(batches * BATCH).unwrap();
    let last = send(&client, batch(batches)).await.unwrap().position;
    assert_eq!(totals(&client, &last).await, [all + 10; 3]);

    let restored = World::restored(&folder).await;
    let client = restored.client();
    let client = client
        .of_tenant(&client.find_tenant(Some("saved")).await.unwrap())
        .unwrap();
    // A repeated batch is answered with the position of all that is stored.
    let repeated = send(&client, records(0)).await.unwrap();
    let kinds: Vec<VerdictKind> = repeated.verdicts.iter().map(|one| one.kind()).collect();
    assert_eq!(kinds, [VerdictKind::Duplicate; 3]);
    let saved = totals(&client, &repeated.position).await;
    println!("{batches} batches came in while {saved:?} accounts were saved");
    assert_eq!(saved, [saved[0]; 3], "no service is ahead or behind");
    assert!((known..=all).contains(&saved[0]), "{saved:?} of {all}");

    // The rest comes again: what the backup held is there, the other is new, and nothing counts twice.
    for number in 0..=batches {
        send(&client, batch(number)).await.unwrap();
    }
    let position = send(&client, records(0)).await.unwrap().position;
    assert_eq!(totals(&client, &position).await, [all + 10; 3]);
    let at = now(&position);
    for name in ["a00000", &format!("a{:05}", all + 9)] {
        assert_eq!(
            membership(&client, name, "lifecycle", &at).await.segment,
            "onboarding"
        );
        assert_eq!(
            feature(&client, name, "usage.active_days_28d", &at).await,
            Some(1)
        );
    }
    restored.end().await;
    world.end().await;
}
