//! What the command line does with a key that has one scope.

use std::fs;

use serde_json::Value;

use sextant_runtime::auth::Key;

use crate::worlds::records::at;
use crate::worlds::seats::Seats;
use crate::worlds::world::{Shape, World, tenant};

const TENANT: &str = "scopes";

/// A key of the tenant with that scope alone.
fn key(world: &World, scope: &str) -> Key {
    let arguments = ["keys", "create", "--scope", scope, "--tenant", TENANT];
    let made = world.cli(&[&arguments[..], &["--output", "json"]].concat());
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    Key::parse(made["keys"][0]["secret"].as_str().unwrap()).unwrap()
}

/// Runs a command with a key; its exit code and what it said beside its answer.
fn ask(world: &World, key: &Key, arguments: &[&str]) -> (Option<i32>, String) {
    let output = world.cli_of(key, arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told)
}

#[tokio::test]
async fn a_key_that_may_only_send_imports_and_one_that_may_only_define_defines() {
    let world = World::start(Shape::Embedded).await;
    for name in [TENANT, "other"] {
        tenant(&world.client(), name, at("2026-02-01T00:00")).await;
    }
    let path = world.folder().join("accounts.csv");
    fs::write(&path, "account_id,created_at\nacme,2026-01-31\n").unwrap();
    let path = path.to_str().unwrap();
    let import = ["import", path, "--kind", "accounts"];
    let define = [
        "segmentations",
        "create",
        "lifecycle",
        "--segmenter",
        "sextant.lifecycle",
    ];
    let members = ["members", "lifecycle"];

    let (sends, defines) = (key(&world, "ingest"), key(&world, "define"));
    assert_eq!(ask(&world, &sends, &import), (Some(0), String::new()));
    assert_eq!(ask(&world, &defines, &define), (Some(0), String::new()));
    // What it stores it may not read, and does not wait for.
    let history = [&import[..], &["--history", "daily", "--tenant", TENANT]].concat();
    let (code, told) = ask(&world, &sends, &history);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("is not waited for"), "{told}");

    for (key, arguments) in [
        (&sends, &define[..]),
        (&defines, &import),
        (&sends, &members),
        (&defines, &members),
    ] {
        let (code, told) = ask(&world, key, arguments);
        assert_eq!(code, Some(4), "{arguments:?}: {told}");
        assert!(told.contains("(SCOPE_MISSING)"), "{told}");
    }
    // What is of the installation is asked without a tenant, however many there are.
    assert!(world.cli(&["segmenters"]).status.success());
    world.end().await;
}

#[tokio::test]
async fn what_all_tenants_share_is_published_by_keys_of_the_installation_alone() {
    let world = World::start(Shape::Embedded).await;
    tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    let publishes = [
        "keys",
        "create",
        "--installation",
        "--scope",
        "plugins.publish",
    ];
    let made = world.cli(&[&publishes[..], &["--output", "json"]].concat());
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let publisher = Key::parse(made["keys"][0]["secret"].as_str().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = Seats::default().compile_into(folder.path());
    let push = ["plugin", "push", file.to_str().unwrap()];

    let (code, told) = ask(&world, &key(&world, "admin"), &push);
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("a key of the installation"), "{told}");
    let of_tenant = ["keys", "create", "--scope", "plugins.publish"];
    let made = world.cli(&[&of_tenant[..], &["--tenant", TENANT]].concat());
    let told = String::from_utf8(made.stderr).unwrap();
    assert!(told.contains("a key of the installation"), "{told}");
    let (code, told) = ask(&world, &publisher, &push);
    assert_eq!(code, Some(0), "{told}");
    // It opens nothing else, and there is none of another kind.
    let members = ["members", "lifecycle", "--tenant", TENANT];
    let (code, told) = ask(&world, &publisher, &members);
    assert_eq!(code, Some(4), "{told}");
    let made = world.cli(&["keys", "create", "--installation", "--scope", "read"]);
    let told = String::from_utf8(made.stderr).unwrap();
    assert!(told.contains("SCOPE_PLUGINS_PUBLISH"), "{told}");
}
