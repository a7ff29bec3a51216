//! Serving: parts, the stack of layers in front of each, the gRPC port, health and the admin port.

mod admin;
mod observe;
mod part;
mod port;
mod shed;
mod streams;
mod timely;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::auth::{Authenticate, Authenticator, MethodTable};
use crate::config;
use crate::lifecycle::Lifecycle;
use crate::server::observe::Observe;
pub(crate) use crate::server::observe::code_name;
use crate::server::shed::{Limiter, Shed};
use crate::server::streams::EndStreams;
use crate::server::timely::Timely;
pub(crate) use crate::server::timely::head_until;
use crate::telemetry::Meters;

pub use crate::server::admin::serve_admin;
pub use crate::server::part::{MountError, Mounted, Part};
pub use crate::server::port::{LIVENESS, Readiness, ServeError, Server};

/// A service behind its layers: boxed, so that no layer's type crosses a crate border.
pub type Stack = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// The answer of a layer.
pub(crate) type Answer = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// Answers without asking the service.
pub(crate) fn refuse(status: Status) -> Answer {
    Box::pin(std::future::ready(Ok(status.into_http())))
}

/// How much one service takes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls in work at the same time.
    pub max_in_flight: usize,
    /// Longest wait for a turn.
    pub max_queue: Duration,
    /// Longest wait for the head of an answer when the caller gave no deadline.
    pub default_deadline: Duration,
}

impl From<&config::Server> for Limits {
    fn from(config: &config::Server) -> Self {
        Self {
            max_in_flight: usize::try_from(config.max_in_flight).unwrap_or(usize::MAX),
            max_queue: config.max_queue(),
            default_deadline: config.default_deadline(),
        }
    }
}

/// What all parts of a process share.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Owner of tasks.
    pub lifecycle: Lifecycle,
    /// Checks keys.
    pub authenticator: Arc<Authenticator>,
    /// Where measurements go.
    pub meters: Meters,
    /// How much one service takes on.
    pub limits: Limits,
}

/// The stack in front of a part, in reading order: a request meets the layers from the last line up to the first.
fn stack<S>(routes: S, methods: &Arc<MethodTable>, around: &Surroundings) -> Stack
where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    let limiter = Arc::new(Limiter::new(
        around.limits.max_in_flight,
        around.limits.max_queue,
    ));
    let service = Authenticate::new(
        routes,
        Arc::clone(methods),
        Arc::clone(&around.authenticator),
    );
    let service = Timely::new(service, around.limits.default_deadline);
    let service = Shed::new(service, limiter, around.meters.clone());
    let service = EndStreams::new(service, around.lifecycle.stop().clone());
    let service = Observe::new(service, Arc::clone(methods), around.meters.clone());
    BoxCloneSyncService::new(service)
}
