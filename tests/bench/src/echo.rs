//! The comparator of point reads: a bare tonic server, without middleware, that decodes the same request and answers as many
//! bytes as the product does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::runtime::Builder;
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_prost::ProstCodec;
use tower::Service;

use sextant_proto::segmentation::v1::GetMembershipRequest;

use crate::program::{Process, SERVER_CORE, command, free_address, listening};

/// The argument that asks for this.
pub(crate) const MODE: &str = "echo";

/// An answer of one bytes field: tag and length are 2 bytes for short answers, 3 from 128 bytes on.
fn answer_of(encoded_bytes: usize) -> Vec<u8> {
    let overhead = if encoded_bytes > 129 { 3 } else { 2 };
    vec![b'x'; encoded_bytes.saturating_sub(overhead)]
}

/// The service, in place of the product's.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    answer: Vec<u8>,
}

impl Echo {
    /// Answers messages of this encoded size.
    pub(crate) fn of_size(encoded_bytes: usize) -> Self {
        Self {
            answer: answer_of(encoded_bytes),
        }
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "sextant.segmentation.v1.SegmentationService";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = Method(self.answer.clone());
        Box::pin(async move {
            let codec = ProstCodec::<Vec<u8>, GetMembershipRequest>::default();
            Ok(Grpc::new(codec).unary(method, request).await)
        })
    }
}

struct Method(Vec<u8>);

impl UnaryService<GetMembershipRequest> for Method {
    type Response = Vec<u8>;
    type Future = BoxFuture<'static, Result<tonic::Response<Vec<u8>>, Status>>;

    fn call(&mut self, _request: tonic::Request<GetMembershipRequest>) -> Self::Future {
        let answer = std::mem::take(&mut self.0);
        Box::pin(std::future::ready(Ok(tonic::Response::new(answer))))
    }
}

/// Starts the server as a process of its own, on the servers' core.
pub(crate) async fn start(encoded_bytes: usize) -> (Process, SocketAddr) {
    let address = free_address();
    let mut command = command(&std::env::current_exe().unwrap(), SERVER_CORE);
    command.args([MODE, &address.to_string(), &encoded_bytes.to_string()]);
    let process = Process::spawn(&mut command);
    listening(address).await;
    (process, address)
}

/// The server: address and size are its arguments.
pub(crate) fn serve(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let address: SocketAddr = arguments.next().unwrap().parse().unwrap();
    let echo = Echo::of_size(arguments.next().unwrap().parse().unwrap());
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let incoming = TcpIncoming::bind(address).unwrap().with_nodelay(Some(true));
        Server::builder()
            .add_service(echo)
            .serve_with_incoming(incoming)
            .await
            .unwrap();
    });
    ExitCode::SUCCESS
}
