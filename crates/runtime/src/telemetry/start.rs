//! Installs the process's subscriber: logs for people on a terminal, JSON elsewhere, and spans for OTLP.

use std::io::IsTerminal;
use std::str::FromStr;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How long the last spans may take to leave when the process ends.
const FLUSH_BOUND: Duration = Duration::from_secs(3);

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// Text where stderr is a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(LogFormat::Auto),
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{text:?} is no log format: write auto, text or json")),
        }
    }
}

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log_filter {filter:?} is not a filter such as info or ristoro=debug,warn: {problem}")]
    Filter {
        /// What was given.
        filter: String,
        /// What the parser says.
        problem: String,
    },
    /// The exporter cannot be made.
    #[error("otlp_endpoint {endpoint:?} cannot be used: {problem}")]
    Exporter {
        /// What was given.
        endpoint: String,
        /// What the exporter says.
        problem: String,
    },
    /// Something else in this process has installed a subscriber already.
    #[error("telemetry is running already in this process")]
    Running,
}

/// Keeps the exporter running; dropped at the process's end, it sends the last spans.
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: SdkTracerProvider,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Err(problem) = self.provider.shutdown_with_timeout(FLUSH_BOUND) {
            tracing::debug!(%problem, "the last spans were not sent");
        }
    }
}

/// Starts logging and tracing for the whole process; once, inside the async runtime.
///
/// Trace ids are made and passed on in any case; spans leave the process only where an endpoint is given.
/// `filter` is for the log lines alone, so that a quiet log loses no trace.
///
/// # Errors
/// `Filter`, `Exporter`, `Running`.
pub fn start(
    service: &'static str,
    filter: &str,
    format: LogFormat,
    otlp_endpoint: Option<&str>,
) -> Result<TelemetryGuard, TelemetryError> {
    let provider = provider(service, otlp_endpoint)?;
    let tracer = provider.tracer("ristoro");
    let ours = Targets::new().with_target("ristoro", LevelFilter::INFO);
    let spans = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours);
    let parsed = EnvFilter::try_new(filter).map_err(|problem| TelemetryError::Filter {
        filter: filter.to_owned(),
        problem: problem.to_string(),
    })?;
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let colours = !json && std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.boxed()
    };
    tracing_subscriber::registry()
        .with(spans)
        .with(lines.with_filter(parsed))
        .try_init()
        .map_err(|_| TelemetryError::Running)?;
    Ok(TelemetryGuard { provider })
}

fn provider(
    service: &'static str,
    otlp_endpoint: Option<&str>,
) -> Result<SdkTracerProvider, TelemetryError> {
    let resource = Resource::builder().with_service_name(service).build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = otlp_endpoint else { return Ok(builder.build()) };
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build();
    let exporter = exporter.map_err(|problem| TelemetryError::Exporter {
        endpoint: endpoint.to_owned(),
        problem: problem.to_string(),
    })?;
    Ok(builder.with_batch_exporter(exporter).build())
}
