//! A server that begins to answer, and never does.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::NamedService;
use tower::Service;

use sextant_plugin_host::{Allowance, External};

use crate::fixture::hosts;
use crate::remote::Running;

/// Answers every call with a head alone.
#[derive(Clone)]
struct Headers;

impl NamedService for Headers {
    const NAME: &str = "sextant.segmenter.v1.EvaluationService";
}

impl Service<http::Request<Body>> for Headers {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: http::Request<Body>) -> Self::Future {
        let nothing = stream::pending::<Result<Frame<Bytes>, Status>>();
        let answer = http::Response::builder()
            .header("content-type", "application/grpc")
            .body(Body::new(StreamBody::new(nothing)));
        ready(Ok(answer.unwrap()))
    }
}

#[test]
fn a_server_that_begins_to_say_what_it_is_and_never_does_is_not_waited_for() {
    let running = Running::serve(Headers, "127.0.0.1:0");
    let refused = External::connect(&hosts(), &running.server(), Allowance::default());
    let refused = refused.unwrap_err();
    assert_eq!(refused.check_id(), "R-answers", "{refused}");
    assert!(refused.what().contains("in time"), "{refused}");
}
