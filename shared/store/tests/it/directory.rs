//! The data directory: lock, versions, room, backup.

use std::error::Error as _;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use sextant_domain::fact::FactKind;
use sextant_domain::id::Slice;
use sextant_store::Error as StoreError;
use sextant_store::embedded::{Embedded, Error, Ingestion, Options};
use sextant_store::port::{Committed, FactBatch, Facts, Feed, FeedEntry, Intake, Outcome};

use crate::build::{TENANT, account, batch, event, fact};
use crate::child;

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let directory = TempDir::new().unwrap();
    let mut holder = child::spawn(
        "directory::a_process_that_holds_its_directory",
        directory.path(),
    );
    assert_eq!(holder.line(), "open");
    let refused = Embedded::open(directory.path()).unwrap_err();
    let told = format!(
        "data directory \"{}\" is in use by process {}: stop it or choose another directory",
        directory.path().display(),
        holder.id()
    );
    assert_eq!(refused.to_string(), told);
    holder.kill();
    Embedded::open(directory.path()).unwrap();
}

/// The other half of the test above; on its own it does nothing.
#[test]
fn a_process_that_holds_its_directory() {
    let Some(directory) = child::directory() else {
        return;
    };
    let _store = Embedded::open(&directory).unwrap();
    child::say("open");
    child::wait_to_be_killed();
}

#[test]
fn a_directory_is_free_when_the_last_handle_is_gone() {
    let directory = TempDir::new().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let handle = store.metrics();
    drop(store);
    assert!(
        matches!(
            Embedded::open(directory.path()),
            Err(Error::InUse {
                process: Some(_),
                ..
            })
        ),
        "a handle is left"
    );
    drop(handle);
    Embedded::open(directory.path()).unwrap();
}

#[test]
fn a_file_of_a_newer_version_is_not_touched() {
    let directory = TempDir::new().unwrap();
    drop(Embedded::open(directory.path()).unwrap());
    let path = directory.path().join("scoring.db");
    let set_version = |version: u32| {
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", version)
            .unwrap()
    };
    set_version(900);
    let refused = Embedded::open(directory.path()).unwrap_err();
    assert!(
        matches!(
            &refused,
            Error::Newer {
                found: 900,
                supported: 1,
                ..
            }
        ),
        "{refused:?}"
    );
    set_version(1);
    Embedded::open(directory.path()).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("metrics.db"), "x".repeat(9_000)).unwrap();
    let refused = Embedded::open(directory.path()).unwrap_err();
    assert!(
        matches!(&refused, Error::File { path, .. } if path.ends_with("metrics.db")),
        "{refused:?}"
    );
    assert!(refused.source().is_some());
}

/// The answer to a commit. One that shared a transaction with a commit without room is told to try again, and does.
async fn decided(
    store: &Ingestion,
    batch: impl Fn() -> FactBatch,
) -> Result<Committed, StoreError> {
    loop {
        match store.commit(batch()).await {
            Err(StoreError::Unavailable { .. }) => {},
            answer => return answer,
        }
    }
}

#[tokio::test]
async fn a_commit_without_room_leaves_nothing_and_the_store_goes_on() {
    let directory = TempDir::new().unwrap();
    let options = Options {
        max_file_bytes: Some(1 << 20),
    };
    let store = Embedded::open_with(directory.path(), options)
        .unwrap()
        .ingestion();
    store.commit(batch(1, vec![account()])).await.unwrap();
    let large = |n: u128| {
        batch(
            n,
            vec![fact(
                FactKind::Event,
                &format!("large {n}"),
                vec![7; 100_000],
            )],
        )
    };
    let mut accepted = 1;
    let refused = loop {
        match store.commit(large(2 + accepted)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            refused,
            StoreError::Full {
                doing: "committing facts"
            }
        ),
        "{refused:?}"
    );
    assert!(accepted > 3, "there was room for {accepted}");
    // Several at once: those without room fail, the small one does not.
    let (one, small, other) = futures_util::future::join3(
        decided(&store, || large(500)),
        decided(&store, || batch(501, vec![event("small")])),
        decided(&store, || large(502)),
    )
    .await;
    assert!(matches!(one, Err(StoreError::Full { .. })), "{one:?}");
    assert!(matches!(other, Err(StoreError::Full { .. })), "{other:?}");
    assert_eq!(small.unwrap().outcomes, [Outcome::Accepted]);
    let entries = store
        .fact_entries(TENANT, Slice(0), 0, usize::MAX)
        .await
        .unwrap();
    let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(
        sequences,
        (1..=u64::try_from(accepted).unwrap() + 1).collect::<Vec<u64>>()
    );
}

async fn entries(directory: &Path) -> Vec<FeedEntry> {
    let store = Embedded::open(directory).unwrap();
    store
        .ingestion()
        .entries(TENANT, Slice(0), 0, 1_000)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_backup_of_a_store_in_use_is_restored_as_it_was() {
    let directory = TempDir::new().unwrap();
    let (backup, restored) = (
        directory.path().join("backup"),
        directory.path().join("restored"),
    );
    let live = directory.path().join("live");
    let ingestion = Embedded::open(&live).unwrap().ingestion();
    ingestion.commit(batch(1, vec![account()])).await.unwrap();
    let writes = async {
        for n in 2..60 {
            ingestion
                .commit(batch(n, vec![event(&format!("event {n}"))]))
                .await
                .unwrap();
        }
    };
    let to = backup.clone();
    let copying = tokio::task::spawn_blocking(move || Embedded::backup(&live, &to));
    let (copied, ()) = futures_util::future::join(copying, writes).await;
    copied.unwrap().unwrap();
    Embedded::restore(&backup, &restored).unwrap();

    let kept = entries(&restored).await;
    let live = ingestion.entries(TENANT, Slice(0), 0, 1_000).await.unwrap();
    assert_eq!(kept, live[..kept.len()]);
    let manifest = fs::read_to_string(backup.join("manifest")).unwrap();
    let head = format!("head ingestion.db {:032x} 0 {}", TENANT.0, kept.len());
    assert!(
        manifest.starts_with("sextant backup 1\n") && manifest.lines().any(|line| line == head),
        "{manifest}"
    );
    let again = Embedded::open(&restored).unwrap().ingestion();
    assert_eq!(
        again
            .commit(batch(900, vec![account()]))
            .await
            .unwrap()
            .outcomes,
        [Outcome::Duplicate]
    );
}

#[test]
fn a_backup_that_is_not_whole_is_not_restored() {
    let directory = TempDir::new().unwrap();
    let (backup, restored) = (
        directory.path().join("backup"),
        directory.path().join("restored"),
    );
    let live = directory.path().join("live");
    drop(Embedded::open(&live).unwrap());
    Embedded::backup(&live, &backup).unwrap();
    assert!(matches!(
        Embedded::backup(&live, &backup),
        Err(Error::NotEmpty { .. })
    ));
    fs::rename(backup.join("metrics.db"), backup.join("elsewhere")).unwrap();
    let refused = Embedded::restore(&backup, &restored).unwrap_err();
    assert!(
        matches!(&refused, Error::BackupIncomplete { path } if path.ends_with("metrics.db")),
        "{refused:?}"
    );
    fs::remove_file(backup.join("manifest")).unwrap();
    let refused = Embedded::restore(&backup, &restored).unwrap_err();
    assert!(
        matches!(&refused, Error::BackupIncomplete { path } if path.ends_with("manifest")),
        "{refused:?}"
    );
    assert!(!restored.exists());
}
