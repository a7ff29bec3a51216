//! The port for gRPC and for doors: connections, health, drain.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::server::door::Plain;
use crate::server::part::{Dispatch, Mounted, is_service};
use crate::server::readiness::Readiness;
use crate::server::timely::Timely;
use crate::server::{Stack, Surroundings};

/// Health name that answers SERVING as long as the process lives, drain included.
pub const LIVENESS: &str = "liveness";
/// Health name of the process as a whole.
const OVERALL: &str = "";
/// Asked of an idle client, so that a vanished one does not hold a connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that one connection may have open.
const MAX_CONCURRENT_STREAMS: u32 = 1_024;
/// Rapid reset (CVE-2023-44487): streams that a client reset before we accepted them, and errors of ours, per connection.
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_ERROR_RESETS: usize = 1_024;
const MAX_HEADER_LIST_BYTES: u32 = 16 * 1_024;
/// Room for bulk streams: one feature chunk in flight instead of 64 KiB.
const STREAM_WINDOW_BYTES: u32 = 1_024 * 1_024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1_024 * 1_024;

/// Why a port does not serve.
#[derive(Debug)]
pub enum ServeError {
    /// The address cannot be listened on.
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Two parts serve the same gRPC service.
    ServedTwice {
        /// The gRPC service.
        service: &'static str,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, .. } => write!(
                f,
                "cannot listen on {address}; choose another port or stop the process that holds it"
            ),
            Self::ServedTwice { service } => write!(f, "two parts serve \"{service}\""),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } => Some(source),
            Self::ServedTwice { .. } => None,
        }
    }
}

/// A port that is taken, with TCP_NODELAY and TCP keepalive for every connection. Nobody is answered there before it is served.
pub struct Listener {
    pub(crate) incoming: TcpIncoming,
    pub(crate) bound: SocketAddr,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.bound).finish()
    }
}

impl Listener {
    /// Takes the port of an address. To be done before anything is started: what is started would have to be stopped again.
    ///
    /// # Errors
    /// The address is taken.
    pub fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Bind { address, source };
        let incoming = TcpIncoming::bind(address).map_err(failed)?;
        let bound = incoming.local_addr().map_err(failed)?;
        Ok(Self {
            incoming: incoming
                .with_nodelay(Some(true))
                .with_keepalive(Some(Duration::from_secs(60))),
            bound,
        })
    }
}

/// The gRPC server of a process.
#[derive(Debug)]
pub struct Server {
    parts: Vec<Mounted>,
    max_connection_age: Duration,
}

impl Server {
    /// A server for these parts. Connections are asked to reconnect at about `max_connection_age`, so that clients find new
    /// replicas; each process adds up to a tenth at random, so that they do not all reconnect at once.
    #[must_use]
    pub fn new(parts: Vec<Mounted>, max_connection_age: Duration) -> Self {
        Self {
            parts,
            max_connection_age,
        }
    }

    /// Reports ready and serves until the lifecycle stops; then finishes the calls in work. Returns the bound address.
    ///
    /// # Errors
    /// Two parts serve the same gRPC service.
    pub async fn start(
        self,
        listener: Listener,
        around: &Surroundings,
        readiness: &Readiness,
    ) -> Result<SocketAddr, ServeError> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let stop = around.lifecycle.stop().clone();
        let health_name = service_name(&health);
        let health = Timely::new(Stack::bare(health), around.limits.default_deadline, stop);
        let mut stacks = vec![(health_name, Stack(Arc::new(health)))];
        for (service, stack) in self.parts.into_iter().flat_map(Mounted::into_stacks) {
            if stacks.iter().any(|(known, _)| *known == service) {
                return Err(ServeError::ServedTwice { service });
            }
            stacks.push((service, stack));
        }
        let names: Vec<&'static str> = stacks
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| *name != health_name && is_service(name))
            .collect();
        report(
            &reporter,
            names.iter().chain([&LIVENESS]),
            ServingStatus::Serving,
        )
        .await;
        let Listener { incoming, bound } = listener;
        let server = transport(self.max_connection_age);
        let dispatch = Stack(Arc::new(Plain(Dispatch::new(stacks))));
        around.lifecycle.spawn("grpc-port", |stop| {
            server.serve_with_incoming_shutdown(dispatch, incoming, stop.cancelled_owned())
        });
        readiness.serves();
        let readiness = readiness.clone();
        around.lifecycle.spawn("health", |stop| async move {
            follow(&readiness, &reporter, &names, stop).await;
        });
        Ok(bound)
    }
}

fn transport(max_connection_age: Duration) -> tonic::transport::Server {
    // No `max_connection_age_grace`: with it, tonic 0.14 sends no GOAWAY at the age and cuts the connection after the grace.
    tonic::transport::Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(Some(MAX_CONCURRENT_STREAMS))
        .initial_stream_window_size(Some(STREAM_WINDOW_BYTES))
        .initial_connection_window_size(Some(CONNECTION_WINDOW_BYTES))
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MAX_LOCAL_ERROR_RESETS))
        .http2_max_header_list_size(Some(MAX_HEADER_LIST_BYTES))
        .max_connection_age(jittered(max_connection_age))
}

/// Up to a tenth more; without randomness, no jitter.
fn jittered(age: Duration) -> Duration {
    let share = getrandom::u32().map_or(0.0, |random| f64::from(random) / f64::from(u32::MAX));
    age + age.mul_f64(share / 10.0)
}

fn service_name<S: NamedService>(_service: &S) -> &'static str {
    S::NAME
}

/// Keeps what the names answer, all but [`LIVENESS`], as the process is: at first they say SERVING.
async fn follow(
    readiness: &Readiness,
    reporter: &HealthReporter,
    names: &[&'static str],
    stop: CancellationToken,
) {
    let mut told_ready = true;
    loop {
        tokio::select! {
            // A drain is told of also where no time is between it and the stop.
            biased;
            () = readiness.changed(told_ready) => {},
            () = stop.cancelled() => return,
        }
        told_ready = readiness.is_ready();
        let status = if told_ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        report(reporter, names.iter().chain([&OVERALL]), status).await;
    }
}

async fn report(
    reporter: &HealthReporter,
    names: impl Iterator<Item = &&'static str>,
    status: ServingStatus,
) {
    for name in names {
        reporter.set_service_status(name, status).await;
    }
}
