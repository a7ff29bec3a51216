//! Serving: parts, the stack of layers in front of each, the gRPC port, health and the admin port.

mod admin;
mod door;
mod observe;
mod part;
mod port;
mod readiness;
mod shed;
mod timely;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::auth::{Authenticate, Authenticator, MethodTable};
use crate::config;
use crate::lifecycle::Lifecycle;
pub(crate) use crate::server::door::method_of;
use crate::server::observe::Observe;
pub(crate) use crate::server::observe::code_name;
pub(crate) use crate::server::shed::aside;
use crate::server::shed::{Limiter, Shed};
use crate::server::timely::Timely;
pub(crate) use crate::server::timely::head_until;
use crate::telemetry::Meters;

pub use crate::server::admin::serve_admin;
pub use crate::server::door::{Handler, Knock};
pub use crate::server::part::{MountError, Mounted, Part};
pub use crate::server::port::{LIVENESS, Listener, ServeError, Server};
pub use crate::server::readiness::Readiness;

/// The answer of a service or a layer.
pub type Answer = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// What answers calls: a service, or a layer in front of one. It is always ready; a layer that queues does so in its answer.
pub(crate) trait Serve: Send + Sync + 'static {
    fn serve(&self, request: Request<Body>) -> Answer;
}

/// A service behind its layers, without their types, so that none of them crosses a crate border. Cheap to clone.
#[derive(Clone)]
pub struct Stack(Arc<dyn Serve>);

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stack")
    }
}

impl Stack {
    /// A service without layers. It must always be ready, as generated servers are.
    #[must_use]
    pub fn bare<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
        S: Clone + Send + Sync + 'static,
    {
        Self(Arc::new(Bare(service)))
    }
}

impl Serve for Stack {
    fn serve(&self, request: Request<Body>) -> Answer {
        self.0.serve(request)
    }
}

impl Service<Request<Body>> for Stack {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        self.0.serve(request)
    }
}

struct Bare<S>(S);

impl<S> Serve for Bare<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
    S: Clone + Send + Sync + 'static,
{
    fn serve(&self, request: Request<Body>) -> Answer {
        self.0.clone().call(request)
    }
}

/// Answers without asking the service.
pub(crate) fn refuse(status: Status) -> Answer {
    Box::pin(std::future::ready(Ok(status.into_http())))
}

/// How much one service takes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls in work at the same time, of clients and again of our own services. A call that waits for a position is none.
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
fn stack<S: Serve + Clone>(
    part: &'static str,
    routes: S,
    methods: &Arc<MethodTable>,
    around: &Surroundings,
) -> Stack {
    let limits = around.limits;
    let meters = || around.meters.clone();
    let limiter = || Limiter::new(limits.max_in_flight, limits.max_queue, part, meters());
    let authenticator = Arc::clone(&around.authenticator);
    let service = Authenticate::new(routes, Arc::clone(methods), Arc::clone(&authenticator));
    let stop = around.lifecycle.stop().clone();
    let service = Timely::new(service, limits.default_deadline, stop);
    let service = Shed::new(service, limiter, authenticator);
    let service = Observe::new(service, Arc::clone(methods), meters());
    Stack(Arc::new(service))
}
