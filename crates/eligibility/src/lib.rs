//! eligibility: subscriptions, outages and policies become entitlements, each with its reason.

pub mod assess;
pub mod grpc;
pub mod projections;
pub mod roster;
pub mod scan;

use std::sync::Arc;

use ristoro_log::Topic;
use ristoro_proto::eligibility::v1::assessment_service_server::AssessmentServiceServer;
use ristoro_proto::eligibility::v1::entitlement_service_server::EntitlementServiceServer;
use ristoro_proto::eligibility::v1::policy_service_server::PolicyServiceServer;
use ristoro_proto::eligibility::v1::subscription_service_server::SubscriptionServiceServer;
use ristoro_runtime::grpc::GrpcRoutes;
use ristoro_runtime::service::{Service, ServiceSpec};
use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Says what the service consists of.
#[must_use]
pub fn spec() -> ServiceSpec {
    ServiceSpec {
        name: "eligibility",
        migrations: &MIGRATIONS,
        projections: vec![
            Arc::new(projections::roster::Roster),
            Arc::new(projections::policy::Policies),
            Arc::new(projections::outage_event::OutageEvents),
            Arc::new(projections::assessment::Assessments),
            Arc::new(projections::decision::Decisions),
        ],
        stages: Vec::new(),
        journaled: is_journaled,
        journal_topics: &[Topic::Subscriber, Topic::Policy, Topic::Settlement, Topic::Entitlement],
        workers: vec![Arc::new(scan::Scan)],
    }
}

/// Says whether commands decide on a stream, so that its events are kept for them.
///
/// A scan's chunks are written by the scan alone, which needs their head and not their events.
#[must_use]
pub fn is_journaled(topic: Topic, _stream: &str) -> bool {
    matches!(topic, Topic::Subscriber | Topic::Policy | Topic::Settlement)
}

/// Adds what the running service answers.
#[must_use]
pub fn routes(routes: GrpcRoutes, service: &Service) -> GrpcRoutes {
    let (views, commands) = (service.views(), service.commands().clone());
    let assessments =
        grpc::assessment::Assessments::new(views.clone(), commands.clone(), service.shutdown());
    let policies = grpc::policy::Policies::new(views.clone(), commands.clone());
    let subscriptions = grpc::subscription::Subscriptions::new(views.clone(), commands);
    routes
        .with(SubscriptionServiceServer::new(subscriptions))
        .with(PolicyServiceServer::new(policies))
        .with(AssessmentServiceServer::new(assessments))
        .with(EntitlementServiceServer::new(grpc::entitlement::Entitlements::new(views)))
}
