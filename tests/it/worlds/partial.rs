//! What is answered about an account while services are away.

use std::process::Output;

use serde_json::Value;

use sextant::installation::Role;

use crate::worlds::records::at;
use crate::worlds::world::{Shape, World, segmentation, tenant};

const TENANT: &str = "partial";

fn account(world: &World, more: &[&str]) -> (Option<i32>, Value, String) {
    let arguments = ["account", "acme", "--tenant", TENANT, "--output", "json"];
    let Output {
        status,
        stdout,
        stderr,
    } = world.cli(&[&arguments[..], more].concat());
    let printed = if stdout.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&stdout).unwrap()
    };
    (status.code(), printed, String::from_utf8(stderr).unwrap())
}

/// Keys of an answer that are among these.
fn found<'k>(printed: &Value, keys: &[&'k str]) -> Vec<&'k str> {
    let has = |key: &&&str| printed.get(**key).is_some();
    keys.iter().filter(has).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_shown_without_what_services_that_are_away_know_and_each_of_them_is_named() {
    let world = World::start(Shape::Apart).await;
    let client = tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    segmentation(&client, "rfm").await;
    let path = world.folder().join("payments.csv");
    let rows =
        "time,account_id,amount,currency,payment_id\n2026-01-20T09:30:00Z,acme,12.34,USD,p1\n";
    std::fs::write(&path, rows).unwrap();
    let accounts = world.folder().join("accounts.csv");
    std::fs::write(&accounts, "account_id,created_at\nacme,2026-01-01\n").unwrap();
    let mut position = String::new();
    for (path, kind) in [(&accounts, "accounts"), (&path, "payments")] {
        let path = path.to_str().unwrap();
        let imported = world.cli(&[
            "import", path, "--kind", kind, "--tenant", TENANT, "--output", "json",
        ]);
        let imported: Value = serde_json::from_slice(&imported.stdout).unwrap();
        let row = &imported["position"][0]["position"];
        row.as_str().unwrap().clone_into(&mut position);
    }
    let (code, whole, told) = account(&world, &["--at-least", &position]);
    assert_eq!(code, Some(0), "{told}");
    let of_ingestion = ["account", "payments"];
    let of_others = [
        "memberships",
        "scores",
        "transitions",
        "movements",
        "features",
    ];
    assert_eq!(found(&whole, &of_ingestion), of_ingestion);
    assert_eq!(found(&whole, &of_others), of_others);
    assert_eq!(whole["payments"][0]["first_at"], "2026-01-20T09:30:00Z");

    // Of one account there is no model, and it is said why.
    let models = world.cli(&["models", "--tenant", TENANT, "--output", "json"]);
    let models: Value = serde_json::from_slice(&models.stdout).unwrap();
    let models = models["models"].as_array().unwrap();
    let clv = models.iter().find(|one| one["model"] == "clv").unwrap();
    assert!(!clv["warning"].as_str().unwrap().is_empty(), "{clv}");

    world.kill(Role::Scoring);
    let (code, printed, told) = account(&world, &[]);
    assert_eq!(code, Some(5), "{told}");
    assert_eq!(found(&printed, &of_ingestion), of_ingestion);
    // Why an account is where it is now, scoring says.
    assert_eq!(found(&printed, &of_others), ["transitions", "movements"]);
    let away = |name: &str, address: &str, what: &str| {
        format!(
            "error: {name} at {address} cannot be reached (UNAVAILABLE); that is the address of services.{name}; missing from the answer: \
             {what}\n  more: sextant serve all starts one here; --address says where another one runs\n"
        )
    };
    let addresses = world.addresses();
    let of_segmentation = "error: scoring cannot be reached (UNAVAILABLE); missing from the answer: segments\n  \
                           more: sextant explain UNAVAILABLE\n";
    let scoring = away("scoring", &addresses.scoring, "scores and features");
    assert_eq!(told, format!("{of_segmentation}{scoring}"));

    world.kill(Role::Segmentation);
    let (code, printed, told) = account(&world, &[]);
    assert_eq!(code, Some(5), "{told}");
    assert_eq!(found(&printed, &of_others), ["movements"]);
    let missing = "names of segments, segments, moves between segments";
    let segmentation = away("segmentation", &addresses.segmentation, missing);
    assert_eq!(told, segmentation + &scoring);

    world.kill(Role::Ingestion);
    let (code, printed, told) = account(&world, &[]);
    assert_eq!((code, printed), (Some(5), Value::Null));
    let named = format!("ingestion at {} cannot be reached", addresses.ingestion);
    assert!(told.contains(&named) && !told.contains("scoring"), "{told}");
}
