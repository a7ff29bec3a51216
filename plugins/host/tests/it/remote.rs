//! Segmenters on servers that teams run: right ones, and ones that hang, lie, change and vanish.

mod judged;
mod silent;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, UInt16Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use tokio::sync::oneshot;
use tokio_stream::Empty;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::NamedService;
use tonic::transport::Server as Grpc;
use tonic::{Request, Response, Status, Streaming, async_trait};
use tower::Service;

use sextant_plugin_host::{
    Allowance, Assignments, Call, CallError, Deadline, External, ExternalInstance, Server, Trouble,
};
use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::configure_response::Result as Told;
use sextant_proto::segmenter::v1::evaluation_service_server::{
    EvaluationService, EvaluationServiceServer,
};
use sextant_proto::segmenter::v1::explain_response::Result as Explained;
use sextant_proto::segmenter::v1::prepare_response::Result as Made;
use sextant_proto::segmenter::v1::segment_response::Result as Segmented;

use crate::fixture::{DESCRIPTOR, call, hosts, values};

const TOKEN: &str = "Bearer open-sesame";

/// How a model behaves; the remainder of each value by three is its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Right,
    Hangs,
    OtherType,
    OneRowLess,
    FarSegment,
    NoBatch,
    ManyReasons,
    Flood,
    NoReasons,
    HangsWhy,
    Counts,
    FirstRow,
    OutsideScope,
    ManySegments,
    OtherSegments,
}

#[derive(Debug)]
struct Model {
    way: Mutex<Way>,
    descriptor: Mutex<String>,
    prepared: AtomicU64,
    calls: AtomicU64,
    explanations: AtomicU64,
    token: Option<&'static str>,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            way: Mutex::new(Way::Right),
            descriptor: Mutex::new(DESCRIPTOR.to_owned()),
            prepared: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            explanations: AtomicU64::new(0),
            token: None,
        })
    }

    fn way(&self) -> Way {
        *self.way.lock().unwrap()
    }

    fn go(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    fn checked<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let given = request.metadata().get("authorization");
        match self.token {
            Some(token) if given.is_none_or(|given| given != token) => {
                Err(Status::unauthenticated("who are you?"))
            },
            _ => Ok(()),
        }
    }

    fn is_current(&self, instance: &[u8]) -> bool {
        *instance == self.prepared.load(Ordering::SeqCst).to_be_bytes()
    }
}

fn unknown() -> pb::Failure {
    pb::Failure {
        code: pb::FailureCode::InstanceUnknown.into(),
        ..pb::Failure::default()
    }
}

