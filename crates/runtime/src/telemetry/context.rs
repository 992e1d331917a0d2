//! The W3C trace context: read from calls, written into envelopes, and linked where many meet in one batch.

use std::collections::BTreeSet;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// How many traces one batch's span is linked to; the exporter drops what is more.
const MAXIMUM_LINKS: usize = 100;

/// One `traceparent`, in the shape that the propagator reads from.
struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

fn remote(traceparent: &str) -> Option<opentelemetry::Context> {
    let context = TraceContextPropagator::new()
        .extract_with_context(&opentelemetry::Context::new(), &Header(traceparent));
    context.span().span_context().is_valid().then_some(context)
}

/// Tells whether a text is a `traceparent` that others can continue.
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    remote(text).is_some()
}

/// Gives the trace id of a `traceparent`, 32 hexadecimal digits, if it is a valid one.
#[must_use]
pub fn trace_id(traceparent: &str) -> Option<String> {
    remote(traceparent).map(|context| context.span().span_context().trace_id().to_string())
}

/// Makes a span a child of the one that a `traceparent` names; an invalid one changes nothing.
///
/// Must be called before the span is entered: afterwards its trace id is fixed.
pub fn parent_from(span: &Span, traceparent: &str) {
    if let Some(context) = remote(traceparent)
        && let Err(problem) = span.set_parent(context)
    {
        tracing::trace!(%problem, "this span is in no trace");
    }
}

/// Makes a span for what one record or effect of a stream does: a part of its trace, whatever batch it comes in; none
/// where it is in no trace.
pub(crate) fn traced(what: &'static str, stream: &str, traceparent: &str) -> Span {
    if !is_traceparent(traceparent) {
        return Span::none();
    }
    let span = tracing::info_span!(parent: None, "work", otel.name = what, stream);
    parent_from(&span, traceparent);
    span
}

/// Gives the `traceparent` of the span that is entered now.
///
/// Where none is, or nothing traces (a test without a subscriber), it is a fresh one, so that a trace
/// begins here and its id flows on through the log in any case.
#[must_use]
pub fn current_traceparent() -> String {
    entered_traceparent().unwrap_or_else(fresh_traceparent)
}

/// Gives the `traceparent` for what a call does: the entered span's, else the one that the call brought, else a
/// fresh one.
#[must_use]
pub fn request_traceparent(header: Option<&str>) -> String {
    let brought = || header.filter(|text| is_traceparent(text)).map(str::to_owned);
    entered_traceparent().or_else(brought).unwrap_or_else(fresh_traceparent)
}

fn entered_traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let known = span.span_context();
    let flags = known.trace_flags().to_u8() & 1;
    let text = || format!("00-{}-{}-{flags:02x}", known.trace_id(), known.span_id());
    known.is_valid().then(text)
}

/// Begins a trace that no span is recorded for (flag 00).
#[must_use]
pub fn fresh_traceparent() -> String {
    let trace = Uuid::new_v4().simple().to_string();
    let span = Uuid::new_v4().simple().to_string();
    format!("00-{trace}-{}-00", &span[..16])
}

/// Links a batch's span to the traces of the records in it, each once.
///
/// A batch of ten thousand records has no one parent; links lead from each caller's trace to the batch.
pub fn link_traces<'a>(span: &Span, traceparents: impl IntoIterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for traceparent in traceparents {
        if seen.len() >= MAXIMUM_LINKS {
            return;
        }
        if !traceparent.is_empty()
            && seen.insert(traceparent)
            && let Some(context) = remote(traceparent)
        {
            span.add_link(context.span().span_context().clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps the spans that ended.
    #[derive(Clone, Debug, Default)]
    struct Ended(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Ended {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    #[test]
    fn a_batch_is_linked_once_to_each_of_its_traces() {
        let ended = Ended::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(ended.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        let (one, two) = (fresh_traceparent(), fresh_traceparent());
        tracing::subscriber::with_default(subscriber, || {
            assert!(traced("react", "s", "").is_none());
            let span = tracing::info_span!("batch").entered();
            let part = traced("react", "s", &one).in_scope(current_traceparent);
            assert_eq!(trace_id(&part), trace_id(&one), "not the batch's trace");
            let span = span.exit();
            link_traces(&span, [one.as_str(), "", two.as_str(), one.as_str(), "nonsense"]);
            let child = tracing::info_span!("child");
            parent_from(&child, &one);
            let written = child.in_scope(current_traceparent);
            assert_eq!(trace_id(&written), trace_id(&one));
            assert_ne!(written, one);
        });
        let spans = ended.0.lock().unwrap();
        let batch = spans.iter().find(|span| span.name == "batch").unwrap();
        let linked: Vec<String> =
            batch.links.iter().map(|link| link.span_context.trace_id().to_string()).collect();
        assert_eq!(linked, [trace_id(&one).unwrap(), trace_id(&two).unwrap()]);
    }

    #[test]
    fn a_fresh_traceparent_is_valid_and_new() {
        let (one, two) = (fresh_traceparent(), fresh_traceparent());
        assert!(is_traceparent(&one) && is_traceparent(&two));
        assert_ne!(trace_id(&one), trace_id(&two));
    }

    #[test]
    fn what_is_no_traceparent_is_recognised() {
        for text in ["", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x"] {
            assert!(!is_traceparent(text), "{text:?}");
        }
        let known = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_id(known).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }
}
