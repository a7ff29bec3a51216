//! The answers do not depend on how the program is run.

use std::process::Output;

use tokio::task::block_in_place;
use tokio::time::Instant;

use sextant_proto::ingestion::v1::{ListSourcesRequest, ListTenantsRequest};

use crate::worlds::process::{run, segmenters};
use crate::worlds::records::ask;
use crate::worlds::released;
use crate::worlds::world::{Shape, World, tenant_in};

/// The whole demo, or a small part of it.
fn demo() -> Vec<&'static str> {
    let mut arguments = vec!["demo", "--exit", "--output", "json"];
    if released().is_none() {
        arguments.extend(["--dataset", "saas", "--accounts", "12", "--months", "3"]);
    }
    arguments
}

fn printed(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The demo in a process of its own, which starts the services and ends with them.
fn alone() -> String {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        format!("store.data_dir={}", folder.path().display()),
        format!("plugins.builtin_dir={}", segmenters().display()),
        "server.listen=127.0.0.1:0".to_owned(),
        "server.admin_listen=127.0.0.1:0".to_owned(),
    ];
    printed(run(&settings, &demo()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_leaves_a_tenant_alone_that_only_has_the_name_of_its_own() {
    let world = World::start(Shape::Embedded).await;
    let client = tenant_in(&world.client(), "saas", "UTC", None).await;
    let refused = block_in_place(|| world.cli(&["demo", "--exit"]));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(6), "{told}");
    assert!(told.contains("the tenant \"saas\""), "{told}");
    assert!(told.contains("`sextant demo --data-dir DIR`"), "{told}");

    let tenants = ask!(
        world.client(),
        tenants.list_tenants,
        ListTenantsRequest::default()
    );
    assert_eq!(tenants.tenants.len(), 1, "{tenants:?}");
    let counts = ask!(client, sources.list_sources, ListSourcesRequest::default());
    assert_eq!(counts.sources, []);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_goes_on_in_its_own_tenant_also_where_its_clock_was_moved() {
    let demo = [
        "demo",
        "--exit",
        "--dataset",
        "saas",
        "--accounts",
        "12",
        "--months",
        "3",
    ];
    let advance = [
        "tenants",
        "advance",
        "2026-01-03",
        "--tenant",
        "saas-12-3-1",
    ];
    let world = World::start(Shape::Embedded).await;
    let first = printed(block_in_place(|| world.cli(&demo)));
    assert!(first.contains("value tiers on 2026-01-01"), "{first}");
    printed(block_in_place(|| world.cli(&advance)));
    let again = printed(block_in_place(|| world.cli(&demo)));
    assert!(again.contains("value tiers on 2026-01-03"), "{again}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_the_same_bytes_however_the_services_run() {
    let begun = Instant::now();
    let alone = alone();
    println!("alone: after {:?}", begun.elapsed());
    assert!(alone.contains("saas_waterfall"), "{alone}");
    assert_eq!(alone.contains("cdnow"), released().is_some());
    for shape in [Shape::Embedded, Shape::Together, Shape::Apart] {
        let world = World::start(shape).await;
        let served = printed(block_in_place(|| world.cli(&demo())));
        assert!(
            served == alone,
            "{shape:?} answers otherwise.\nalone: {alone}\n{shape:?}: {served}"
        );
        println!("{shape:?}: the same bytes after {:?}", begun.elapsed());
        world.end().await;
    }
}
