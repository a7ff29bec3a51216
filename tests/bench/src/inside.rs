//! What single steps cost, as information: a call that stays in the process, a call of a segmenter, a fit.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_buffer::{Buffer, MutableBuffer};
use flate2::read::GzDecoder;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tonic::Request;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use sextant_domain::bgnbd::{History, Start, fit};
use sextant_domain::time::Day;
use sextant_plugin_host::{Call, Instance, Plugin};
use sextant_proto::segmentation::v1::GetMembershipRequest;
use sextant_runtime::auth::{
    Access, Authenticator, Key, KeyId, KeyRecord, KeySource, KeySourceUnavailable, MethodTable,
    Scope,
};
use sextant_runtime::clock::Clock;
use sextant_runtime::lifecycle::Lifecycle;
use sextant_runtime::link::{Link, LinkOptions};
use sextant_runtime::server::{Limits, Part, Stack, Surroundings};
use sextant_runtime::telemetry::Meters;

use crate::company::account_id;
use crate::echo::Echo;
use crate::load::PATH;
use crate::program::beside;
use crate::report::{Report, Row, median};
use crate::session::membership_request;

const CALLS: usize = 20_000;
const WARM_UP: usize = 2_000;
const SEGMENTER_CALLS: usize = 2_001;
const ANSWER_BYTES: usize = 256;
const DEADLINE: Duration = Duration::from_secs(5);
const PURCHASES: &[u8] = include_bytes!("../../../services/suite/data/cdnow/CDNOW_master.txt.gz");
/// 1997-09-30: the calibration period of the literature is the first 39 weeks.
const END_OF_CALIBRATION: (i16, i8, i8) = (1997, 9, 30);
const FEATURES: [&str; 6] = [
    "rfm.recency",
    "rfm.frequency",
    "rfm.monetary",
    "purchase.days_since_last",
    "purchase.count",
    "purchase.total_minor",
];

/// Nobody but the services themselves has a key.
struct NoKeys;

impl KeySource for NoKeys {
    fn resolve(
        &self,
        _id: KeyId,
    ) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// Microseconds of one call after another over a link.
async fn call_us(link: Link) -> f64 {
    let mut client = Grpc::new(link);
    let mut begun = Instant::now();
    for number in 0..WARM_UP + CALLS {
        if number == WARM_UP {
            begun = Instant::now();
        }
        let mut request = Request::new(membership_request(account_id(number), "tiers"));
        request.set_timeout(DEADLINE);
        let codec = ProstCodec::<GetMembershipRequest, Vec<u8>>::default();
        client.ready().await.unwrap();
        let answer = client
            .unary(request, PATH.parse().unwrap(), codec)
            .await
            .unwrap();
        assert!(!answer.get_ref().is_empty());
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(CALLS).unwrap())
}

/// Links to Echo: bare, and behind everything that stands in front of a service.
fn links() -> (Link, Link) {
    let key = Key::generate().unwrap();
    let options = LinkOptions::new(DEADLINE, Meters::none()).with_key(&key);
    let echo = Echo::of_size(ANSWER_BYTES);
    let bare = Link::in_process(Stack::bare(echo.clone()), &options);
    let authenticator =
        Authenticator::new(Arc::new(NoKeys), Clock::real(), DEADLINE).with_service_key(&key);
    let around = Surroundings {
        lifecycle: Lifecycle::new(),
        authenticator: Arc::new(authenticator),
        meters: Meters::none(),
        limits: Limits {
            max_in_flight: 512,
            max_queue: DEADLINE,
            default_deadline: DEADLINE,
        },
    };
    let methods = MethodTable::new(&[(PATH, Access::Scope(Scope::Read))]);
    let part = Part::new("echo", methods).service(echo, ["GetMembership"]);
    (bare, part.mount(&around).unwrap().link(&options))
}

/// Microseconds of one call of the RFM segmenter for so many accounts.
fn segmenter_us(instance: &Instance, rows: &RecordBatch) -> f64 {
    let call = Call {
        tenant: "bench",
        as_of_us: 0,
        seed: 0,
        deadline: None,
        cancel: None,
    };
    let mut times = Vec::with_capacity(SEGMENTER_CALLS);
    for _ in 0..SEGMENTER_CALLS {
        let begun = Instant::now();
        let answers = instance.segment(rows, &call).unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        assert_eq!(answers.segment.len(), rows.num_rows());
    }
    median(&times)
}

fn rows(n_rows: usize) -> RecordBatch {
    let column = |_name: &str| -> ArrayRef {
        let mut buffer = MutableBuffer::with_capacity(n_rows * 8);
        (0_i64..)
            .take(n_rows)
            .for_each(|row| buffer.push(row % 5 + 1));
        Arc::new(Int64Array::new(Buffer::from(buffer).into(), None))
    };
    RecordBatch::try_from_iter_with_nullable(FEATURES.map(|name| (name, column(name), true)))
        .unwrap()
}

/// A day as the log writes it, such as 19970101.
fn day_of(text: &str) -> Day {
    let number: i32 = text.parse().unwrap();
    let year = i16::try_from(number / 10_000).unwrap();
    let (month, day) = (number / 100 % 100, number % 100);
    Day::from_ymd(
        year,
        i8::try_from(month).unwrap(),
        i8::try_from(day).unwrap(),
    )
    .unwrap()
}

/// What every account of the CDNOW log bought in the calibration period.
fn histories() -> Vec<History> {
    let mut text = String::new();
    GzDecoder::new(PURCHASES).read_to_string(&mut text).unwrap();
    let (year, month, day) = END_OF_CALIBRATION;
    let end = Day::from_ymd(year, month, day).unwrap();
    let mut days: BTreeMap<&str, Vec<Day>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let mut cells = line.split_ascii_whitespace();
        if let (Some(account), Some(day)) = (cells.next(), cells.next()) {
            days.entry(account).or_default().push(day_of(day));
        }
    }
    days.values()
        .filter_map(|days| History::from_days(days, end))
        .collect()
}

pub(crate) async fn measure(report: &mut Report, n_rounds: usize) {
    let (bare, full) = links();
    let (mut bare_us, mut full_us) = (Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        bare_us.push(call_us(bare.clone()).await);
        full_us.push(call_us(full.clone()).await);
    }
    report.add(
        Row::new("call within the process, all layers", "us", full_us)
            .against("no layers", &bare_us),
    );
    let plugin = Plugin::load(&beside("libsextant_segmenter_rfm.so")).unwrap();
    for n_rows in [1, 1_000] {
        let rows = rows(n_rows);
        let mut instance = Instance::create(&plugin, "{}").unwrap();
        instance.bind(rows.schema_ref()).unwrap();
        let times = (0..n_rounds)
            .map(|_| segmenter_us(&instance, &rows))
            .collect();
        report.add(Row::new(
            format!("call of the RFM segmenter, {n_rows} accounts"),
            "us",
            times,
        ));
    }
    let histories = histories();
    let mut fits_ms = Vec::new();
    for _ in 0..n_rounds {
        let begun = Instant::now();
        fit(&histories, Start::Cold).unwrap();
        fits_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    report.add(Row::new(
        format!("BG/NBD fit, {} accounts of CDNOW", histories.len()),
        "ms",
        fits_ms,
    ));
}
