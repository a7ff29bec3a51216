//! The answers do not depend on how the program is run.

use std::process::Output;

use crate::worlds::process::{run, segmenters};
use crate::worlds::world::{Shape, World};

const DEMO: [&str; 10] = [
    "demo",
    "--exit",
    "--output",
    "json",
    "--dataset",
    "saas",
    "--accounts",
    "12",
    "--months",
    "3",
];

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
    printed(run(&settings, &DEMO))
}

#[tokio::test]
async fn the_demo_prints_the_same_bytes_however_the_services_run() {
    let alone = alone();
    assert!(alone.contains("saas_waterfall"), "{alone}");
    for shape in [Shape::Embedded, Shape::Together, Shape::Apart] {
        let world = World::start(shape).await;
        let served = printed(world.cli(&DEMO));
        assert!(
            served == alone,
            "{shape:?} answers otherwise.\nalone: {alone}\n{shape:?}: {served}"
        );
        world.end().await;
    }
}
