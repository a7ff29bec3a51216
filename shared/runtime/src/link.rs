//! Links: one service type for calls that stay in the process and calls that cross a network.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, GrpcMethod, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use crate::auth::Key;
use crate::body::{GuardedBody, RETRY_AFTER_GONE};
use crate::deadline::{self, GRPC_TIMEOUT};
use crate::server::{Readiness, Stack};
use crate::telemetry::{Meters, propagation};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Without keepalive, a client stays wedged on a connection whose peer a partition took away.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const STREAM_WINDOW_BYTES: u32 = 1_024 * 1_024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1_024 * 1_024;

/// What tonic's server says instead of DEADLINE_EXCEEDED.
const TONIC_TIMEOUT_MESSAGE: &str = "Timeout expired";

/// How a link behaves.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    default_deadline: Duration,
    authorization: Option<HeaderValue>,
    meters: Meters,
    peer: Arc<str>,
    told: Option<Told>,
}

/// Who is told how peers answer to the key.
#[derive(Debug, Clone)]
struct Told {
    readiness: Readiness,
    key: Arc<str>,
}

impl LinkOptions {
    /// Waits at most `default_deadline` for the head of an answer when the caller gave no deadline.
    #[must_use]
    pub fn new(default_deadline: Duration, meters: Meters) -> Self {
        Self {
            default_deadline,
            authorization: None,
            meters,
            peer: Arc::from("the service"),
            told: None,
        }
    }

    /// Calls whoever is at the other end this where nothing answers there.
    #[must_use]
    pub fn of_peer(mut self, peer: &str) -> Self {
        self.peer = Arc::from(peer);
        self
    }

    /// Calls with this key, unless a request brings its own.
    #[must_use]
    pub fn with_key(mut self, key: &Key) -> Self {
        // A key is hexadecimal text, which is always a header value.
        self.authorization = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .ok()
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        self
    }

    /// Where a peer over the network refuses the key of [`LinkOptions::with_key`], the process is not ready until that peer takes
    /// it. `key` tells operators which key that is and where it is from, without its secret.
    #[must_use]
    pub fn telling(mut self, readiness: &Readiness, key: &str) -> Self {
        self.told = Some(Told {
            readiness: readiness.clone(),
            key: Arc::from(key),
        });
        self
    }

    /// Who is told of the answer to this call: only of one that is made with our own key.
    fn told_of(&self, headers: &HeaderMap) -> Option<Told> {
        let told = self.told.as_ref()?;
        let own = self.authorization.as_ref()?;
        (headers.get(header::AUTHORIZATION) == Some(own)).then(|| told.clone())
    }
}

impl Told {
    fn of(&self, peer: &str, answer: Code) {
        match answer {
            Code::Ok => self.readiness.taken_by(peer),
            Code::Unauthenticated => self.readiness.refused_by(peer, &self.key),
            // Whether the key is a good one was not decided, or not the matter.
            _ => {},
        }
    }
}

/// Why there is no link.
#[derive(Debug)]
pub enum LinkError {
    /// The address cannot be read.
    AddressMalformed {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// There are no authorities by which the certificate of such an address could be judged.
    AuthoritiesUnknown {
        /// The address as given.
        address: String,
        /// What is wrong.
        source: tonic::transport::Error,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressMalformed { address, .. } => write!(
                f,
                "\"{address}\" is no address such as http://127.0.0.1:7070"
            ),
            Self::AuthoritiesUnknown { address, .. } => write!(
                f,
                "this machine has no authorities by which the certificate of \"{address}\" could be judged: install ca-certificates, or \
                 name a file of them in SSL_CERT_FILE"
            ),
        }
    }
}

impl std::error::Error for LinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::AddressMalformed { source, .. } | Self::AuthoritiesUnknown { source, .. } => {
                Some(source)
            },
        }
    }
}

/// What a generated client is built on. The same client works over both kinds, streams included; both enforce deadlines,
/// forward what is left of the current call's, carry the trace and the key, and answer every failure with a status.
#[derive(Clone)]
pub struct Link {
    inner: BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// A link to a service of this process.
    #[must_use]
    pub fn in_process(service: Stack, options: &LinkOptions) -> Self {
        Self {
            inner: BoxCloneSyncService::new(Caller {
                transport: service,
                options: options.clone(),
            }),
        }
    }

