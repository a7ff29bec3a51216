//! The registry of everything we measure. Labels are static texts: no tenant, account or other id can become one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Counter, Histogram, Meter, MeterProvider as _};
use tokio::time::Instant;
use tonic::Code;

use crate::server::code_name;

/// Seconds; from a call that stays in the process to one that waits for its deadline.
const DURATION_BOUNDS: [f64; 16] = [
    0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 1.0, 5.0, 30.0,
];

/// Everything we measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Duration of a call that we served, to its last byte.
    RpcServerCallDuration,
    /// Time until the head of the answer of a call that we made over the network.
    RpcClientCallDuration,
    /// Calls refused because of overload.
    RpcShed,
    /// Records by verdict.
    IngestRecords,
    /// Entries of a feed that a follower has not read yet.
    FeedLag,
    /// Age of the oldest fact that is in a feed and not in the answers yet, in seconds; 0: there is none.
    Freshness,
    /// Duration of one segmentation run over a micro-batch or a day close.
    RunDuration,
    /// Transitions stored.
    Transitions,
    /// Segmenter calls that failed, by kind.
    SegmenterFailures,
    /// Cache reads by outcome.
    CacheLookups,
    /// Duration of a store operation.
    StoreDuration,
    /// Spans by what became of them: sent to the collector, or lost.
    TraceSpans,
}

/// How a metric comes by its values.
#[derive(Clone, Copy)]
enum Kind {
    /// What is recorded is added up.
    Counter,
    /// Seconds are recorded.
    Duration,
    /// A sum that is kept elsewhere and read for each scrape.
    WatchedCounter,
    /// A level that is read for each scrape.
    WatchedGauge,
}

/// One dimension of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// `package.Service/Method` of the method table.
    RpcMethod(&'static str),
    /// Name of the gRPC status code.
    RpcStatus(&'static str),
    /// Our service.
    Service(&'static str),
    /// The service whose feed is followed.
    Feed(&'static str),
    /// How it went: a verdict, hit or miss, a failure kind.
    Outcome(&'static str),
    /// What was done: a store operation, a phase.
    Operation(&'static str),
}

impl Label {
    fn key_value(self) -> KeyValue {
        match self {
            Self::RpcMethod(value) => KeyValue::new("rpc.method", value),
            Self::RpcStatus(value) => KeyValue::new("rpc.response.status_code", value),
            Self::Service(value) => KeyValue::new("sextant.service", value),
            Self::Feed(value) => KeyValue::new("sextant.feed", value),
            Self::Outcome(value) => KeyValue::new("sextant.outcome", value),
            Self::Operation(value) => KeyValue::new("sextant.operation", value),
        }
    }
}

impl Metric {
    /// All metrics, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::RpcServerCallDuration,
        Self::RpcClientCallDuration,
        Self::RpcShed,
        Self::IngestRecords,
        Self::FeedLag,
        Self::Freshness,
        Self::RunDuration,
        Self::Transitions,
        Self::SegmenterFailures,
        Self::CacheLookups,
        Self::StoreDuration,
        Self::TraceSpans,
    ];

    /// The name in OpenTelemetry; Prometheus writes underscores and adds the unit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RpcServerCallDuration => "rpc.server.call.duration",
            Self::RpcClientCallDuration => "rpc.client.call.duration",
            Self::RpcShed => "sextant.rpc.shed",
            Self::IngestRecords => "sextant.ingest.records",
            Self::FeedLag => "sextant.feed.lag",
            Self::Freshness => "sextant.freshness.seconds",
            Self::RunDuration => "sextant.run.duration",
            Self::Transitions => "sextant.transitions",
            Self::SegmenterFailures => "sextant.segmenter.failures",
            Self::CacheLookups => "sextant.cache.lookups",
            Self::StoreDuration => "sextant.store.duration",
            Self::TraceSpans => "sextant.trace.spans",
        }
    }

    /// What it means, for `/metrics`.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::RpcServerCallDuration => "duration of served calls",
            Self::RpcClientCallDuration => {
                "time until the head of the answer of calls over the network"
            },
            Self::RpcShed => "calls refused because of overload",
            Self::IngestRecords => "records by verdict",
            Self::FeedLag => "feed entries not read yet",
            Self::Freshness => {
                "age in seconds of the oldest fact in a feed that is not in the answers yet"
            },
            Self::RunDuration => "duration of segmentation runs",
            Self::Transitions => "transitions stored",
            Self::SegmenterFailures => "failed segmenter calls by kind",
            Self::CacheLookups => "cache reads by outcome",
            Self::StoreDuration => "duration of store operations",
            Self::TraceSpans => "spans by what became of them, where traces are exported",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::RpcServerCallDuration
            | Self::RpcClientCallDuration
            | Self::RunDuration
            | Self::StoreDuration => Kind::Duration,
            Self::RpcShed
            | Self::IngestRecords
            | Self::Transitions
            | Self::SegmenterFailures
            | Self::TraceSpans => Kind::Counter,
            Self::CacheLookups => Kind::WatchedCounter,
            Self::FeedLag | Self::Freshness => Kind::WatchedGauge,
        }
    }
}

