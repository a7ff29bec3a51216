//! A client that keeps so many reads in flight, as a process of its own. It encodes its requests beforehand and does not decode
//! the answers, so that every server is asked by the same load.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Status};

use crate::company::account_id;
use crate::program::{CLIENT_CORE, command};
use crate::report::quantile;
use crate::session::{Session, channel, membership_request};

/// The argument that asks for this.
pub(crate) const MODE: &str = "load";
pub(crate) const PATH: &str = "/sextant.segmentation.v1.SegmentationService/GetMembership";
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(5);

/// What is asked, of whom, and how hard.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) session: &'a Session,
    pub(crate) segmentation: &'a str,
    pub(crate) n_accounts: usize,
    pub(crate) n_in_flight: usize,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) per_second: f64,
    pub(crate) p99_us: f64,
    /// All answers, those of the warm-up included.
    pub(crate) n_answers: f64,
}

impl Load<'_> {
    /// Runs in a process of its own, on the clients' core.
    pub(crate) async fn apply(&self) -> Answered {
        let asked = json!({
            "address": self.address.to_string(),
            "key": self.session.key,
            "tenant": self.session.tenant,
            "segmentation": self.segmentation,
            "accounts": self.n_accounts,
            "in_flight": self.n_in_flight,
        });
        let answer = tokio::task::spawn_blocking(move || run_child(&asked))
            .await
            .unwrap();
        let number = |key: &str| answer[key].as_f64().unwrap();
        Answered {
            per_second: number("per_second"),
            p99_us: number("p99_us"),
            n_answers: number("answers"),
        }
    }
}

fn run_child(asked: &Value) -> Value {
    let mut child = command(&std::env::current_exe().unwrap(), CLIENT_CORE)
        .arg(MODE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(asked.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the client failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The client: what is asked comes in on standard input, the result goes out on standard output.
pub(crate) fn run() -> ExitCode {
    let asked: Value = serde_json::from_reader(std::io::stdin()).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    println!("{}", runtime.block_on(measure(&asked)));
    ExitCode::SUCCESS
}

/// All that the tasks share.
struct Asking {
    client: tonic::client::Grpc<tonic::transport::Channel>,
    authorization: AsciiMetadataValue,
    tenant: AsciiMetadataValue,
    messages: Vec<Bytes>,
}

async fn measure(asked: &Value) -> Value {
    let text = |key: &str| asked[key].as_str().unwrap();
    let count = |key: &str| usize::try_from(asked[key].as_u64().unwrap()).unwrap();
    let encode = |number| {
        membership_request(account_id(number), text("segmentation"))
            .encode_to_vec()
            .into()
    };
    let asking = Arc::new(Asking {
        client: tonic::client::Grpc::new(channel(text("address").parse().unwrap())),
        authorization: format!("Bearer {}", text("key")).parse().unwrap(),
        tenant: text("tenant").parse().unwrap(),
        messages: (0..count("accounts")).map(encode).collect(),
    });
    let n_in_flight = count("in_flight");
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for first in 0..n_in_flight {
        tasks.spawn(ask(Arc::clone(&asking), (first, n_in_flight), begun));
    }
    let all: Vec<(Instant, f64)> = tasks.join_all().await.concat();
    let (from, until) = (begun + WARM_UP, begun + WARM_UP + MEASURED);
    let measured = all.iter().filter(|(at, _)| (from..until).contains(at));
    let times_us: Vec<f64> = measured.map(|(_, time_us)| *time_us).collect();
    let count_of = |n_calls: usize| f64::from(u32::try_from(n_calls).unwrap());
    json!({
        "per_second": count_of(times_us.len()) / MEASURED.as_secs_f64(),
        "p99_us": quantile(&times_us, 0.99),
        "answers": count_of(all.len()),
    })
}

/// One caller of several; returns when each answer came and how many microseconds it took.
async fn ask(
    asking: Arc<Asking>,
    (first, step): (usize, usize),
    begun: Instant,
) -> Vec<(Instant, f64)> {
    let until = begun + WARM_UP + MEASURED;
    let mut client = asking.client.clone();
    let mut next = first;
    let mut times = Vec::new();
    loop {
        let mut request = Request::new(asking.messages[next % asking.messages.len()].clone());
        request.set_timeout(DEADLINE);
        request
            .metadata_mut()
            .insert("authorization", asking.authorization.clone());
        request
            .metadata_mut()
            .insert("sextant-tenant", asking.tenant.clone());
        let sent = Instant::now();
        client.ready().await.unwrap();
        let answer = client
            .unary(request, PathAndQuery::from_static(PATH), Raw)
            .await
            .unwrap();
        assert!(!answer.get_ref().is_empty(), "an answer is empty");
        let now = Instant::now();
        times.push((now, (now - sent).as_secs_f64() * 1e6));
        if now >= until {
            return times;
        }
        next += step;
    }
}

/// Messages as they are on the wire.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