    /// A link to another process; connects on the first call and again whenever it has to. Needs a running executor. Whoever answers
    /// at an address with `https` has to have a certificate for its name, of an authority that this machine trusts.
    ///
    /// # Errors
    /// The address cannot be read, or there is no authority that is trusted.
    pub fn connect(address: &str, options: &LinkOptions) -> Result<Self, LinkError> {
        let malformed = |source| LinkError::AddressMalformed {
            address: address.to_owned(),
            source,
        };
        let mut endpoint = Endpoint::from_shared(address.to_owned()).map_err(malformed)?;
        if endpoint.uri().scheme_str() == Some("https") {
            let trusted = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint
                .tls_config(trusted.timeout(CONNECT_TIMEOUT))
                .map_err(|source| LinkError::AuthoritiesUnknown {
                    address: address.to_owned(),
                    source,
                })?;
        }
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let remote = Remote {
            channel: endpoint.connect_lazy(),
            options: options.clone(),
        };
        Ok(Self {
            inner: BoxCloneSyncService::new(Caller {
                transport: remote,
                options: options.clone(),
            }),
        })
    }
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.inner.call(request)
    }
}

/// The client's half of a call: key, trace, deadline.
#[derive(Clone)]
struct Caller<T> {
    transport: T,
    options: LinkOptions,
}

impl<T> Service<Request<Body>> for Caller<T>
where
    T: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        >,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.transport.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        if let Some(key) = &self.options.authorization {
            headers
                .entry(header::AUTHORIZATION)
                .or_insert_with(|| key.clone());
        }
        propagation::inject(headers);
        let wanted = wanted(headers);
        let now = Instant::now();
        let answer = self.transport.call(request);
        let default = self.options.default_deadline;
        Box::pin(async move {
            let Some(left) = wanted else {
                return crate::server::head_until(now + default, answer)
                    .await
                    .map(timely_code);
            };
            let at = now + left;
            let head = timely_code(crate::server::head_until(at, answer).await?);
            Ok(head.map(|body| GuardedBody::new(body).until(at).boxed()))
        })
    }
}

/// The time that this call may take: what its caller set, or what is left of the call that is being served, whichever is
/// shorter. Written back into the headers for the callee.
fn wanted(headers: &mut HeaderMap) -> Option<Duration> {
    let own = deadline::from_headers(headers);
    let inherited = deadline::remaining().map(deadline::forwarded);
    let left = match (own, inherited) {
        (Some(own), Some(inherited)) => own.min(inherited),
        (Some(left), None) | (None, Some(left)) => left,
        (None, None) => return None,
    };
    if Some(left) != own
        && let Some(value) = deadline::to_header(left)
    {
        headers.insert(GRPC_TIMEOUT, value);
    }
    Some(left)
}

/// Tonic's server reports an expired deadline as CANCELLED "Timeout expired".
fn timely_code(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let Some(code) = headers.get(Status::GRPC_STATUS) else {
        return response;
    };
    if Code::from_bytes(code.as_bytes()) != Code::Cancelled {
        return response;
    }
    match Status::from_header_map(headers) {
        Some(status) if status.message() == TONIC_TIMEOUT_MESSAGE => {
            sextant_wire::status::deadline_exceeded().into_http()
        },
        _ => response,
    }
}

/// What the message of the status UNAVAILABLE says of the peer where nothing answered, behind its name.
pub const UNREACHABLE: &str = "cannot be reached";

/// A network channel whose every failure is a status: whatever happens to a connection, its peer is unavailable.
#[derive(Clone)]
struct Remote {
    channel: Channel,
    options: LinkOptions,
}

impl Service<Request<Body>> for Remote {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    /// Readiness is awaited inside the call, where the deadline covers it.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let channel = self.channel.clone();
        let meters = self.options.meters.clone();
        let peer = Arc::clone(&self.options.peer);
        let told = self.options.told_of(request.headers());
        let named = request.extensions().get::<GrpcMethod<'static>>();
        let method = named.map(|method| format!("{}/{}", method.service(), method.method()));
        let started = Instant::now();
        Box::pin(async move {
            let response = match channel.oneshot(request).await {
                Ok(response) => response.map(|body| GuardedBody::new(body).of_peer().boxed()),
                // The channel watches `grpc-timeout` as well, and may be first.
                Err(error) if is_timeout(&error) => {
                    sextant_wire::status::deadline_exceeded().into_http()
                },
                Err(error) => {
                    tracing::debug!(%error, "a call did not reach its peer");
                    let message = format!("{peer} {UNREACHABLE}");
                    sextant_wire::status::unavailable(&message, RETRY_AFTER_GONE).into_http()
                },
            };
            let code = response
                .headers()
                .get(Status::GRPC_STATUS)
                .map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()));
            meters.record_client_call(method, code, started.elapsed());
            if let Some(told) = told {
                told.of(&peer, code);
            }
            Ok(response)
        })
    }
}

fn is_timeout(error: &tonic::transport::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<tonic::TimeoutExpired>() {
            return true;
        }
        cause = error.source();
    }
    false
}
