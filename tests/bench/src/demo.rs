//! What a newcomer feels: how long the demo takes, how soon the services are ready, what they occupy when nothing happens.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::time::Instant;

use crate::program::{Cores, Served, command, scratch, sextant};
use crate::report::{Report, Row, Target};

/// Time that services get to come to rest before their memory is read.
const REST: Duration = Duration::from_secs(3);
/// Time after which services that nobody asks are measured: tenants leave memory after a second, and what they took goes back to
/// the system within twenty more.
const UNUSED: Duration = Duration::from_secs(30);
const READY_MS: f64 = 300.0;
const IDLE_MIB: f64 = 60.0;
/// Data sets and their seconds.
const DATASETS: [(&str, f64); 2] = [("cdnow", 8.0), ("saas", 45.0)];

/// Runs the demo to its end and returns its seconds.
async fn run(dataset: &str, folder: &Path) -> f64 {
    let mut command = command(&sextant(), Cores::All);
    command.args([
        "demo",
        "--exit",
        "--quiet",
        "--output",
        "json",
        "--dataset",
        dataset,
        "--data-dir",
    ]);
    command.arg(folder);
    for port in ["server.listen", "server.admin_listen"] {
        command.args(["--set", &format!("{port}=127.0.0.1:0")]);
    }
    command.args(["--set", "telemetry.log_filter=warn"]);
    command.stdin(Stdio::null());
    let begun = Instant::now();
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok(),
        "the answer is no JSON"
    );
    seconds
}

/// Starts the services on a folder; returns milliseconds until they are ready and MiB at rest.
async fn start(folder: &Path) -> (f64, f64) {
    let served = Served::embedded(folder, Cores::All, &[]).await;
    tokio::time::sleep(REST).await;
    (
        served.started_in.as_secs_f64() * 1e3,
        served.process.resident_mib(),
    )
}

/// What services occupy in MiB after somebody asked what all accounts have to be in memory for, and then nobody any more.
async fn used(dataset: &str, folder: &Path) -> f64 {
    let settings = ["cache.tenant_idle_s=1".to_owned()];
    let served = Served::embedded(folder, Cores::All, &settings).await;
    let segmentation = if dataset == "cdnow" {
        "rfm"
    } else {
        "lifecycle"
    };
    let questions = [
        ["segments", segmentation, "--sum", "purchase.total_minor"],
        ["metrics", "revenue", "--by", segmentation],
    ];
    for question in questions {
        let mut command = command(&sextant(), Cores::All);
        command.args(question);
        command.args(["--tenant", dataset, "--key", &served.key]);
        command.args(["--address", &format!("http://{}", served.address)]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let status = tokio::task::spawn_blocking(move || command.status().unwrap());
        assert!(status.await.unwrap().success(), "{question:?}");
    }
    tokio::time::sleep(UNUSED).await;
    served.process.resident_mib()
}

pub(crate) async fn measure(report: &mut Report, n_rounds: usize) {
    let folder = scratch();
    let mut last = Vec::new();
    for (dataset, target) in DATASETS {
        let mut seconds = Vec::new();
        for round in 0..n_rounds {
            let data = folder.path().join(format!("{dataset}-{round}"));
            seconds.push(run(dataset, &data).await);
            last = vec![(dataset, data)];
        }
        report.add(
            Row::new(format!("demo, {dataset}"), "s", seconds).should_be(Target::AtMost(target)),
        );
    }
    last.insert(
        0,
        (
            "cdnow",
            folder.path().join(format!("cdnow-{}", n_rounds - 1)),
        ),
    );
    let (mut ready, mut idle) = (Vec::new(), Vec::new());
    for round in 0..n_rounds {
        let (ready_ms, idle_mib) = start(&folder.path().join(format!("empty-{round}"))).await;
        ready.push(ready_ms);
        idle.push(idle_mib);
    }
    report.add(
        Row::new("start to ready, no data yet", "ms", ready).should_be(Target::AtMost(READY_MS)),
    );
    report.add(
        Row::new("memory at rest, no data yet", "MiB", idle).should_be(Target::AtMost(IDLE_MIB)),
    );
    for (dataset, data) in last {
        let (mut ready, mut idle, mut unused) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..n_rounds {
            let (ready_ms, idle_mib) = start(&data).await;
            ready.push(ready_ms);
            idle.push(idle_mib);
            unused.push(used(dataset, &data).await);
        }
        report.add(
            Row::new(
                format!("start to ready, data of the demo {dataset}"),
                "ms",
                ready,
            )
            .should_be(Target::AtMost(READY_MS)),
        );
        report.add(
            Row::new(
                format!("memory at rest, data of the demo {dataset}"),
                "MiB",
                idle,
            )
            .should_be(Target::AtMost(IDLE_MIB)),
        );
        report.add(
            Row::new(
                format!("memory at rest after use, data of the demo {dataset}"),
                "MiB",
                unused,
            )
            .should_be(Target::AtMost(IDLE_MIB)),
        );
    }
}