#[derive(Debug)]
enum Instrument {
    Counter(Counter<f64>),
    Duration(Histogram<f64>),
    Watched,
}

/// A value that is read for each scrape.
struct Watched {
    metric: Metric,
    labels: Vec<KeyValue>,
    read: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("metric", &self.metric)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

type AllWatched = Arc<Mutex<Vec<Watched>>>;

/// Takes measurements. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Meters {
    /// One per metric, in the order of the enum.
    instruments: Arc<[Instrument]>,
    watched: AllWatched,
}

impl Meters {
    pub(crate) fn new(meter: &Meter) -> Self {
        let watched = AllWatched::default();
        Self {
            instruments: Metric::ALL
                .into_iter()
                .map(|metric| instrument(meter, metric, &watched))
                .collect(),
            watched,
        }
    }

    /// Takes measurements and forgets them.
    #[must_use]
    pub fn none() -> Self {
        Self::new(&opentelemetry::metrics::noop::NoopMeterProvider::new().meter("none"))
    }

    /// Adds to a counter or records a duration in seconds. Levels and sums that are kept elsewhere are watched instead.
    pub fn record(&self, metric: Metric, value: f64, labels: &[Label]) {
        let mut pairs: [KeyValue; MAX_LABELS] = std::array::from_fn(|_| KeyValue::new("", ""));
        let n_labels = labels.len().min(MAX_LABELS);
        for (pair, label) in pairs.iter_mut().zip(labels) {
            *pair = label.key_value();
        }
        self.write(metric, value, &pairs[..n_labels]);
    }

    /// Records how long work takes.
    pub async fn time<F: Future>(&self, metric: Metric, labels: &[Label], work: F) -> F::Output {
        let started = Instant::now();
        let done = work.await;
        self.record(metric, started.elapsed().as_secs_f64(), labels);
        done
    }

    /// Reads a level, or a sum that is kept elsewhere, for each scrape. Whoever keeps the value pays nothing for it.
    pub fn watch(
        &self,
        metric: Metric,
        labels: &[Label],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        let labels = labels.iter().map(|label| label.key_value()).collect();
        let mut all = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Watched {
            metric,
            labels,
            read: Box::new(read),
        });
    }

    /// A call over the network, by the `package.Service/Method` that generated code names.
    pub(crate) fn record_client_call(&self, method: Option<String>, code: Code, took: Duration) {
        let method = method.map_or_else(
            || KeyValue::new("rpc.method", "_OTHER"),
            |name| KeyValue::new("rpc.method", name),
        );
        let status = Label::RpcStatus(code_name(code)).key_value();
        self.write(
            Metric::RpcClientCallDuration,
            took.as_secs_f64(),
            &[method, status],
        );
    }

    fn write(&self, metric: Metric, value: f64, pairs: &[KeyValue]) {
        match self.instruments.get(metric as usize) {
            Some(Instrument::Counter(counter)) => counter.add(value, pairs),
            Some(Instrument::Duration(histogram)) => histogram.record(value, pairs),
            Some(Instrument::Watched) | None => {},
        }
    }
}

/// No metric has more dimensions.
const MAX_LABELS: usize = 3;

fn instrument(meter: &Meter, metric: Metric, watched: &AllWatched) -> Instrument {
    let (name, about) = (metric.name(), metric.about());
    let all = Arc::clone(watched);
    let read = move |observer: &dyn AsyncInstrument<f64>| {
        let all = all.lock().unwrap_or_else(PoisonError::into_inner);
        for one in all.iter().filter(|one| one.metric == metric) {
            observer.observe((one.read)(), &one.labels);
        }
    };
    match metric.kind() {
        Kind::Counter => {
            Instrument::Counter(meter.f64_counter(name).with_description(about).build())
        },
        Kind::Duration => {
            let builder = meter
                .f64_histogram(name)
                .with_description(about)
                .with_unit("s");
            Instrument::Duration(builder.with_boundaries(DURATION_BOUNDS.to_vec()).build())
        },
        Kind::WatchedCounter => {
            let builder = meter.f64_observable_counter(name);
            builder.with_description(about).with_callback(read).build();
            Instrument::Watched
        },
        Kind::WatchedGauge => {
            let builder = meter.f64_observable_gauge(name);
            builder.with_description(about).with_callback(read).build();
            Instrument::Watched
        },
    }
}
