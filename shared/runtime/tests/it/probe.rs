//! A gRPC service that does what its request says, written by hand so that no schema is needed.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use http::uri::PathAndQuery;
use tokio::sync::{Semaphore, mpsc};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::auth::{Access, MethodTable, Principal, Scope};
use sextant_runtime::deadline;
use sextant_runtime::link::Link;
use sextant_runtime::server::Part;
use sextant_wire::status::Problem;

pub(crate) const ASK: &str = "/test.v1.Probe/Ask";
pub(crate) const WATCH: &str = "/test.v1.Probe/Watch";
pub(crate) const TALK: &str = "/test.v1.Probe/Talk";

/// What a test sees of, and does to, running calls.
#[derive(Clone)]
pub(crate) struct Probe {
    /// Calls that wait for the test take a permit here.
    pub(crate) gate: Arc<Semaphore>,
    /// "entered" and "dropped", as they happen.
    pub(crate) events: mpsc::UnboundedSender<&'static str>,
    /// Where "relay:" goes.
    pub(crate) next: Option<Link>,
}

impl Probe {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<&'static str>) {
        let (events, seen) = mpsc::unbounded_channel();
        (
            Self {
                gate: Arc::new(Semaphore::new(0)),
                events,
                next: None,
            },
            seen,
        )
    }

    pub(crate) fn part(self) -> Part {
        let scope = Access::Scope(Scope::Read);
        let watched = Access::Stream(Scope::Read);
        let table = MethodTable::new(&[(ASK, scope), (WATCH, watched), (TALK, Access::Public)]);
        Part::new("probe", table).service(self, ["Ask", "Watch", "Talk"])
    }

    async fn answer(&self, request: Request<String>) -> Result<Response<String>, Status> {
        let command = request.get_ref().as_str();
        if let Some(text) = command.strip_prefix("echo:") {
            return Ok(Response::new(text.to_owned()));
        }
        if let (Some(rest), Some(next)) = (command.strip_prefix("relay:"), &self.next) {
            return ask(next, rest).await.map(Response::new);
        }
        match command {
            "stuck" => {
                let _guard = OnDrop(self.events.clone());
                tell(&self.events, "entered");
                pending().await
            },
            "gate" => {
                tell(&self.events, "entered");
                let permit = self
                    .gate
                    .acquire()
                    .await
                    .map_err(|_closed| Status::aborted("gate closed"))?;
                permit.forget();
                Ok(Response::new("passed".to_owned()))
            },
            "remaining" => {
                let left = deadline::remaining().map(|left| left.as_millis().to_string());
                Ok(Response::new(left.unwrap_or_else(|| "none".to_owned())))
            },
            "principal" => Ok(Response::new(format!("{:?}", Principal::of(&request)))),
            "panic" => panic!("as the test asked"),
            "defect" => {
                let cause = std::io::Error::other("page 3 is damaged");
                let problem = Problem::new(ErrorReason::Internal, "stored data is unreadable");
                Err(problem.caused_by(cause).into())
            },
            "absent" => Err(Status::not_found("no such thing")),
            "tonic-timeout" => Err(Status::cancelled("Timeout expired")),
            "cancelled" => Err(Status::cancelled("changed my mind")),
            other => Err(Status::invalid_argument(format!(
                "unknown command \"{other}\""
            ))),
        }
    }

    fn watch(&self, command: &str) -> BoxStream<'static, Result<String, Status>> {
        let text = |text: &str| Ok(text.to_owned());
        match command {
            "finite" => stream::iter([text("1"), text("2")]).boxed(),
            "flood" => stream::repeat_with(move || text("again")).boxed(),
            _ => {
                let guard = OnDrop(self.events.clone());
                let endless = stream::pending().map(move |item| {
                    let _alive = &guard;
                    item
                });
                stream::iter([text("first")]).chain(endless).boxed()
            },
        }
    }
}

/// A test that has seen enough no longer listens.
fn tell(events: &mpsc::UnboundedSender<&'static str>, event: &'static str) {
    if events.send(event).is_err() {
        tracing::trace!(event, "nobody listens");
    }
}

struct OnDrop(mpsc::UnboundedSender<&'static str>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        tell(&self.0, "dropped");
    }
}

impl NamedService for Probe {
    const NAME: &'static str = "test.v1.Probe";
}

impl tower::Service<http::Request<Body>> for Probe {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let probe = self.clone();
        Box::pin(async move { Ok(probe.serve(request).await) })
    }
}

impl Probe {
    async fn serve(self, request: http::Request<Body>) -> http::Response<Body> {
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
        match request.uri().path() {
            ASK => {
                let ask = service_fn(move |request| {
                    let probe = self.clone();
                    async move { probe.answer(request).await }
                });
                grpc.unary(ask, request).await
            },
            WATCH => {
                let watch = service_fn(move |request: Request<String>| {
                    std::future::ready(Ok::<_, Status>(Response::new(
                        self.watch(request.get_ref()),
                    )))
                });
                grpc.server_streaming(watch, request).await
            },
            _ => {
                let talk = service_fn(|request: Request<Streaming<String>>| {
                    std::future::ready(Ok::<_, Status>(Response::new(request.into_inner())))
                });
                grpc.streaming(talk, request).await
            },
        }
    }
}

/// A unary call, as generated clients make it.
pub(crate) async fn call(
    link: &Link,
    request: Request<String>,
) -> Result<Response<String>, Status> {
    let mut client = tonic::client::Grpc::new(link.clone());
    let Ok(()) = client.ready().await;
    client
        .unary(
            request,
            PathAndQuery::from_static(ASK),
            ProstCodec::default(),
        )
        .await
}

/// A unary call with bytes that are no request of the method.
pub(crate) async fn ask_with_a_number(link: &Link) -> Result<Response<String>, Status> {
    let mut client = tonic::client::Grpc::new(link.clone());
    let Ok(()) = client.ready().await;
    let codec = ProstCodec::<u64, String>::default();
    client
        .unary(Request::new(7), PathAndQuery::from_static(ASK), codec)
        .await
}

pub(crate) async fn ask(link: &Link, command: &str) -> Result<String, Status> {
    call(link, Request::new(command.to_owned()))
        .await
        .map(Response::into_inner)
}

pub(crate) async fn watch(
    link: &Link,
    request: Request<String>,
) -> Result<Streaming<String>, Status> {
    let mut client = tonic::client::Grpc::new(link.clone());
    let Ok(()) = client.ready().await;
    let path = PathAndQuery::from_static(WATCH);
    client
        .server_streaming(request, path, ProstCodec::default())
        .await
        .map(Response::into_inner)
}

pub(crate) async fn talk(
    link: &Link,
    words: mpsc::Receiver<String>,
) -> Result<Streaming<String>, Status> {
    let mut client = tonic::client::Grpc::new(link.clone());
    let Ok(()) = client.ready().await;
    let words = tokio_stream::wrappers::ReceiverStream::new(words);
    let path = PathAndQuery::from_static(TALK);
    client
        .streaming(Request::new(words), path, ProstCodec::default())
        .await
        .map(Response::into_inner)
}
