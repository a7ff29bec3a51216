//! What segmenters measure of their own work, which comes as events.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Target of these events: `plugin`, `name`, `value`, and `kind`, which is 0 of a counter, 1 of a gauge, 2 of a histogram.
pub(super) const TARGET: &str = "sextant::segmenter::metric";

/// Of histograms: nobody knows what is measured.
const BOUNDS: [f64; 13] = [
    0.001,
    0.01,
    0.1,
    0.5,
    1.0,
    5.0,
    10.0,
    50.0,
    100.0,
    1_000.0,
    10_000.0,
    100_000.0,
    1_000_000.0,
];

/// Takes them up. The names are the segmenters' own, and a label, for names of metrics are ours.
#[derive(Debug)]
pub(super) struct OfSegmenters {
    counter: Counter<f64>,
    gauge: Gauge<f64>,
    histogram: Histogram<f64>,
}

impl OfSegmenters {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            counter: meter
                .f64_counter("sextant.segmenter.counter")
                .with_description("counted by segmenters")
                .build(),
            gauge: meter
                .f64_gauge("sextant.segmenter.gauge")
                .with_description("levels that segmenters tell")
                .build(),
            histogram: meter
                .f64_histogram("sextant.segmenter.histogram")
                .with_description("values that segmenters tell")
                .with_boundaries(BOUNDS.to_vec())
                .build(),
        }
    }
}

impl<S: Subscriber> Layer<S> for OfSegmenters {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut measured = Measured::default();
        event.record(&mut measured);
        let labels = [
            KeyValue::new("sextant.segmenter", measured.plugin),
            KeyValue::new("sextant.name", measured.name),
        ];
        match measured.kind {
            0 => self.counter.add(measured.value, &labels),
            1 => self.gauge.record(measured.value, &labels),
            2 => self.histogram.record(measured.value, &labels),
            _ => {},
        }
    }
}

#[derive(Default)]
struct Measured {
    plugin: String,
    name: String,
    value: f64,
    kind: i64,
}

impl Visit for Measured {
    fn record_f64(&mut self, _value: &Field, value: f64) {
        self.value = value;
    }

    fn record_i64(&mut self, _kind: &Field, value: i64) {
        self.kind = value;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "plugin" => value.clone_into(&mut self.plugin),
            "name" => value.clone_into(&mut self.name),
            _ => {},
        }
    }

    fn record_debug(&mut self, _other: &Field, _value: &dyn fmt::Debug) {}
}
