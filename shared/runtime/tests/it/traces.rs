use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tonic::{Request, Response, Status};

use sextant_runtime::config::{LogFormat, Telemetry as Config};
use sextant_runtime::link::Link;
use sextant_runtime::telemetry::Telemetry;

use crate::probe::{Probe, call};
use crate::world::{Kind, LIMITS, World, subscribe_everywhere, within};

pub(crate) type Spans = Arc<Mutex<Vec<Span>>>;

struct Collector {
    spans: Spans,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans;
        let spans = resources
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans);
        self.spans.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// An OTLP collector on an executor of its own, so that a blocking flush can reach it.
pub(crate) fn collector() -> (tokio::runtime::Runtime, SocketAddr, Spans) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let spans = Spans::default();
    let service = TraceServiceServer::new(Collector {
        spans: Arc::clone(&spans),
    });
    let guard = runtime.enter();
    let incoming =
        tonic::transport::server::TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let lifecycle = sextant_runtime::lifecycle::Lifecycle::new();
    lifecycle.spawn("collector", |_stop| {
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming)
    });
    drop(guard);
    (runtime, address, spans)
}

/// Four services in a row, every second link over the network.
async fn chain_of_four() -> Link {
    let mut next = None;
    for kind in [
        Kind::InProcess,
        Kind::Network,
        Kind::InProcess,
        Kind::Network,
    ] {
        let world = World::new(LIMITS);
        let (mut probe, _seen) = Probe::new();
        probe.next = next;
        next = Some(world.link(probe, kind, &world.options()).await);
    }
    next.unwrap()
}

#[test]
fn one_trace_spans_four_services_in_the_order_of_the_calls() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const CALLER: &str = "b7ad6b7169203331";
    let (runtime, address, spans) = collector();
    let config = Config {
        log_filter: "off".to_owned(),
        log_format: LogFormat::Text,
        otlp_endpoint: Some(format!("http://{address}")),
        trace_sample_ratio: 0.0, // only the caller's decision makes this trace sampled
    };
    let telemetry = {
        let _on_the_collectors_executor = runtime.enter();
        Telemetry::new(&config, "test").unwrap()
    };
    let here = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    subscribe_everywhere();
    tracing::dispatcher::with_default(telemetry.dispatch(), || {
        here.block_on(async {
            let link = chain_of_four().await;
            let mut request = Request::new("relay:relay:relay:echo:deep".to_owned());
            let traceparent = format!("00-{TRACE}-{CALLER}-01");
            request
                .metadata_mut()
                .insert("traceparent", traceparent.parse().unwrap());
            assert_eq!(
                within(call(&link, request)).await.unwrap().into_inner(),
                "deep"
            );
            // A call that nobody traces and that sampling leaves out.
            let untraced = Request::new("relay:echo:x".to_owned());
            assert_eq!(
                within(call(&link, untraced)).await.unwrap().into_inner(),
                "x"
            );
        });
    });
    drop(here); // ends what still holds a span
    telemetry.shut_down();

    let spans = spans.lock().unwrap();
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(spans.len(), 4, "{spans:#?}");
    assert!(
        spans
            .iter()
            .all(|span| hex(&span.trace_id) == TRACE && span.name == "test.v1.Probe/Ask"),
        "{spans:#?}"
    );
    let by_parent: BTreeMap<String, String> = spans
        .iter()
        .map(|span| (hex(&span.parent_span_id), hex(&span.span_id)))
        .collect();
    let mut at = CALLER.to_owned();
    for depth in 0..4 {
        at = by_parent
            .get(&at)
            .unwrap_or_else(|| panic!("no span at depth {depth}: {by_parent:?}"))
            .clone();
    }
}
