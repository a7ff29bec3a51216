//! An import whose service goes away and comes back ends as if it had stayed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

use sextant::client::Client;
use sextant::installation::Role;
use sextant_proto::ingestion::v1::ListSourcesRequest;

use crate::worlds::records::at;
use crate::worlds::world::{Shape, World, tenant};

const TENANT: &str = "away";
/// Rows before the death: more than an import sends at once.
const ROWS_BEFORE: usize = 3_000;
/// Rows after it.
const ROWS_AFTER: usize = 500;

fn rows(numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|n| format!("account-{n},2025-01-01\n"))
        .collect()
}

/// Imports a file of accounts, and tells of what happens on the way.
fn import(world: &World, path: &Path) -> Output {
    let path = path.to_str().unwrap();
    world.cli_with_notes(&[
        "import", path, "--kind", "accounts", "--tenant", TENANT, "--output", "json",
    ])
}

/// Rows of a verdict; 0 where there are none.
fn rows_of(output: &Output, verdict: &str) -> u64 {
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdicts = printed["verdicts"].as_array().unwrap();
    let row = verdicts.iter().find(|row| row["verdict"] == verdict);
    row.map_or(0, |row| row["rows"].as_u64().unwrap())
}

#[track_caller]
fn ended_well(output: &Output, n_rows: usize) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("waiting up to 60 s"), "{told}");
    assert!(told.contains("note: going on"), "{told}");
    assert_eq!(rows_of(output, "all"), u64::try_from(n_rows).unwrap());
}

/// Returns when ingestion has taken a record of the file.
async fn first_is_stored(client: &Client) {
    loop {
        let request = client.request(ListSourcesRequest::default());
        let counts = client.sources().list_sources(request).await.unwrap();
        if counts
            .into_inner()
            .sources
            .iter()
            .any(|one| one.accepted > 0)
        {
            return;
        }
    }
}

/// Accounts that are stored, each once.
fn n_accounts(world: &World) -> usize {
    let output = world.cli(&[
        "accounts", "--limit", "0", "--tenant", TENANT, "--output", "json",
    ]);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    printed["accounts"].as_array().unwrap().len()
}

/// The file is a pipe, so the import is under way when its service is killed, whatever the speed of either.
#[test]
fn an_import_goes_on_with_a_service_that_was_killed_and_started_again() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start(Shape::Embedded));
    let client =
        runtime.block_on(async { tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await });
    let pipe = world.folder().join("accounts.csv");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let output = thread::scope(|scope| {
        let (world, pipe) = (&world, pipe.as_path());
        let importing = scope.spawn(move || import(world, pipe));
        let mut file = File::create(pipe).unwrap();
        write!(file, "account_id,created_at\n{}", rows(0..ROWS_BEFORE)).unwrap();
        runtime.block_on(first_is_stored(&client));
        world.kill_and_restart(Role::All);
        file.write_all(rows(ROWS_BEFORE..ROWS_BEFORE + ROWS_AFTER).as_bytes())
            .unwrap();
        drop(file);
        importing.join().unwrap()
    });
    ended_well(&output, ROWS_BEFORE + ROWS_AFTER);
    assert_eq!(n_accounts(&world), ROWS_BEFORE + ROWS_AFTER);
    assert_eq!(rows_of(&output, "duplicate"), 0);
    let stored = rows_of(&output, "accepted") + rows_of(&output, "resent");
    assert_eq!(stored, rows_of(&output, "all"));
}

#[tokio::test]
async fn what_was_stored_without_an_acknowledgement_is_counted_once_and_not_as_a_duplicate() {
    let world = std::sync::Arc::new(World::start(Shape::Embedded).await);
    tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    let path = world.folder().join("accounts.csv");
    fs::write(&path, format!("account_id,created_at\n{}", rows(0..3))).unwrap();
    world.restart_dying(Role::All, ["ingestion", "after"]);
    let importing = {
        let world = std::sync::Arc::clone(&world);
        spawn_blocking(move || import(&world, &path))
    };
    world.wait_for_death(Role::All).await;
    world.kill_and_restart(Role::All);
    let output = importing.await.unwrap();
    ended_well(&output, 3);
    assert_eq!(
        (rows_of(&output, "accepted"), rows_of(&output, "resent")),
        (0, 3)
    );
    assert_eq!(n_accounts(&world), 3);
    world.end().await;
}
