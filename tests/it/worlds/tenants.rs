//! Many tenants: everybody is answered, and who is silent costs nothing.

use std::time::Duration;

use sextant::client::Client;
use sextant::installation::Role;
use sextant_proto::segmentation::v1::ListSegmentsRequest;

use crate::worlds::records::{accept, account, ask, at, event, feature, later, now};
use crate::worlds::world::{Shape, World, segmentation, tenant};

const TENANTS: usize = 300;
const ACCOUNTS: usize = 2_000;
const CLOCK: &str = "2026-02-01T12:00";
/// How long the silence lasts that is measured.
const SILENCE: Duration = Duration::from_secs(2);

/// Calls that were served, all methods together.
fn calls(world: &World) -> u64 {
    let text = world.scrape(Role::Ingestion);
    let counts = text
        .lines()
        .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
    counts.sum()
}

/// Calls and clock ticks of the processor in a time in which nobody asks for anything.
async fn silence(world: &World) -> (u64, u64) {
    let before = (calls(world), world.ticks());
    tokio::time::sleep(SILENCE).await;
    let after = (calls(world), world.ticks());
    (after.0 - before.0, after.1 - before.1)
}

async fn members(client: &Client, position: &str) -> u64 {
    let request = ListSegmentsRequest {
        segmentation: "lifecycle".to_owned(),
        at: Some(now(position)),
        ..ListSegmentsRequest::default()
    };
    ask!(client, segmentation.list_segments, request).accounts
}

/// A tenant of one account with one event.
async fn small(world: &Client, number: usize) -> (Client, String) {
    let client = tenant(world, &format!("small-{number:04}"), at(CLOCK)).await;
    let records = vec![
        account("a", at("2026-01-01T00:00")),
        event("a", "u", at("2026-01-31T10:00")),
    ];
    let position = accept(&client, records).await;
    (client, position)
}

async fn large(world: &Client) -> (Client, String) {
    let client = tenant(world, "large", at(CLOCK)).await;
    segmentation(&client, "lifecycle").await;
    let names: Vec<String> = (0..ACCOUNTS)
        .map(|number| format!("a{number:04}"))
        .collect();
    let mut records: Vec<_> = names
        .iter()
        .map(|name| account(name, at("2026-01-01T00:00")))
        .collect();
    records.extend(
        names
            .iter()
            .map(|name| event(name, "u", later("2026-01-30T00:00", 5))),
    );
    let position = accept(&client, records).await;
    (client, position)
}

#[tokio::test]
async fn hundreds_of_tenants_are_answered_and_cost_nothing_while_they_are_silent() {
    let world = World::start(Shape::Embedded).await;
    let installation = world.client();
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        tenants.push(small(&installation, number).await);
    }
    let (large, position) = large(&installation).await;
    assert_eq!(
        members(&large, &position).await,
        u64::try_from(ACCOUNTS).unwrap()
    );
    for (client, position) in &tenants {
        let days = feature(client, "a", "usage.active_days_28d", &now(position)).await;
        assert_eq!(days, Some(1));
    }

    let (calls_made, ticks) = silence(&world).await;
    assert_eq!(calls_made, 0);
    assert!(ticks < 20, "{ticks} ticks in {SILENCE:?}");

    world.kill_and_restart(Role::All);
    // The connections of before are gone with the process.
    let installation = world.client();
    let large = installation.find_tenant(Some("large")).await.unwrap();
    let large = installation.of_tenant(&large).unwrap();
    assert_eq!(
        members(&large, &position).await,
        u64::try_from(ACCOUNTS).unwrap()
    );
}
