use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use sextant_runtime::config::{LogFormat, Telemetry as Config};
use sextant_runtime::server::{Listener, serve_admin};
use sextant_runtime::telemetry::{Metric, Telemetry};

use crate::probe::Probe;
use crate::world::{LIMITS, World, within};

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn the_admin_port_tells_health_readiness_and_metrics_to_plain_http() {
    let config = Config {
        log_filter: "off".to_owned(),
        log_format: LogFormat::Text,
        otlp_endpoint: None,
        trace_sample_ratio: 1.0,
    };
    let telemetry = Telemetry::new(&config, "test").unwrap();
    telemetry.meters().record(Metric::Transitions, 3.0, &[]);
    let world = World::new(LIMITS);
    let free = "127.0.0.1:0".parse().unwrap();
    let free = Listener::bind(free).unwrap();
    let admin = serve_admin(free, &world.lifecycle, &world.readiness, telemetry.scrape());

    assert!(get(admin, "/healthz").await.starts_with("HTTP/1.1 200"));
    let starting = get(admin, "/readyz").await;
    assert!(starting.starts_with("HTTP/1.1 503"));
    assert!(
        starting.ends_with("not ready: it does not serve yet\n"),
        "{starting}"
    );
    world.serve(world.mount(Probe::new().0)).await;
    assert!(get(admin, "/readyz").await.starts_with("HTTP/1.1 200"));
    world.lifecycle.shut_down();
    assert!(get(admin, "/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(get(admin, "/healthz").await.starts_with("HTTP/1.1 200"));

    let metrics = get(admin, "/metrics").await;
    assert!(
        metrics.starts_with("HTTP/1.1 200") && metrics.contains("sextant_transitions_total 3"),
        "{metrics}"
    );
    assert!(get(admin, "/").await.starts_with("HTTP/1.1 404"));
}
