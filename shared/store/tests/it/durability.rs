//! What was acknowledged survives kill -9.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tempfile::TempDir;

use sextant_domain::id::Slice;
use sextant_store::embedded::Embedded;
use sextant_store::port::{Facts, Intake};

use crate::build::{TENANT, account, batch, event};
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
