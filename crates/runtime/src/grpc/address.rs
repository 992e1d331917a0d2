//! The two addresses of a service: calls on the one, `/metrics` and readiness on the other.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::ServiceConfig;
use crate::grpc::principals::Principals;
use crate::grpc::serve::{GrpcRoutes, ServeError, ServeOptions, bind, serve};
use crate::telemetry::{Telemetry, serve_pages};

/// Both addresses, listened on before anything else starts, so that a port in use is told at once.
#[derive(Debug)]
pub struct Addresses {
    calls: TcpListener,
    pages: TcpListener,
    options: ServeOptions,
    principals_file: Option<PathBuf>,
}

impl Addresses {
    /// Listens on both, and reads the principals file.
    ///
    /// # Errors
    /// `InUse`, `Listen`, `Principals`.
    pub async fn bind(config: &ServiceConfig, telemetry: Telemetry) -> Result<Self, ServeError> {
        let principals = match &config.principals_file {
            Some(path) => Principals::load(path)?,
            None => Principals::default(),
        };
        if principals.count() == 0 {
            tracing::warn!("nobody may call: `principals_file` names nobody");
        }
        let calls = bind(config.listen, "listen").await?;
        let pages = bind(config.metrics_listen, "metrics_listen").await?;
        let options = ServeOptions {
            principals,
            call_deadline: config.call_deadline,
            calls_at_once: config.calls_at_once,
            shutdown_bound: config.shutdown_bound,
            telemetry,
        };
        let principals_file = config.principals_file.clone();
        Ok(Self { calls, pages, options, principals_file })
    }

    /// Gives the address of calls, with the port that was free where 0 was asked for.
    ///
    /// # Errors
    /// Where the system cannot tell.
    pub fn calls(&self) -> std::io::Result<SocketAddr> {
        self.calls.local_addr()
    }

    /// Gives the address of the pages.
    ///
    /// # Errors
    /// Where the system cannot tell.
    pub fn pages(&self) -> std::io::Result<SocketAddr> {
        self.pages.local_addr()
    }

    /// Serves both until shutdown is asked for, and then at most the shutdown bound longer.
    ///
    /// # Errors
    /// `Reflection`, `Transport`, `Pages`.
    pub async fn serve(
        self,
        routes: GrpcRoutes,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let telemetry = self.options.telemetry.clone();
        let pages = async {
            let served = serve_pages(self.pages, telemetry, shutdown.clone()).await;
            served.map_err(ServeError::Pages)
        };
        let reload = reload(self.options.principals.clone(), self.principals_file);
        let calls = serve(self.calls, routes, self.options, shutdown.clone());
        tokio::select! {
            served = async { tokio::try_join!(calls, pages) } => served.map(|_| ()),
            never = reload => match never {},
        }
    }
}

/// Reads the principals file again on every SIGHUP, so that a token is taken back without a restart.
///
/// On a terminal SIGHUP keeps its meaning: the terminal is gone, and so is the process.
async fn reload(principals: Principals, file: Option<PathBuf>) -> Infallible {
    let Some(file) = file.filter(|_| !std::io::stdin().is_terminal()) else {
        return std::future::pending().await;
    };
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    loop {
        if hangup.recv().await.is_none() {
            return std::future::pending().await;
        }
        match Principals::load(&file) {
            Ok(read) => {
                principals.replace(&read);
                tracing::info!(count = principals.count(), "the principals file was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the principals file cannot be used: the old list stays");
            }
        }
    }
}
