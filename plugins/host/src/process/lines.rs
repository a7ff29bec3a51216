//! What a segmenter logs, as lines that the service reads from this process's standard error.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

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
}

/// Writes events to standard error. The service reads all the time, so a line waits for no longer than that takes.
#[derive(Debug)]
pub(crate) struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sextant::segmenter")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line {
            level: event.metadata().level().to_string(),
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
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = cut(&format!("{value:?}"));
        match field.name() {
            "message" => self.message = text,
            "details" => self.details = text,
            "plugin" => {},
            // Of a measurement: name, value and kind.
            other => {
                // Writing to a string cannot fail.
                let _infallible = write!(self.message, " {other}={text}");
            },
        }
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    text.split_at(end).0.to_owned()
}
