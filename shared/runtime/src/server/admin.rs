//! The admin port, for machines only: `/metrics`, `/healthz`, `/readyz`.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;

use crate::lifecycle::Lifecycle;
use crate::server::port::Listener;
use crate::server::readiness::Readiness;
use crate::telemetry::Scrape;

/// Serves the admin port until the lifecycle stops. Returns the bound address.
pub fn serve_admin(
    listener: Listener,
    lifecycle: &Lifecycle,
    readiness: &Readiness,
    scrape: &Scrape,
) -> SocketAddr {
    let Listener { incoming, bound } = listener;
    let (readiness, scrape) = (readiness.clone(), scrape.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(answer(&request, &readiness, &scrape)))
    });
    lifecycle.spawn("admin-port", |stop| {
        let server = tonic::transport::Server::builder().accept_http1(true);
        server.serve_with_incoming_shutdown(service, incoming, stop.cancelled_owned())
    });
    bound
}

fn answer(request: &Request<Body>, readiness: &Readiness, scrape: &Scrape) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" => match readiness.obstacle() {
            None => text(StatusCode::OK, "ready\n"),
            Some(why) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("not ready: {why}\n"),
            ),
        },
        "/metrics" => match scrape.text() {
            Ok(metrics) => text(StatusCode::OK, metrics),
            Err(error) => {
                tracing::warn!(%error, "metrics could not be written");
                text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "metrics could not be written\n",
                )
            },
        },
        _ => text(StatusCode::NOT_FOUND, "/metrics, /healthz or /readyz\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body.into())));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
