//! What a running service tells about itself: logs, traces, metrics, and whether it is ready.

mod context;
mod page;
mod readiness;
mod start;

pub(crate) use context::traced;
pub use context::{
    current_traceparent, fresh_traceparent, is_traceparent, link_traces, parent_from,
    request_traceparent, trace_id,
};
pub use page::serve_pages;
pub use readiness::Readiness;
pub use start::{LogFormat, TelemetryError, TelemetryGuard, start};

use crate::metrics::Metrics;

/// What every loop of a service gets, to report with. Cheap to clone; all clones report to the same place.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// The counters behind `/metrics`.
    pub metrics: Metrics,
    /// Which parts are ready, behind `/readyz` and the gRPC health service.
    pub readiness: Readiness,
}
