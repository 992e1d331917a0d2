//! The two addresses of a service: calls on the one, `/metrics` and readiness on the other.

use std::net::SocketAddr;

use tokio::net::TcpListener;
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
        Ok(Self { calls, pages, options })
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
        let calls = serve(self.calls, routes, self.options, shutdown.clone());
        tokio::try_join!(calls, pages)?;
        Ok(())
    }
}
