//! Logs, traces and metrics of a process.

mod measured;
mod metrics;
pub(crate) mod propagation;
mod reported;
pub mod trace;

use std::fmt;
use std::io::IsTerminal as _;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::config::{self, LogFormat};
use crate::telemetry::measured::OfSegmenters;
use crate::telemetry::reported::Reported;

pub use crate::telemetry::metrics::{Label, Meters, Metric};

/// Longest wait for the collector at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Spans of our own crates are traced; the exporter's own HTTP/2 connection is not.
const TRACED: &str = "sextant";

type BoxLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Why there is no telemetry.
#[derive(Debug)]
pub enum Error {
    /// `telemetry.log_filter` cannot be read.
    FilterMalformed {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The OTLP exporter cannot be built.
    Exporter {
        /// Why.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The metrics registry cannot be built.
    Metrics {
        /// Why.
        source: opentelemetry_sdk::error::OTelSdkError,
    },
    /// Another subscriber is installed already.
    AlreadyInstalled {
        /// What tracing said.
        source: tracing::dispatcher::SetGlobalDefaultError,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FilterMalformed { filter, .. } => {
                write!(
                    f,
                    "telemetry.log_filter \"{filter}\" is no filter such as info,sextant_scoring=debug"
                )
            },
            Self::Exporter { .. } => {
                f.write_str("traces cannot be exported to telemetry.otlp_endpoint")
            },
            Self::Metrics { .. } => f.write_str("metrics cannot be collected"),
            Self::AlreadyInstalled { .. } => f.write_str("logs are already set up"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::FilterMalformed { source, .. } => Some(source),
            Self::Exporter { source } => Some(source),
            Self::Metrics { source } => Some(source),
            Self::AlreadyInstalled { source } => Some(source),
        }
    }
}

/// Everything that observes a process. Keep it until the end and call [`Telemetry::shut_down`].
#[derive(Debug)]
pub struct Telemetry {
    dispatch: tracing::Dispatch,
    meters: Meters,
    scrape: Scrape,
    metrics: SdkMeterProvider,
    traces: Option<SdkTracerProvider>,
}

/// Reads all metrics, in the Prometheus text format.
#[derive(Debug, Clone)]
pub struct Scrape {
    registry: prometheus::Registry,
}

impl Scrape {
    /// All metrics as they are now.
    ///
    /// # Errors
    /// A metric that the format cannot express.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Telemetry {
    /// Sets everything up without installing it. With an OTLP endpoint, this needs a running executor.
    ///
    /// # Errors
    /// A filter or an endpoint that cannot be used.
    pub fn new(config: &config::Telemetry, role: &'static str) -> Result<Self, Error> {
        let filter: Targets =
            config
                .log_filter
                .parse()
                .map_err(|source| Error::FilterMalformed {
                    filter: config.log_filter.clone(),
                    source,
                })?;
        let resource = Resource::builder()
            .with_service_name(format!("sextant-{role}"))
            .build();
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false);
        let exporter = exporter
            .build()
            .map_err(|source| Error::Metrics { source })?;
        let metrics = SdkMeterProvider::builder()
            .with_reader(exporter)
            .with_resource(resource.clone())
            .build();
        let meter = metrics.meter("sextant");
        let meters = Meters::new(&meter);
        let traces = match &config.otlp_endpoint {
            Some(endpoint) => Some(tracer_provider(
                endpoint,
                config.trace_sample_ratio,
                resource,
                meters.clone(),
            )?),
            None => None,
        };
        // Whatever is logged.
        let measured = Targets::new().with_target(measured::TARGET, LevelFilter::DEBUG);
        let mut layers: Vec<BoxLayer> = vec![
            log_layer(config.log_format).with_filter(filter).boxed(),
            OfSegmenters::new(&meter).with_filter(measured).boxed(),
        ];
        if let Some(provider) = &traces {
            let traced = Targets::new().with_target(TRACED, LevelFilter::INFO);
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("sextant"));
            layers.push(
                layer
                    .with_location(false)
                    .with_threads(false)
                    .with_tracked_inactivity(false)
                    .with_filter(traced)
                    .boxed(),
            );
        }
        let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layers));
        Ok(Self {
            dispatch,
            meters,
            scrape: Scrape { registry },
            metrics,
            traces,
        })
    }

    /// Makes this process's logs and spans go here.
    ///
    /// # Errors
    /// Somebody did so before.
    pub fn install(&self) -> Result<(), Error> {
        tracing::dispatcher::set_global_default(self.dispatch.clone())
            .map_err(|source| Error::AlreadyInstalled { source })
    }

    /// Where logs and spans go; for a caller that does not want them installed for the whole process.
    #[must_use]
    pub fn dispatch(&self) -> &tracing::Dispatch {
        &self.dispatch
    }

    /// Where measurements go.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Reads the measurements, for the admin port.
    #[must_use]
    pub fn scrape(&self) -> &Scrape {
        &self.scrape
    }

    /// Sends what is still buffered. Blocks for at most five seconds: call it outside the executor's threads.
    pub fn shut_down(self) {
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
        if let Err(error) = self.metrics.shutdown() {
            tracing::debug!(%error, "metrics were not shut down");
        }
    }
}

fn log_layer(format: LogFormat) -> BoxLayer {
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn tracer_provider(
    endpoint: &str,
    ratio: f64,
    resource: Resource,
    meters: Meters,
) -> Result<SdkTracerProvider, Error> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|source| Error::Exporter { source })?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(Reported::new(exporter, endpoint, meters))
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

#[cfg(test)]
mod tests;
