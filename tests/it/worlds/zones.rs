//! A day that is written down is a day of the tenant, wherever it stands.

use serde_json::Value;

use crate::worlds::world::{Shape, World};

const TENANT: &str = "zones";

/// What a command prints, as JSON.
fn json(world: &World, arguments: &[&str]) -> Value {
    let more = ["--tenant", TENANT, "--output", "json"];
    let output = world.cli(&[arguments, &more].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn mrr(world: &World, as_of: &str, position: &str) -> i64 {
    let arguments = [
        "metrics",
        "revenue",
        "--as-of",
        as_of,
        "--at-least",
        position,
    ];
    let printed = json(world, &arguments);
    printed["revenue"][0]["mrr"]["minor"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_files_and_arguments_begin_in_the_tenants_time_zone_and_tables_show_its_clocks() {
    let world = World::start(Shape::Embedded).await;
    let made = world.cli(&[
        "tenants",
        "create",
        TENANT,
        "--time-zone",
        "America/New_York",
        "--fixed-clock",
        "2026-04-01",
        "--output",
        "json",
    ]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let tenant = &made["tenants"][0];
    assert_eq!(tenant["fixed_clock"], "2026-04-01T04:00:00Z");
    let files = [
        ("accounts", "account_id,created_at\nacme,2026-01-01\n"),
        (
            "subscriptions",
            "time,account_id,subscription_id,status,price_id,unit_amount,currency,interval\n\
             2026-03-01,acme,s1,active,seat,40,USD,month\n",
        ),
        (
            "payments",
            "time,account_id,amount,currency\n2026-03-01,acme,40,USD\n",
        ),
    ];
    let mut position = String::new();
    for (kind, text) in files {
        let path = world.folder().join(kind).with_extension("csv");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let imported = json(
            &world,
            &["import", path, "--kind", kind, "--history", "daily"],
        );
        let reached = &imported["position"][0]["position"];
        reached.as_str().unwrap().clone_into(&mut position);
    }

    // The month, the day and the hour in which it began to pay.
    let months = json(
        &world,
        &[
            "metrics",
            "waterfall",
            "--months",
            "2",
            "--at-least",
            &position,
        ],
    );
    let new = |month: usize| {
        let month = &months["waterfall"][month];
        (
            month["month"].as_str().unwrap(),
            month["new"]["minor"].as_i64().unwrap(),
        )
    };
    assert_eq!([new(0), new(1)], [("2026-02", 0), ("2026-03", 4_000)]);
    for (as_of, expected) in [
        ("2026-02-28", 0),
        ("2026-03-01T04:59:59Z", 0),
        ("2026-03-01", 4_000),
        ("2026-03-01T00:00:00-05:00", 4_000),
    ] {
        assert_eq!(mrr(&world, as_of, &position), expected, "{as_of}");
    }
    let account = json(&world, &["account", "acme"]);
    assert_eq!(account["payments"][0]["first_at"], "2026-03-01T05:00:00Z");
    let shown = world.cli(&["account", "acme", "--tenant", TENANT]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let row = shown.lines().find(|line| line.contains("succeeded"));
    assert!(row.unwrap().ends_with(" 2026-03-01"), "{shown}");
}
