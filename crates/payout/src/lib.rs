//! The payout service: decisions become orders over channels, and released orders become money that is owed.

pub mod claim;
pub mod files;
pub mod grpc;
pub mod orders;
pub mod projections;
pub mod release;
pub mod sepa;
pub mod streams;

use std::sync::Arc;

use ristoro_log::Topic;
use ristoro_proto::payout::v1::ledger_service_server::LedgerServiceServer;
use ristoro_runtime::grpc::GrpcRoutes;
use ristoro_runtime::service::{Service, ServiceSpec};
use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Says what the service consists of.
#[must_use]
pub fn spec() -> ServiceSpec {
    ServiceSpec {
        name: "payout",
        migrations: &MIGRATIONS,
        projections: vec![
            Arc::new(projections::payee::Payees),
            Arc::new(projections::assessment::Assessments),
            Arc::new(projections::fold::Payouts),
            Arc::new(projections::payout_switch::PayoutSwitches),
        ],
        stages: vec![Arc::new(orders::Orders), Arc::new(release::Release)],
        journaled: streams::is_journaled,
        journal_topics: &[Topic::Payout, Topic::Ops],
        workers: vec![Arc::new(files::reserve::Reserve)],
    }
}

/// Adds what the running service answers.
#[must_use]
pub fn routes(routes: GrpcRoutes, service: &Service) -> GrpcRoutes {
    routes.with(LedgerServiceServer::new(grpc::ledger::Ledger::new(service.views())))
}
