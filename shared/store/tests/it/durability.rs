//! What was acknowledged survives kill -9.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tempfile::TempDir;

use sextant_domain::fact::FactKind;
use sextant_domain::id::Slice;
use sextant_store::embedded::Embedded;
use sextant_store::port::{Facts, Intake, MAX_RELEASED_BYTES, NewFact, Outcome};
use sextant_store::release::{Backlog, Steps, Written};

use crate::build::{TENANT, account, batch, event, fact};
use crate::child;

const ROUNDS: usize = 3;
const ACKNOWLEDGED_PER_ROUND: usize = 60;
const WRITERS: u128 = 4;

#[tokio::test]
async fn every_acknowledged_commit_survives_kill_minus_9() {
    let directory = TempDir::new().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut writer = child::spawn(
            "durability::a_process_that_commits_until_it_is_killed",
            directory.path(),
        );
        for _ in 0..ACKNOWLEDGED_PER_ROUND {
            acknowledged.insert(writer.line());
        }
        acknowledged.extend(writer.kill());

        let store = Embedded::open(directory.path()).unwrap().ingestion();
        let entries = store
            .fact_entries(TENANT, Slice(0), 0, usize::MAX)
            .await
            .unwrap();
        let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
        assert_eq!(
            sequences,
            (1..=u64::try_from(entries.len()).unwrap()).collect::<Vec<u64>>(),
            "no gap after round {round}"
        );
        let facts = entries.into_iter().flat_map(|entry| entry.facts);
        let stored: Vec<String> = facts
            .map(|fact| String::from_utf8(fact.record).unwrap())
            .collect();
        let distinct: BTreeSet<String> = stored.iter().cloned().collect();
        assert_eq!(distinct.len(), stored.len(), "each once");
        let lost: Vec<&String> = acknowledged.difference(&distinct).collect();
        assert!(lost.is_empty(), "lost in round {round}: {lost:?}");
    }
}

/// The other half of the test above; on its own it does nothing. It says each record after its commit was acknowledged.
#[tokio::test]
async fn a_process_that_commits_until_it_is_killed() {
    let Some(directory) = child::directory() else {
        return;
    };
    let store = Embedded::open(&directory).unwrap().ingestion();
    let process = u128::from(std::process::id());
    store
        .commit(batch(process << 64, vec![account()]))
        .await
        .unwrap();
    for n in 1.. {
        let writers = (0..WRITERS).map(async |writer| {
            let id = format!("event {n} of writer {writer} of process {process}");
            store
                .commit(batch(
                    (process << 64) + WRITERS * n + writer,
                    vec![event(&id)],
                ))
                .await
                .unwrap();
            child::say(&id);
        });
        join_all(writers).await;
    }
}

#[tokio::test]
async fn what_waited_for_an_account_is_released_once_wherever_that_is_killed() {
    for n_parts in 1..=N_PARTS {
        let directory = TempDir::new().unwrap();
        let test = "durability::a_process_that_releases_until_it_is_killed";
        let mut releasing = child::spawn(test, directory.path());
        for _ in 0..n_parts {
            releasing.line();
        }
        releasing.kill();

        let store = Embedded::open(directory.path()).unwrap().ingestion();
        let again = store.commit(batch(9 << 64, vec![account()])).await.unwrap();
        assert_eq!(again.outcomes, [Outcome::Duplicate]);
        assert_eq!(store.held(TENANT, 0, 1).await.unwrap(), []);
        let entries = store.fact_entries(TENANT, Slice(0), 0, usize::MAX).await;
        let entries = entries.unwrap();
        let facts = entries.iter().flat_map(|entry| &entry.facts);
        let stored: Vec<&[u8]> = facts.map(|fact| fact.record.as_slice()).collect();
        let waiting = waiting();
        let mut expected: Vec<&[u8]> = vec![b"anvil"];
        expected.extend(waiting.iter().map(|fact| fact.record.as_slice()));
        assert!(
            stored == expected,
            "each once, in order, after part {n_parts}"
        );
    }
}

/// Transactions that release what waits in the test above, the one that brings the account included.
const N_PARTS: usize = 3;

/// Records that the last of these parts is half full of.
fn waiting() -> Vec<NewFact> {
    let half = MAX_RELEASED_BYTES / 2;
    let large = |n: usize| {
        let record = vec![u8::try_from(n).unwrap(); half];
        fact(FactKind::Event, &format!("e{n}"), record)
    };
    (1..2 * N_PARTS).map(large).collect()
}

/// The other half of the test above; on its own it does nothing. It says each part once it is stored.
#[tokio::test]
async fn a_process_that_releases_until_it_is_killed() {
    let Some(directory) = child::directory() else {
        return;
    };
    let store = Embedded::open(&directory).unwrap().ingestion();
    store.commit(batch(1 << 64, waiting())).await.unwrap();
    let brought = store.write(batch(2 << 64, vec![account()])).await;
    assert!(matches!(brought, Ok(Written::Stored(_, Backlog::Own))));
    child::say("a part");
    while store
        .release_part(batch(3 << 64, Vec::new()))
        .await
        .unwrap()
        .rest
    {
        child::say("a part");
    }
    child::say("the last part");
    child::wait_to_be_killed();
}
