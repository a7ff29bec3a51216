//! One trace tells the way of a call through the services.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use sextant::client::Client;
use sextant_proto::metrics::v1::GetRevenueRequest;
use sextant_runtime::lifecycle::Lifecycle;

use crate::worlds::records::{accept, account, at, now, subscription};
use crate::worlds::world::{Shape, World, segmentation, tenant};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A span as the collector got it: who sent it, its name, id and parent.
#[derive(Debug, Clone)]
struct Seen {
    service: String,
    trace: String,
    name: String,
    id: String,
    parent: String,
}

type Spans = Arc<Mutex<Vec<Seen>>>;

struct Collector(Spans);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn service_name(resource: Option<Resource>) -> String {
    let attributes = resource
        .map(|resource| resource.attributes)
        .unwrap_or_default();
    let name = attributes.into_iter().find(|one| one.key == "service.name");
    match name.and_then(|one| one.value).and_then(|value| value.value) {
        Some(any_value::Value::StringValue(name)) => name,
        other => panic!("spans of {other:?}"),
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let service = service_name(resource.resource);
            let spans = resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans);
            self.0.lock().unwrap().extend(spans.map(|span| Seen {
                service: service.clone(),
                trace: hex(&span.trace_id),
                name: span.name,
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
            }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// An OTLP collector on an executor of its own.
fn collector() -> (Runtime, SocketAddr, Spans) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let spans = Spans::default();
    let service = TraceServiceServer::new(Collector(Arc::clone(&spans)));
    let guard = runtime.enter();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    Lifecycle::new().spawn("collector", |_stop| {
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming)
    });
    drop(guard);
    (runtime, address, spans)
}

/// The first call to metrics: it has to ask ingestion who calls.
async fn traced_read(client: &Client, position: &str) {
    let mut request = client.request(GetRevenueRequest {
        at: Some(now(position)),
        segmentation: "lifecycle".to_owned(),
    });
    let caller = format!("00-{TRACE}-{CALLER}-01");
    request
        .metadata_mut()
        .insert("traceparent", caller.parse().unwrap());
    let answer = client
        .metrics()
        .get_revenue(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.segments[0].mrr_minor, 3_000);
}

#[test]
fn the_spans_of_a_read_that_crosses_processes_are_one_trace() {
    let (_collecting, collector, spans) = collector();
    let here = Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(async {
        let settings = [
            format!("telemetry.otlp_endpoint=http://{collector}"),
            // Only the caller's decision makes a trace.
            "telemetry.trace_sample_ratio=0".to_owned(),
        ];
        let world = World::start_with(Shape::Apart, &settings).await;
        let client = tenant(&world.client(), "traced", at("2026-02-01T00:00")).await;
        segmentation(&client, "lifecycle").await;
        let january = at("2026-01-01T00:00");
        let records = vec![account("a", january), subscription("a", january, 3, 1_000)];
        let position = accept(&client, records).await;
        traced_read(&client, &position).await;
        world.end().await;
    });

    let spans = spans.lock().unwrap();
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let by_id: BTreeMap<&str, &Seen> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    for span in spans.iter() {
        assert!(
            span.parent == CALLER || by_id.contains_key(span.parent.as_str()),
            "{span:?} of {spans:#?}"
        );
    }
    let from_outside: Vec<&str> = spans
        .iter()
        .filter(|span| span.parent == CALLER)
        .map(|span| span.name.as_str())
        .collect();
    assert_eq!(
        from_outside,
        ["sextant.metrics.v1.MetricsService/GetRevenue"]
    );
    let crossed = spans.iter().any(|span| {
        let parent = by_id.get(span.parent.as_str());
        span.service == "sextant-ingestion"
            && parent.is_some_and(|parent| parent.service == "sextant-metrics")
    });
    assert!(crossed, "{spans:#?}");
}
