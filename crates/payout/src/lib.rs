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
use ristoro_proto::payout::v1::grant_service_server::GrantServiceServer;
use ristoro_proto::payout::v1::ledger_service_server::LedgerServiceServer;
use ristoro_proto::payout::v1::payment_file_service_server::PaymentFileServiceServer;
use ristoro_proto::payout::v1::payout_service_server::PayoutServiceServer;
use ristoro_runtime::grpc::GrpcRoutes;
use ristoro_runtime::service::{Service, ServiceSpec};
use sqlx::migrate::Migrator;

use crate::claim::Claims;

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
    let (views, commands) = (service.views(), service.commands().clone());
    let claims = Claims::new(service.log().clone(), service.journal().clone(), views.clone());
    let exports = grpc::export::Exports::new(views.clone(), claims.clone());
    let payouts = grpc::payout::Payouts::new(views.clone(), commands.clone(), exports);
    let files = grpc::payment_file::PaymentFiles::new(views.clone(), commands);
    let grants = grpc::grant::GrantsOfPartitions::new(views.clone(), claims);
    routes
        .with(PayoutServiceServer::new(payouts))
        .with(PaymentFileServiceServer::new(files))
        .with(GrantServiceServer::new(grants))
        .with(LedgerServiceServer::new(grpc::ledger::Ledger::new(views)))
}
