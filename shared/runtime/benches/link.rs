//! What a call over a link costs: in-process through every layer, and over a socket of this machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark may stop"
)]

#[expect(
    dead_code,
    reason = "shared with the integration tests, which use all of it"
)]
#[path = "../tests/it/probe.rs"]
mod probe;
#[expect(
    dead_code,
    reason = "shared with the integration tests, which use all of it"
)]
#[path = "../tests/it/world.rs"]
mod world;

use std::time::Duration;

use tokio::time::Instant;

use sextant_runtime::config::{LogFormat, Telemetry as Config};
use sextant_runtime::link::{Link, LinkOptions};
use sextant_runtime::server::Stack;
use sextant_runtime::telemetry::Telemetry;

use crate::probe::{Probe, ask};
use crate::world::{Keys, Kind, LIMITS, World};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = Config {
            log_filter: "info".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
            trace_sample_ratio: 1.0,
        };
        let telemetry = Telemetry::new(&config, "bench").unwrap();
        let bare = World::new(LIMITS);
        let direct = LinkOptions::new(LIMITS.default_deadline, telemetry.meters().clone());
        let link = Link::in_process(Stack::bare(Probe::new().0), &direct);
        report("in-process, no layers", &link, 200_000).await;
        let link = bare
            .link(Probe::new().0, Kind::InProcess, &bare.options())
            .await;
        report("in-process, all layers, nothing observed", &link, 200_000).await;
        telemetry.install().unwrap();
        for (kind, calls) in [(Kind::InProcess, 200_000), (Kind::Network, 20_000)] {
            let world = World::with(LIMITS, Keys(Vec::new()), telemetry.meters().clone());
            let link = world.link(Probe::new().0, kind, &world.options()).await;
            report(
                &format!("{kind:?}, all layers, logs and metrics on"),
                &link,
                calls,
            )
            .await;
        }
    });
}

/// The best of many short rounds: the machine may be busy with something else in between.
async fn report(name: &str, link: &Link, calls: u32) {
    const ROUNDS: u32 = 200;
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..calls / ROUNDS {
            ask(link, "echo:x").await.unwrap();
        }
        best = best.min(started.elapsed() / (calls / ROUNDS));
    }
    println!("{name}: {:.2} µs per unary call", best.as_secs_f64() * 1e6);
}
