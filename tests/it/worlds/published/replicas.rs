//! Several processes of segmentation: each has to have a segmenter before it decides.

use tokio::time::Instant;

use sextant::client::Client;
use sextant::installation::Role;
use sextant_proto::segmentation::v1::Membership;

use crate::worlds::published::{LONGEST_WAIT, TENANT, Team, with_seats};
use crate::worlds::records::{accept, membership, now, segments};
use crate::worlds::world::{Shape, segmentation_by};

/// A client of the team's tenant that calls another process.
async fn of_tenant(client: &Client) -> Client {
    let found = client.find_tenant(Some(TENANT)).await.unwrap();
    client.of_tenant(&found).unwrap()
}

/// Asks until an account is in a segment.
async fn wait_for(client: &Client, (account, segment): (&str, &str), position: &str) -> Membership {
    let give_up = Instant::now() + LONGEST_WAIT;
    loop {
        let found = membership(client, account, "seats", &now(position)).await;
        if found.segment == segment {
            return found;
        }
        assert!(Instant::now() < give_up, "{found:?}");
    }
}

#[tokio::test]
async fn a_revision_decides_in_every_process_once_all_of_them_have_its_segmenter() {
    let team = Team::start(Shape::Apart).await;
    let (second, client) = team.world.replica(Role::Segmentation, &[]);
    let other = of_tenant(&client).await;
    team.plugin(&["push", &team.version("1.0.0", 50)]);
    segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
    let position = team.ten_accounts().await;
    wait_for(&other, ("account-5", "large"), &position).await;
    team.plugin(&[
        "push",
        &team.version("1.1.0", 60),
        "--segmentation",
        "seats",
    ]);
    team.plugin(&["activate", "seats"]);
    let here = wait_for(&team.client, ("account-5", "small"), &position).await;
    let there = wait_for(&other, ("account-5", "small"), &position).await;
    assert_eq!(here, there);
    // Whoever of them takes in the next change decides by it.
    for (hour, name) in [(9, "account-9"), (10, "account-10")] {
        let [_, changed] = with_seats(name, hour, 55);
        let position = accept(&team.client, vec![changed]).await;
        for client in [&team.client, &other] {
            let found = wait_for(client, (name, "small"), &position).await;
            assert_eq!(found.plugin_digest, here.plugin_digest);
        }
    }
    // One that is made here is known there at once, before anything happens to its accounts.
    segmentation_by(&team.client, "more-seats", "acme.seats", "{}").await;
    let found = segments(&other, "more-seats", &now(&position)).await;
    let accounts: Vec<u64> = found.iter().map(|one| one.accounts).collect();
    assert_eq!(accounts, [7, 3]);
    drop(second);
}

#[tokio::test]
async fn a_process_that_cannot_have_a_segmenter_keeps_it_from_deciding() {
    let team = Team::start(Shape::Apart).await;
    team.plugin(&["push", &team.version("1.0.0", 50)]);
    segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
    let position = team.ten_accounts().await;
    // It asks for signatures, and nothing is signed.
    let strict = ["plugins.trust=signed".to_owned()];
    let (_strict, _) = team.world.replica(Role::Segmentation, &strict);
    let give_up = Instant::now() + LONGEST_WAIT;
    let mut told = String::new();
    while !told.contains("S-signed") {
        assert!(Instant::now() < give_up, "{told}");
        team.plugin(&[
            "push",
            &team.version("1.1.0", 60),
            "--segmentation",
            "seats",
        ]);
        told = team.refused(&["activate", "seats"]);
    }
    assert!(told.contains("replica "), "{told}");
    assert_eq!(team.sizes(&position).await, (4, 6));
}
