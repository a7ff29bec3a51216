//! The W3C `traceparent` header, in and out.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";

/// Makes a new span the child of the caller's, if the caller sent one.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    if !headers.contains_key(TRACEPARENT) || span.is_disabled() {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Read(headers));
    if let Err(error) = span.set_parent(context) {
        tracing::trace!(%error, "the caller's trace could not be continued");
    }
}

/// Tells a callee which span calls it. Without traces, nothing.
pub(crate) fn inject(headers: &mut HeaderMap) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    let context = span.context();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut Write(headers));
    }
}

struct Read<'h>(&'h HeaderMap);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Write<'h>(&'h mut HeaderMap);

impl Injector for Write<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
