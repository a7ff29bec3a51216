//! The trace of a call, beyond the call: what an entry of a feed carries of it, and how who takes the entry in continues it.

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// A span of a trace that is recorded: W3C trace id (16 bytes) and span id (8 bytes).
pub type Trace = [u8; 24];

/// The span that this runs in. `None` where traces are off or this one is not recorded.
#[must_use]
pub fn of_this_span() -> Option<Trace> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let known = span.span_context();
    if !known.is_valid() || !known.is_sampled() {
        return None;
    }
    let mut trace = [0; 24];
    let (trace_id, span_id) = trace.split_at_mut(16);
    trace_id.copy_from_slice(&known.trace_id().to_bytes());
    span_id.copy_from_slice(&known.span_id().to_bytes());
    Some(trace)
}

/// Makes a new span the child of one that may be anywhere, and links it to others.
pub(crate) fn adopt(span: &Span, parent: &Trace, others: &[Trace]) {
    let context = Context::new().with_remote_span_context(context_of(parent));
    if let Err(error) = span.set_parent(context) {
        tracing::trace!(%error, "the trace of a feed entry could not be continued");
    }
    for other in others {
        span.add_link(context_of(other));
    }
}

fn context_of(trace: &Trace) -> SpanContext {
    let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
    trace_id.copy_from_slice(&trace[..16]);
    span_id.copy_from_slice(&trace[16..]);
    let (trace_id, span_id) = (TraceId::from_bytes(trace_id), SpanId::from_bytes(span_id));
    SpanContext::new(
        trace_id,
        span_id,
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    )
}
