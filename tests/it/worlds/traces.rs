//! One trace tells the way of a call through the services, and of a record through their feeds.

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
use sextant_proto::ingestion::v1::{IngestBatchRequest, Record};
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

/// A request of a caller who traces what becomes of it.
fn traced<T>(client: &Client, message: T) -> Request<T> {
    let mut request = client.request(message);
    let caller = format!("00-{TRACE}-{CALLER}-01");
    request
        .metadata_mut()
        .insert("traceparent", caller.parse().unwrap());
    request
}

/// Runs an installation for as long as a story about one tenant takes, and gives the spans that it sent. Whatever was sent
/// belongs to the caller's trace, and nothing in it hangs in the air.
fn told(shape: Shape, story: impl AsyncFnOnce(Client)) -> Vec<Seen> {
    let (_collecting, collector, spans) = collector();
    let here = Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(async {
        let settings = [
            format!("telemetry.otlp_endpoint=http://{collector}"),
            // Only the caller's decision makes a trace.
            "telemetry.trace_sample_ratio=0".to_owned(),
        ];
        let world = World::start_with(shape, &settings).await;
        let client = tenant(&world.client(), "traced", at("2026-02-01T00:00")).await;
        segmentation(&client, "lifecycle").await;
        story(client).await;
        world.end().await;
    });
    let spans = spans.lock().unwrap().clone();
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    for span in &spans {
        assert!(
            span.parent == CALLER || spans.iter().any(|one| one.id == span.parent),
            "{span:?} of {spans:#?}"
        );
    }
    spans
}

/// An account and its subscription.
fn records(day: &str) -> Vec<Record> {
    let start = at(&format!("{day}T00:00"));
    vec![account("a", start), subscription("a", start, 3, 1_000)]
}

/// Revenue by segment: answered once every service has taken in what is at the position.
fn revenue(position: &str) -> GetRevenueRequest {
    GetRevenueRequest {
        at: Some(now(position)),
        segmentation: "lifecycle".to_owned(),
    }
}

async fn answered(client: &Client, request: Request<GetRevenueRequest>) {
    let answer = client.metrics().get_revenue(request).await.unwrap();
    assert_eq!(answer.into_inner().segments[0].mrr_minor, 3_000);
}

#[test]
fn the_spans_of_a_read_that_crosses_processes_are_one_trace() {
    // The first call to metrics: it has to ask ingestion who calls.
    let spans = told(Shape::Apart, async |client| {
        let position = accept(&client, records("2026-01-01")).await;
        answered(&client, traced(&client, revenue(&position))).await;
    });
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
        let parent = spans.iter().find(|one| one.id == span.parent);
        span.service == "sextant-ingestion"
            && parent.is_some_and(|parent| parent.service == "sextant-metrics")
    });
    assert!(crossed, "{spans:#?}");
}

/// Each span on the way of a record, and its parent.
const WAY: [(&str, &str); 6] = [
    ("sextant.ingestion.v1.IngestionService/IngestBatch", ""),
    (
        "scoring follows ingestion",
        "sextant.ingestion.v1.IngestionService/IngestBatch",
    ),
    ("segmentation follows scoring", "scoring follows ingestion"),
    (
        "sextant.scoring.v1.FeedService/ReadColumns",
        "segmentation follows scoring",
    ),
    (
        "metrics follows segmentation",
        "segmentation follows scoring",
    ),
    (
        "metrics follows ingestion",
        "sextant.ingestion.v1.IngestionService/IngestBatch",
    ),
];

#[test]
fn the_way_of_a_record_through_all_services_is_one_trace() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let spans = told(shape, async |client| {
            // The closes of past days belong to no call: they come before it.
            let first = vec![account("first", at("2026-01-01T00:00"))];
            let position = accept(&client, first).await;
            let closed = client.request(revenue(&position));
            client.metrics().get_revenue(closed).await.unwrap();
            let batch = IngestBatchRequest {
                // Of today: late ones would be evaluated as of past closes, too.
                records: records("2026-02-01"),
                ..IngestBatchRequest::default()
            };
            let stored = client
                .ingestion()
                .ingest_batch(traced(&client, batch))
                .await;
            let position = stored.unwrap().into_inner().position;
            answered(&client, client.request(revenue(&position))).await;
        });
        for (name, parent) in WAY {
            let found: Vec<&Seen> = spans.iter().filter(|span| span.name == name).collect();
            let [span] = found[..] else {
                panic!(
                    "{shape:?}: {name} is there {} times in {spans:#?}",
                    found.len()
                );
            };
            let above = spans.iter().find(|one| one.id == span.parent);
            let above = above.map_or("", |above| above.name.as_str());
            assert_eq!(above, parent, "{shape:?}: {name} in {spans:#?}");
            if shape == Shape::Apart {
                let service = service_of(name);
                assert_eq!(span.service, format!("sextant-{service}"), "{name}");
            }
        }
    }
}

/// The service that a span tells of: "sextant.scoring.v1…" or "scoring follows …".
fn service_of(name: &str) -> &str {
    let name = name.strip_prefix("sextant.").unwrap_or(name);
    name.split(['.', ' ']).next().unwrap_or_default()
}
