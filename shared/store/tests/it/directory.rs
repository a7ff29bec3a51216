//! The data directory: lock, versions, room, backup.

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{Slice, TenantId};
use sextant_store::Error as StoreError;
use sextant_store::embedded::{Embedded, Error, Ingestion, Options};
use sextant_store::port::{
    Committed, FactBatch, Facts, Feed, FeedEntry, Intake, Outcome, Page, Tenants,
};

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

#[tokio::test]
async fn an_import_that_was_open_before_its_opening_was_noted_is_open() {
    let directory = TempDir::new().unwrap();
    let first = include_str!("../../queries/sqlite/migrations/ingestion/0001_initial.sql");
    let file = Connection::open(directory.path().join("ingestion.db")).unwrap();
    file.execute_batch(first).unwrap();
    for (id, importing) in [(1_u128, true), (2, false)] {
        let insert = "INSERT INTO tenant VALUES (?1, ?2, 'UTC', 'USD', NULL, 400, 1, ?3, 5, 'value_quantile')";
        let row = (id.to_be_bytes(), id.to_string(), importing);
        file.execute(insert, row).unwrap();
    }
    file.pragma_update(None, "user_version", 1).unwrap();
    file.close().unwrap();
    let peek = |after: &str| {
        let page = Page {
            after: Some(after.to_owned()),
            limit: 9,
        };
        Embedded::peek_tenants(directory.path(), &page)
    };
    assert!(peek("").is_err(), "its columns are not those of today");
    let store = Embedded::open(directory.path()).unwrap();
    let tenants = store.ingestion();
    let of = async |id| tenants.by_id(TenantId(id)).await.unwrap().unwrap();
    assert_eq!(of(1).await.import_opened_at, Some(of(1).await.created_at));
    assert_eq!(of(2).await.import_opened_at, None);
    // Also while it is in use.
    assert_eq!(peek("").unwrap(), [of(1).await, of(2).await]);
    assert_eq!(peek("1").unwrap(), [of(2).await]);
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

/// Overwrites a page in the middle of a file with zeros.
fn zero_a_page(path: &Path) {
    const PAGE: usize = 4_096;
    let mut bytes = fs::read(path).unwrap();
    let n_pages = bytes.len() / PAGE;
    assert!(n_pages > 4);
    bytes[n_pages / 2 * PAGE..][..PAGE].fill(0);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_backup_whose_pages_were_zeroed_is_not_restored() {
    let directory = TempDir::new().unwrap();
    let (live, backup, restored) = (
        directory.path().join("live"),
        directory.path().join("backup"),
        directory.path().join("restored"),
    );
    let _in_use = Embedded::open(&live).unwrap();
    Embedded::backup(&live, &backup).unwrap();
    zero_a_page(&backup.join("ingestion.db"));
    let refused = Embedded::restore(&backup, &restored).unwrap_err();
    assert!(
        matches!(&refused, Error::BackupChanged { path } if path.ends_with("ingestion.db")),
        "{refused:?}"
    );
    assert!(!restored.exists());
}

#[tokio::test]
async fn a_damaged_file_is_found_in_place_and_in_a_backup_of_it() {
    let directory = TempDir::new().unwrap();
    let (live, backup, restored) = (
        directory.path().join("live"),
        directory.path().join("backup"),
        directory.path().join("restored"),
    );
    let store = Embedded::open(&live).unwrap();
    assert!(Embedded::damaged(&live).is_empty(), "while it is in use");
    drop(store);
    assert!(Embedded::damaged(&live).is_empty());
    zero_a_page(&live.join("metrics.db"));
    let found = Embedded::damaged(&live);
    assert!(
        matches!(found.as_slice(), [Error::Damaged { path, found }] if path.ends_with("metrics.db") && !found.is_empty()),
        "{found:?}"
    );
    let _in_use = Embedded::open(&live).unwrap();
    Embedded::backup(&live, &backup).unwrap();
    let refused = Embedded::restore(&backup, &restored).unwrap_err();
    assert!(
        matches!(&refused, Error::Damaged { path, .. } if path.ends_with("metrics.db")),
        "{refused:?}"
    );
    assert!(!restored.exists());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The directory is 0700 and everything in it 0600.
#[track_caller]
fn is_closed(directory: &Path) {
    assert_eq!(mode(directory), 0o700, "{}", directory.display());
    let mut n_files = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        n_files += 1;
    }
    assert!(n_files >= 5, "{n_files} files");
    assert!(Embedded::open_to_others(directory).unwrap().is_empty());
}

#[tokio::test]
async fn data_and_backups_are_for_their_owner_alone() {
    let directory = TempDir::new().unwrap();
    let (live, backup, restored) = (
        directory.path().join("live"),
        directory.path().join("backup"),
        directory.path().join("restored"),
    );
    let store = Embedded::open(&live).unwrap();
    let commit = store.ingestion().commit(batch(1, vec![account()])).await;
    commit.unwrap();
    assert!(live.join("ingestion.db-wal").exists());
    is_closed(&live);
    fs::create_dir(&backup).unwrap();
    Embedded::backup(&live, &backup).unwrap();
    is_closed(&backup);
    for entry in fs::read_dir(&backup).unwrap() {
        set_mode(&entry.unwrap().path(), 0o644);
    }
    Embedded::restore(&backup, &restored).unwrap();
    drop(Embedded::open(&restored).unwrap());
    is_closed(&restored);
}

#[test]
fn an_open_directory_of_ours_is_closed_and_one_of_others_too_is_left() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    drop(Embedded::open(path).unwrap());
    let file = path.join("ingestion.db");
    set_mode(path, 0o755);
    set_mode(&file, 0o644);
    assert_eq!(
        Embedded::open_to_others(path).unwrap(),
        [path.to_owned(), file.clone()]
    );
    drop(Embedded::open(path).unwrap());
    is_closed(path);

    let other = path.join("notes.txt");
    fs::write(&other, "not ours").unwrap();
    set_mode(&other, 0o644);
    set_mode(path, 0o755);
    set_mode(&file, 0o644);
    drop(Embedded::open(path).unwrap());
    assert_eq!(
        (mode(path), mode(&other), mode(&file)),
        (0o755, 0o644, 0o600)
    );
}

#[test]
fn nothing_is_made_where_a_store_has_to_be() {
    let directory = TempDir::new().unwrap();
    let absent = directory.path().join("absent");
    for path in [&absent, directory.path()] {
        let refused = Embedded::open_existing(path).unwrap_err();
        assert!(matches!(refused, Error::NoStore { .. }), "{refused:?}");
    }
    assert!(!absent.exists() && fs::read_dir(directory.path()).unwrap().next().is_none());
}