fn encoded(column: ArrayRef) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter([("segment", column)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

#[async_trait]
impl EvaluationService for Model {
    async fn configure(
        &self,
        request: Request<pb::ConfigureRequest>,
    ) -> Result<Response<pb::ConfigureResponse>, Status> {
        self.checked(&request)?;
        let name = match self.way() {
            Way::OutsideScope => "revenue.seats",
            _ => "test.more",
        };
        let features_json = format!(r#"[{{"feature":"{name}","type":"int64","optional":true}}]"#);
        let count = match self.way() {
            Way::ManySegments => 5,
            _ => 3,
        };
        let prefix = match self.way() {
            Way::OtherSegments => format!("{}_", self.calls.fetch_add(1, Ordering::SeqCst)),
            _ => String::new(),
        };
        let segments: Vec<String> = (0..count)
            .map(|n| format!(r#"{{"key":"{prefix}{n}"}}"#))
            .collect();
        let configured = pb::Configured {
            features_json,
            segments_json: format!("[{}]", segments.join(",")),
        };
        Ok(Response::new(pb::ConfigureResponse {
            result: Some(Told::Configured(configured)),
        }))
    }

    async fn load_state(
        &self,
        _request: Request<Streaming<pb::LoadStateRequest>>,
    ) -> Result<Response<pb::LoadStateResponse>, Status> {
        Err(Status::unimplemented("it is not fitted"))
    }

    type SaveStateStream = Empty<Result<pb::SaveStateResponse, Status>>;

    async fn save_state(
        &self,
        _request: Request<pb::SaveStateRequest>,
    ) -> Result<Response<Self::SaveStateStream>, Status> {
        Err(Status::unimplemented("it is not fitted"))
    }

    type FitStream = Empty<Result<pb::FitResponse, Status>>;

    async fn fit(
        &self,
        _request: Request<Streaming<pb::FitRequest>>,
    ) -> Result<Response<Self::FitStream>, Status> {
        Err(Status::unimplemented("it is not fitted"))
    }

    async fn describe(
        &self,
        request: Request<pb::DescribeRequest>,
    ) -> Result<Response<pb::DescribeResponse>, Status> {
        self.checked(&request)?;
        Ok(Response::new(pb::DescribeResponse {
            descriptor_json: self.descriptor.lock().unwrap().clone(),
            server: "a test".to_owned(),
            explains: true,
            deterministic: true,
            row_independent: true,
            fits: false,
        }))
    }

    async fn prepare(
        &self,
        request: Request<pb::PrepareRequest>,
    ) -> Result<Response<pb::PrepareResponse>, Status> {
        self.checked(&request)?;
        let number = self.prepared.fetch_add(1, Ordering::SeqCst) + 1;
        let instance = pb::Instance {
            id: number.to_be_bytes().to_vec().into(),
            ..pb::Instance::default()
        };
        Ok(Response::new(pb::PrepareResponse {
            result: Some(Made::Instance(instance)),
        }))
    }

    async fn segment(
        &self,
        request: Request<pb::SegmentRequest>,
    ) -> Result<Response<pb::SegmentResponse>, Status> {
        self.checked(&request)?;
        let request = request.into_inner();
        if !self.is_current(&request.instance_id) {
            return Ok(Response::new(pb::SegmentResponse {
                result: Some(Segmented::Failure(unknown())),
            }));
        }
        let mut reader = StreamReader::try_new(io::Cursor::new(request.batch), None).unwrap();
        let batch = reader.next().unwrap().unwrap();
        let said = batch.column(0).as_primitive::<Int64Type>().values().iter();
        let mut said: Vec<u16> = said
            .map(|value| u16::try_from(value.rem_euclid(3)).unwrap())
            .collect();
        let calls = self.calls.fetch_add(1, Ordering::SeqCst);
        let batch = match self.way() {
            Way::Hangs => std::future::pending().await,
            Way::OtherType => encoded(Arc::new(Float64Array::from(vec![1.0; said.len()]))),
            Way::NoBatch => b"no stream".to_vec(),
            Way::OneRowLess => {
                said.pop();
                encoded(Arc::new(UInt16Array::from(said)))
            },
            Way::FarSegment => encoded(Arc::new(UInt16Array::from(vec![7; said.len()]))),
            Way::Counts => {
                let segment = u16::try_from(calls % 3).unwrap();
                encoded(Arc::new(UInt16Array::from(vec![segment; said.len()])))
            },
            Way::FirstRow => {
                let first = said.first().copied().unwrap_or(0);
                encoded(Arc::new(UInt16Array::from(vec![first; said.len()])))
            },
            _ => encoded(Arc::new(UInt16Array::from(said))),
        };
        Ok(Response::new(pb::SegmentResponse {
            result: Some(Segmented::Batch(batch.into())),
        }))
    }

    async fn explain(
        &self,
        request: Request<pb::ExplainRequest>,
    ) -> Result<Response<pb::ExplainResponse>, Status> {
        self.checked(&request)?;
        let request = request.into_inner();
        let mut reader = StreamReader::try_new(io::Cursor::new(request.batch), None).unwrap();
        let rows = reader.next().unwrap().unwrap().num_rows();
        let ground = pb::Ground {
            feature: 0,
            contribution: 0.5,
            text: "because".to_owned(),
        };
        self.explanations.fetch_add(1, Ordering::SeqCst);
        let count = match self.way() {
            Way::HangsWhy => std::future::pending().await,
            Way::ManyReasons => 9,
            Way::NoReasons => 0,
            _ => request.top_k.min(1),
        };
        let explanation = pb::Explanation {
            grounds: vec![ground; usize::try_from(count).unwrap()],
        };
        let rows = match self.way() {
            // An empty one takes two bytes until it is read.
            Way::Flood => vec![pb::Explanation::default(); 1_000_000],
            _ => vec![explanation; rows],
        };
        let explanations = pb::Explanations { rows };
        Ok(Response::new(pb::ExplainResponse {
            result: Some(Explained::Explanations(explanations)),
        }))
    }
}

/// A server that runs until it is dropped.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(model: &Arc<Model>, at: &str) -> Self {
        Self::serve(EvaluationServiceServer::from_arc(Arc::clone(model)), at)
    }

    fn serve<S>(service: S, at: &str) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let incoming = TcpListenerStream::new(listener);
                let served = Grpc::builder()
                    .add_service(service)
                    .serve_with_incoming(incoming);
                tokio::select! {
                    served = served => served.unwrap(),
                    _ = stopped => {},
                }
            });
            // What is under way breaks off.
            drop(runtime);
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn server(&self) -> Server {
        Server {
            address: format!("http://{}", self.address),
            token: None,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread
            .take()
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}

struct World {
    model: Arc<Model>,
    running: Option<Running>,
    plugin: External,
    instance: ExternalInstance,
}

impl World {
    fn new(allowance: Allowance) -> Self {
        let model = Model::new();
        let running = Running::start(&model, "127.0.0.1:0");
        let plugin = External::connect(&hosts(), &running.server(), allowance).unwrap();
        let schema = values([]);
        let instance = ExternalInstance::create(&plugin, "", schema.schema_ref()).unwrap();
        Self {
            model,
            running: Some(running),
            plugin,
            instance,
        }
    }

    fn ask(&self) -> Result<Assignments, CallError> {
        let rows = values([Some(2), None, Some(0), Some(1)]);
        self.instance.segment(&rows, &call())
    }

    /// It answers all rows that have a value.
    fn is_right(&self) {
        let answers = self.ask().unwrap();
        assert_eq!(answers.segment, [2, sextant_plugin_host::ABSTAIN, 0, 1]);
        assert_eq!((answers.missing.len(), answers.unanswered.len()), (1, 0));
    }

    fn trouble(&self) -> Trouble {
        let answers = self.ask().unwrap();
        let rows: Vec<usize> = answers.unanswered.iter().map(|one| one.row).collect();
        // The one without a value was not asked about.
        assert_eq!(rows, [0, 2, 3]);
        answers.unanswered[0].trouble.clone()
    }
}

#[test]
fn a_server_answers_and_explains() {
    let world = World::new(Allowance::default());
    assert_eq!(world.plugin.descriptor().id, "test.fixture");
    world.is_right();
    let reasons = world
        .instance
        .explain(&values([Some(1), None]), &call(), 3)
        .unwrap();
    let texts = reasons
        .iter()
        .map(|of_row| of_row[0].text.as_deref().unwrap());
    assert_eq!(
        texts.collect::<Vec<_>>(),
        ["because", "test.value is unknown"]
    );
}

#[test]
fn who_asks_is_known_by_a_token() {
    let model = Arc::new(Model {
        token: Some(TOKEN),
        ..Arc::into_inner(Model::new()).unwrap()
    });
    let running = Running::start(&model, "127.0.0.1:0");
    let nobody = External::connect(&hosts(), &running.server(), Allowance::default()).unwrap_err();
    assert_eq!(nobody.check_id(), "R-answers");
    assert!(nobody.what().contains("who are you?"), "{nobody}");
    let server = Server {
        token: Some("open-sesame".to_owned()),
        ..running.server()
    };
    assert!(!format!("{server:?}").contains("sesame"));
    let plugin = External::connect(&hosts(), &server, Allowance::default()).unwrap();
    let schema = values([]);
    ExternalInstance::create(&plugin, "", schema.schema_ref()).unwrap();
}

#[test]
fn an_address_without_a_server_is_told() {
    for (address, id) in [
        ("http://127.0.0.1:1", "R-answers"),
        ("no address", "R-address"),
        ("models", "R-address"),
        ("ftp://127.0.0.1:1", "R-address"),
    ] {
        let server = Server {
            address: address.to_owned(),
            token: None,
        };
        let refused = External::connect(&hosts(), &server, Allowance::default()).unwrap_err();
        assert_eq!(refused.check_id(), id, "{refused}");
    }
}

#[test]
fn a_server_that_has_forgotten_its_instances_is_told_of_them_again() {
    let world = World::new(Allowance::default());
    world.is_right();
    world.model.prepared.fetch_add(100, Ordering::SeqCst);
    world.is_right();
    assert_eq!(world.model.prepared.load(Ordering::SeqCst), 102);
}

#[test]
fn a_server_that_hangs_costs_its_answers_alone() {
    let world = World::new(Allowance::default());
    world.model.go(Way::Hangs);
    let late = Call {
        deadline: Some(Deadline::after(Duration::from_millis(30))),
        ..call()
    };
    let answers = world.instance.segment(&values([Some(1)]), &late).unwrap();
    assert_eq!(answers.unanswered[0].trouble, Trouble::Overran);
    world.model.go(Way::Right);
    world.is_right();
}

#[test]
fn a_server_that_is_never_done_although_it_lives_is_not_asked_any_more() {
    let world = World::new(Allowance {
        longest_call: Duration::from_millis(50),
        ..Allowance::default()
    });
    world.model.go(Way::Hangs);
    assert_eq!(world.trouble(), Trouble::Overran);
    assert!(world.plugin.is_quarantined());
    let calls = world.model.calls.load(Ordering::SeqCst);
    assert_eq!(world.trouble().kind(), "quarantined");
    assert_eq!(world.model.calls.load(Ordering::SeqCst), calls);
}

#[test]
fn a_server_that_never_says_why_is_not_asked_for_that_any_more_and_answers_all_the_same() {
    let world = World::new(Allowance {
        longest_call: Duration::from_millis(50),
        ..Allowance::default()
    });
    let rows = values(std::array::from_fn::<_, 1_000, _>(|_| Some(1)));
    let explain = || world.instance.explain(&rows, &call(), 1).unwrap();
    let asked = || world.model.explanations.load(Ordering::SeqCst);
    world.model.go(Way::HangsWhy);
    assert!(explain().iter().all(Vec::is_empty));
    let calls = asked();
    assert!((1..20).contains(&calls), "{calls}");
    explain();
    assert_eq!(asked(), calls);
    assert!(!world.plugin.is_quarantined());
    assert!(world.plugin.failing().is_empty());
    // Somebody has mended it.
    world.model.go(Way::Right);
    world.plugin.release();
    explain();
    assert!(asked() > calls);
}

#[test]
fn a_server_whose_explanation_is_a_flood_gives_none() {
    let world = World::new(Allowance::default());
    let explain = || {
        world
            .instance
            .explain(&values([Some(1)]), &call(), 1)
            .unwrap()
    };
    assert_eq!(explain()[0].len(), 1);
    world.model.go(Way::Flood);
    assert_eq!(explain(), [vec![]]);
}

#[test]
fn a_server_that_lies_about_what_it_answers_has_not_answered() {
    for (way, what) in [
        (Way::OtherType, "its columns are not segment uint16"),
        (Way::OneRowLess, "it has 0 rows, the input has 1"),
        (Way::FarSegment, "is in segment 7, there are 3 segments"),
        (Way::NoBatch, "it is no Arrow stream"),
    ] {
        let world = World::new(Allowance::default());
        world.model.go(way);
        let trouble = world.trouble();
        assert!(
            matches!(&trouble, Trouble::Failed(told) if told.contains(what)),
            "{trouble:?}"
        );
        world.plugin.release();
        world.model.go(Way::Right);
        world.is_right();
    }
    let world = World::new(Allowance::default());
    world.model.go(Way::ManyReasons);
    let reasons = world
        .instance
        .explain(&values([Some(1), Some(2)]), &call(), 3)
        .unwrap();
    assert_eq!(reasons, [vec![], vec![]]);
}

#[test]
fn a_server_that_says_something_else_of_itself_is_not_asked_any_more() {
    for trusted_for in [Duration::ZERO, Duration::from_secs(3_600)] {
        let world = World::new(Allowance {
            trusted_for,
            ..Allowance::default()
        });
        world.is_right();
        let other = DESCRIPTOR.replace("1.0.0", "1.0.1");
        *world.model.descriptor.lock().unwrap() = other;
        // It is looked at after a while, and whenever it has forgotten what it was told.
        if !trusted_for.is_zero() {
            world.is_right();
            world.model.prepared.fetch_add(100, Ordering::SeqCst);
        }
        let refused = world.ask().unwrap_err();
        assert!(matches!(refused, CallError::DescriptorChanged), "{refused}");
    }
}

#[test]
fn a_server_that_vanishes_is_gone_until_it_is_back() {
    let mut world = World::new(Allowance::default());
    world.is_right();
    let address = world.running.take().unwrap().address;
    let trouble = world.trouble();
    assert!(matches!(trouble, Trouble::Gone(_)), "{trouble:?}");
    world.running = Some(Running::start(&world.model, &address.to_string()));
    world.is_right();
}

#[test]
fn a_server_that_vanishes_in_the_middle_of_a_call_is_gone() {
    let mut world = World::new(Allowance::default());
    world.model.go(Way::Hangs);
    let running = world.running.take();
    let stopping = thread::spawn(move || drop(running));
    let trouble = world.trouble();
    stopping.join().unwrap();
    assert!(matches!(trouble, Trouble::Gone(_)), "{trouble:?}");
}
