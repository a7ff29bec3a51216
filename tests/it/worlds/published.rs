//! Segmenters that teams publish to the running service.

mod learned;
mod life;
mod listed;
mod quarantined;
mod refused;
mod remote;
mod replicas;
mod slow;
mod swapped;
mod trusted;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use sextant::client::Client;
use sextant_proto::ingestion::v1::Record;

use crate::worlds::records::{accept, account, at, now, segments, subscription};
use crate::worlds::seats::Seats;
use crate::worlds::world::{Shape, World, tenant};

const TENANT: &str = "seats";

/// Longest wait for what the service does by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A team that writes segmenters, beside the service that it publishes them to.
struct Team {
    world: World,
    client: Client,
    folder: TempDir,
}

impl Team {
    async fn start(shape: Shape) -> Self {
        Self::start_with(shape, &[]).await
    }

    async fn start_with(shape: Shape, settings: &[String]) -> Self {
        let world = World::start_with(shape, settings).await;
        let client = tenant(&world.client(), TENANT, at("2026-02-01T12:00")).await;
        Self {
            world,
            client,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Lets a proposed revision decide whatever would move.
    fn accept(&self, segmentation: &str, revision: &str, note: &str) -> Value {
        let accepted = ["--accept-diff", revision, "--note", note];
        self.plugin(&[&["activate", segmentation][..], &accepted].concat())
    }

    /// The same after processes were started again: a client that knows nothing of those before.
    async fn anew(self) -> Self {
        let installation = self.world.client();
        let found = installation.find_tenant(Some(TENANT)).await.unwrap();
        Self {
            client: installation.of_tenant(&found).unwrap(),
            ..self
        }
    }

    /// A version that takes accounts with so many seats for large.
    fn version(&self, version: &'static str, large_from: u64) -> String {
        self.compile(Seats {
            version,
            large_from,
            ..Seats::default()
        })
    }

    fn compile(&self, seats: Seats) -> String {
        let path: PathBuf = seats.compile_into(self.folder.path());
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command of the group, about the tenant; its answer.
    fn plugin(&self, arguments: &[&str]) -> Value {
        let of_tenant = ["--tenant", TENANT, "--output", "json"];
        let output = self
            .world
            .cli(&[&["plugin"], arguments, &of_tenant].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The same of a command that is refused; what it says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self
            .world
            .cli(&[&["plugin"], arguments, &["--tenant", TENANT]].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        told
    }

    /// Ten accounts with ten, twenty, ... a hundred seats.
    async fn ten_accounts(&self) -> String {
        let accounts = (1..=10).flat_map(|n| with_seats(&format!("account-{n}"), 8, 10 * n));
        accept(&self.client, accounts.collect()).await
    }

    /// How many accounts are small, and large.
    async fn sizes(&self, position: &str) -> (u64, u64) {
        let segments = segments(&self.client, "seats", &now(position)).await;
        let of = |key: &str| {
            let found = segments.iter().find(|one| {
                let segment = one.segment.as_ref();
                segment.is_some_and(|segment| segment.key == key)
            });
            found.map_or(0, |found| found.accounts)
        };
        (of("small"), of("large"))
    }
}

/// An account with so many seats, each for ten dollars a month, since an hour of a day.
fn with_seats(name: &str, hour: u32, seats: u64) -> [Record; 2] {
    let time = at(&format!("2026-01-20T{hour:02}:00"));
    [account(name, time), subscription(name, time, seats, 1_000)]
}

/// One column of the rows of an answer.
fn column(answer: &Value, block: &str, column: &str) -> Vec<Value> {
    let rows = answer[block].as_array().unwrap();
    rows.iter().map(|row| row[column].clone()).collect()
}
