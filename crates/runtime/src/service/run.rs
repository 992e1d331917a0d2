//! A service as a process: addresses first, then the database and the log, then the loops, then calls.

use std::net::SocketAddr;

use ristoro_log::{EventLog, LogConfig, LogError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{ConnectError, ServiceConfig, connect};
use crate::grpc::{Addresses, GrpcRoutes, RoutesOf, ServeError, with_operations};
use crate::service::{LoopFailure, Service, ServiceSpec, Settings, StartError};
use crate::telemetry::Telemetry;

/// Why a service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The addresses cannot be used, or serving failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The service could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A loop ended.
    #[error(transparent)]
    Loop(#[from] LoopFailure),
    /// The system does not tell an address.
    #[error("the system does not tell the address that is listened on: {0}")]
    Address(#[from] std::io::Error),
}

/// Services that are started and wait to be served together on one address.
pub struct Ready {
    addresses: Addresses,
    services: Vec<Service>,
    routes: GrpcRoutes,
    shutdown: CancellationToken,
}

/// Opens the log, and creates it where there is none yet.
///
/// # Errors
/// `Foreign` for another log or a broken one, `Unavailable`.
pub async fn open_or_create(config: &LogConfig, partitions: u32) -> Result<EventLog, LogError> {
    match EventLog::open(config).await {
        Err(LogError::Missing { .. }) => {
            tracing::info!(partitions, "there is no log yet: creating it");
            EventLog::create(config, Uuid::new_v4(), partitions).await
        }
        other => other,
    }
}

/// Starts services on one configuration: the usual one alone, or all of them in one process.
///
/// # Errors
/// See `RunError`; nothing runs then.
pub async fn start(
    services: Vec<(ServiceSpec, RoutesOf)>,
    config: &ServiceConfig,
    shutdown: CancellationToken,
) -> Result<Ready, RunError> {
    let telemetry = Telemetry::default();
    let addresses = Addresses::bind(config, telemetry.clone()).await?;
    let pool = connect(config).await?;
    let log = open_or_create(&config.log, config.partitions).await?;
    let mut ready = Ready { addresses, services: Vec::new(), routes: GrpcRoutes::new(), shutdown };
    for (spec, routes) in services {
        let settings = Settings { lease: config.lease, ..Settings::default() };
        let on = (pool.clone(), log.clone());
        let (telemetry, shutdown) = (telemetry.clone(), ready.shutdown.clone());
        let service = Service::start_on(spec, settings, on, telemetry, shutdown).await?;
        ready.routes = routes(ready.routes, &service);
        ready.services.push(service);
    }
    ready.routes = with_operations(ready.routes, &ready.services);
    Ok(ready)
}

impl Ready {
    /// Gives the addresses of calls and of `/metrics`.
    ///
    /// # Errors
    /// Where the system cannot tell.
    pub fn addresses(&self) -> Result<(SocketAddr, SocketAddr), RunError> {
        Ok((self.addresses.calls()?, self.addresses.pages()?))
    }

    /// Answers calls until the shutdown; the first loop to fail ends everything.
    ///
    /// The loops outlive the calls, since a command that was appended waits for them.
    ///
    /// # Errors
    /// `Serve`, `Loop`.
    pub async fn serve(self) -> Result<(), RunError> {
        let Self { addresses, services, routes, shutdown } = self;
        let ended: Vec<CancellationToken> = services.iter().map(Service::ended).collect();
        let ending = shutdown.clone();
        let watched = tokio::spawn(async move {
            let each = ended.iter().map(|token| Box::pin(token.cancelled()));
            futures::future::select_all(each).await;
            ending.cancel();
        });
        let calls = addresses.serve(routes, shutdown).await.map_err(RunError::from);
        watched.abort();
        let stopped = futures::future::join_all(services.into_iter().map(Service::stop)).await;
        for result in stopped {
            result?;
        }
        calls
    }
}
