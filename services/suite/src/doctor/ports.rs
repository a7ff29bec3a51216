//! Whether the ports are free, or Sextant is what has them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use sextant_runtime::link::{Link, LinkOptions};
use sextant_runtime::server::LIVENESS;
use sextant_runtime::telemetry::Meters;

use crate::doctor::Finding;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How an answer of the admin port to `/healthz` begins.
const HEALTHY: &[u8] = b"HTTP/1.1 200";

/// Whether `server.listen` can be listened at.
pub(super) async fn grpc(address: SocketAddr) -> Finding {
    port(
        "gRPC port",
        "server.listen",
        address,
        lives(reachable(address)),
    )
    .await
}

/// Whether `server.admin_listen` can be listened at.
pub(super) async fn admin(address: SocketAddr) -> Finding {
    let answer = answers_healthz(reachable(address));
    port("admin port", "server.admin_listen", address, answer).await
}

/// `is_ours` asks whoever has the port.
async fn port(
    check: &'static str,
    key: &str,
    address: SocketAddr,
    is_ours: impl Future<Output = bool>,
) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if timeout(PATIENCE, is_ours).await.unwrap_or(false) {
                return Finding::ok(check, format!("Sextant serves at {address}"));
            }
            Finding::failed(
                check,
                format!("{address} is in use, and what has it does not answer as Sextant does"),
                format!("stop what listens there, or set {key} to another address"),
            )
        },
        Err(error) => Finding::failed(
            check,
            format!("{address}: {error}"),
            format!("set {key} to an address of this machine"),
        ),
    }
}

/// Where a server that listens everywhere is reached.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        SocketAddr::V4(_) | SocketAddr::V6(_) => address.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// Whether a Sextant process says that it lives; another server has no such name.
async fn lives(address: SocketAddr) -> bool {
    let options = LinkOptions::new(PATIENCE, Meters::none());
    let Ok(link) = Link::connect(&format!("http://{address}"), &options) else {
        return false;
    };
    let asked = HealthCheckRequest {
        service: LIVENESS.to_owned(),
    };
    HealthClient::new(link).check(asked).await.is_ok()
}

async fn answers_healthz(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0; HEALTHY.len()];
        stream.read_exact(&mut head).await?;
        io::Result::Ok(head == HEALTHY)
    };
    ask.await.unwrap_or(false)
}
