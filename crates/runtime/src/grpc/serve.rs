//! The gRPC server: health, reflection, limits, and an end that comes within a bound.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::grpc::call::{CallLayer, CallSettings};
use crate::grpc::method::Methods;
use crate::grpc::principals::{Principals, PrincipalsError};
use crate::telemetry::{Readiness, Telemetry};

/// How many streams one connection may have open.
const STREAMS_PER_CONNECTION: u32 = 256;
/// How large a call's headers may be, in bytes.
const HEADER_BYTES: u32 = 16 * 1024;
/// How often a silent connection is asked whether it is still there, and how long the answer may take.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The services of one server. Requests are limited to 4 MiB each by the generated servers' default.
#[derive(Clone, Debug, Default)]
pub struct GrpcRoutes {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
}

impl GrpcRoutes {
    /// Begins without a service.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a generated server.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }
}

/// Makes a service's own list of what it answers.
pub type RoutesOf =
    Box<dyn FnOnce(GrpcRoutes, &crate::service::Service) -> GrpcRoutes + Send + Sync>;

/// How a server answers.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Who may call.
    pub principals: Principals,
    /// How long a call that does not stream may take at most.
    pub call_deadline: Duration,
    /// How many calls may be in work at once, open streams too.
    pub calls_at_once: usize,
    /// How long the end may take once shutdown is asked for.
    pub shutdown_bound: Duration,
    /// Where it counts, and what the health service follows.
    pub telemetry: Telemetry,
}

/// Why a server did not start or ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program has the port.
    #[error(
        "{address} is in use by another program: stop it, or set `{setting}` to another address (port 0 takes a free one)"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
        /// The setting that names it.
        setting: &'static str,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}: {problem}; set `{setting}` to an address of this machine")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting that names it.
        setting: &'static str,
        /// What the system says.
        problem: std::io::Error,
    },
    /// The descriptors cannot be served.
    #[error("the descriptors cannot be served for reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The metrics page failed.
    #[error("the metrics page failed: {0}")]
    Pages(#[source] std::io::Error),
    /// The principals file cannot be used.
    #[error(transparent)]
    Principals(#[from] PrincipalsError),
}

/// Begins to listen. `setting` is the one that names the address, for the error's text.
///
/// # Errors
/// `InUse`, `Listen`.
pub async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|problem| {
        if problem.kind() == ErrorKind::AddrInUse {
            ServeError::InUse { address, setting }
        } else {
            ServeError::Listen { address, setting, problem }
        }
    })
}

/// Answers calls until shutdown is asked for, and then at most `shutdown_bound` longer.
///
/// Calls in work are finished, streams that wait are ended with UNAVAILABLE, and health says NOT_SERVING.
///
/// # Errors
/// `Reflection`, `Transport`.
pub async fn serve(
    listener: TcpListener,
    routes: GrpcRoutes,
    options: ServeOptions,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let reporter = HealthReporter::new();
    let names = routes.names.clone();
    let all = with_standard_services(routes, &reporter)?;
    let readiness = options.telemetry.readiness.clone();
    let health = tokio::spawn(report_health(reporter, names, readiness, shutdown.clone()));
    let settings = CallSettings {
        principals: options.principals,
        methods: Methods::known(),
        metrics: options.telemetry.metrics,
        deadline: options.call_deadline,
        room: Arc::new(Semaphore::new(options.calls_at_once)),
        shutdown: shutdown.clone(),
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving = Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(CallLayer(Arc::new(settings)))
        .add_routes(all)
        .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
    let bound = async {
        shutdown.cancelled().await;
        tokio::time::sleep(options.shutdown_bound).await;
    };
    let ended = tokio::select! {
        ended = serving => ended.map_err(ServeError::from),
        () = bound => {
            let seconds = options.shutdown_bound.as_secs();
            tracing::warn!(seconds, "some calls were still in work at the shutdown bound");
            Ok(())
        }
    };
    health.abort();
    ended
}

fn with_standard_services(
    routes: GrpcRoutes,
    reporter: &HealthReporter,
) -> Result<Routes, ServeError> {
    let health = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
    let health = tonic_health::pb::health_server::HealthServer::new(health);
    let GrpcRoutes { routes: mut builder, names } = routes;
    let reflection = || {
        let mut configured = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(ristoro_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        for name in &names {
            configured = configured.with_service_name(*name);
        }
        configured
    };
    builder.add_service(health);
    builder.add_service(reflection().build_v1()?);
    builder.add_service(reflection().build_v1alpha()?);
    Ok(builder.routes())
}

/// Keeps the health service true: serving while every part is ready and no shutdown is asked for.
async fn report_health(
    reporter: HealthReporter,
    names: Vec<&'static str>,
    readiness: Readiness,
    shutdown: CancellationToken,
) {
    let mut changes = readiness.watch();
    loop {
        changes.mark_unchanged();
        let ending = shutdown.is_cancelled();
        let ready = !ending && readiness.waiting_for().is_empty();
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status("", status).await;
        for name in &names {
            reporter.set_service_status(*name, status).await;
        }
        if ending {
            return;
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}
