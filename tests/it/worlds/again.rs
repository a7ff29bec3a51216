//! History that comes again changes nothing, and where accounts stand is what their features of today say.

use serde_json::Value;

use crate::worlds::world::{Shape, World};

const TENANT: &str = "again";

fn run(world: &World, arguments: &[&str]) -> Value {
    let output = world.cli(&[arguments, &["--tenant", TENANT, "--output", "json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn import(world: &World, kind: &str, rows: &str) -> String {
    let path = world.folder().join(kind).with_extension("csv");
    std::fs::write(&path, rows).unwrap();
    let path = path.to_str().unwrap();
    let imported = run(
        world,
        &["import", path, "--kind", kind, "--history", "daily"],
    );
    let reached = &imported["position"][0]["position"];
    reached.as_str().unwrap().to_owned()
}

fn members(world: &World, position: &str) -> Vec<Value> {
    let listed = run(world, &["members", "lifecycle", "--at-least", position]);
    listed["members"].as_array().unwrap().clone()
}

/// On the day of the clock, and on no day before, the account has paid for 30 days: that is when onboarding ends.
#[tokio::test(flavor = "multi_thread")]
async fn history_that_comes_twice_leaves_everyone_where_the_features_of_today_put_them() {
    let world = World::start(Shape::Embedded).await;
    let create = ["tenants", "create", TENANT, "--fixed-clock", "2026-02-01"];
    let made = world.cli(&create);
    assert!(made.status.success(), "{made:?}");
    let lifecycle = "sextant.lifecycle";
    run(
        &world,
        &[
            "segmentations",
            "create",
            "lifecycle",
            "--segmenter",
            lifecycle,
        ],
    );
    import(
        &world,
        "accounts",
        "account_id,created_at\nacme,2025-03-01\n",
    );
    let paying = "time,account_id,subscription_id,status,price_id,unit_amount,currency,interval\n\
                  2026-01-02,acme,s1,active,seat,40,USD,month\n";
    let position = import(&world, "subscriptions", paying);
    let first = members(&world, &position);
    assert_eq!(first[0]["segment"], "adopting", "{first:?}");
    assert_eq!(first[0]["entered_at"], "2026-02-01T00:00:00Z");

    let position = import(&world, "subscriptions", paying);
    assert_eq!(members(&world, &position), first);
}
