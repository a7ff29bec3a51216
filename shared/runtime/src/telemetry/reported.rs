//! Exports of traces, counted and reported: a collector that cannot be reached would lose them in silence.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing::{info, warn};

use crate::telemetry::{Label, Meters, Metric};

/// Sends spans to the collector; says once that it cannot, and once that it can again.
#[derive(Debug)]
pub(crate) struct Reported {
    exporter: Otlp,
    endpoint: String,
    meters: Meters,
    fails: AtomicBool,
}

impl Reported {
    pub(crate) fn new(exporter: Otlp, endpoint: &str, meters: Meters) -> Self {
        Self {
            exporter,
            endpoint: endpoint.to_owned(),
            meters,
            fails: AtomicBool::new(false),
        }
    }

    fn report(&self, result: &OTelSdkResult, n_spans: usize) {
        let outcome = if result.is_ok() { "sent" } else { "lost" };
        let n_spans = u32::try_from(n_spans).unwrap_or(u32::MAX);
        self.meters.record(
            Metric::TraceSpans,
            n_spans.into(),
            &[Label::Outcome(outcome)],
        );
        let failed = self.fails.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !failed => {
                warn!(endpoint = self.endpoint, %error, "traces are not taken by the collector and are lost");
            },
            Ok(()) if failed => info!(endpoint = self.endpoint, "the collector takes traces again"),
            _ => {},
        }
    }
}

impl SpanExporter for Reported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let n_spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.report(&result, n_spans);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
