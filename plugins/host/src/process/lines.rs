//! What a segmenter logs, as lines that the service reads from this process's standard error.

use std::fmt;
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::measured::{MEASURED, Measured};

/// Begins a line that is one of ours; what a segmenter prints by itself has none.
pub(crate) const MARK: char = '\u{1e}';
/// Level of a line that says where the segmenter has crashed, and that the process ends.
pub(crate) const FAULT: &str = "FAULT";
/// A pipe takes lines of up to 4096 bytes whole. Escaping can double a text.
const MAX_TEXT_BYTES: usize = 1_500;

/// A log line or a measurement of a segmenter.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Line {
    /// `TRACE` to `ERROR`, or [`FAULT`].
    pub(crate) level: String,
    pub(crate) message: String,
    /// A flat JSON object; empty: none.
    pub(crate) details: String,
    /// A measurement, and no line for people.
    pub(crate) measured: Option<Measured>,
}

/// Writes events to standard error. The service reads all the time, so a line waits for no longer than that takes.
#[derive(Debug)]
pub(crate) struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sextant::segmenter")
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let measured = (metadata.target() == MEASURED).then(Measured::default);
        let mut line = Line {
            level: metadata.level().to_string(),
            measured,
            ..Line::default()
        };
        event.record(&mut line);
        if let Ok(json) = serde_json::to_string(&line) {
            let _lost_where_nobody_reads =
                io::stderr().write_all(format!("{MARK}{json}\n").as_bytes());
        }
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

impl Visit for Line {
    fn record_f64(&mut self, _value: &Field, value: f64) {
        if let Some(measured) = &mut self.measured {
            measured.value = value;
        }
    }

    fn record_i64(&mut self, _kind: &Field, value: i64) {
        if let Some(measured) = &mut self.measured {
            measured.kind = i32::try_from(value).unwrap_or(-1);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match &mut self.measured {
            Some(measured) if field.name() == "name" => measured.name = value.to_owned(),
            Some(_) => {},
            None => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = cut(&format!("{value:?}"));
        match field.name() {
            "message" => self.message = text,
            "details" => self.details = text,
            _ => {},
        }
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    text.split_at(end).0.to_owned()
}
