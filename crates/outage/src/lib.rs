//! The outage service: signals and declarations become outages with windows per component.

pub mod derive;
pub mod feeds;
pub mod grpc;
pub mod projections;
pub mod streams;

use std::sync::Arc;

use ristoro_log::Topic;
use ristoro_proto::outage::v1::outage_service_server::OutageServiceServer;
use ristoro_proto::outage::v1::signal_service_server::SignalServiceServer;
use ristoro_runtime::grpc::GrpcRoutes;
use ristoro_runtime::service::{Service, ServiceSpec};
use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Says what the service consists of.
#[must_use]
pub fn spec() -> ServiceSpec {
    ServiceSpec {
        name: "outage",
        migrations: &MIGRATIONS,
        projections: vec![
            Arc::new(projections::signal::Signals),
            Arc::new(projections::fold::Outages),
        ],
        stages: vec![Arc::new(derive::Derive)],
        journaled: streams::is_journaled,
        journal_topics: &[Topic::Outage, Topic::Signal],
        workers: Vec::new(),
    }
}

/// Adds what the running service answers.
#[must_use]
pub fn routes(routes: GrpcRoutes, service: &Service) -> GrpcRoutes {
    let outages = grpc::outage::Outages::new(service.views(), service.commands().clone());
    let signals = grpc::signal::Signals::new(service.views(), service.commands().clone());
    routes.with(OutageServiceServer::new(outages)).with(SignalServiceServer::new(signals))
}
