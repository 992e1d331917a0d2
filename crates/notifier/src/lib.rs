//! notifier: one message per subscription and assessment, over the channel that works, once its reader can read it.
//!
//! Decisions become queued notices (`stages`), the completion releases them, and the dispatch sends them wave by
//! wave as mailboxes come back. What becomes of each stands in the tables (`projections`).

pub mod channels;
pub mod dispatch;
pub mod grpc;
pub mod letter;
pub mod projections;
pub mod settings;
pub mod stages;
pub mod streams;

use std::sync::Arc;

use ristoro_log::Topic;
use ristoro_proto::notifier::v1::notice_service_server::NoticeServiceServer;
use ristoro_runtime::grpc::GrpcRoutes;
use ristoro_runtime::service::{Service, ServiceSpec};
use sqlx::migrate::Migrator;

pub use settings::Settings;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Says what the service consists of.
#[must_use]
pub fn spec(settings: &Settings) -> ServiceSpec {
    ServiceSpec {
        name: "notifier",
        migrations: &MIGRATIONS,
        projections: vec![
            Arc::new(projections::contact::Contacts),
            Arc::new(projections::outage_event::OutageEvents),
            Arc::new(projections::notice::Notices),
            Arc::new(projections::payout_switch::PayoutSwitches),
        ],
        stages: vec![Arc::new(stages::queue::Queue), Arc::new(stages::release::Release)],
        journaled: streams::is_journaled,
        journal_topics: &[Topic::Notice],
        workers: vec![Arc::new(dispatch::Dispatcher::new(settings.clone()))],
    }
}

/// Adds what the running service answers.
#[must_use]
pub fn routes(routes: GrpcRoutes, service: &Service, settings: &Settings) -> GrpcRoutes {
    let (views, commands) = (service.views(), service.commands().clone());
    let notices = grpc::notice::Notices::new(views, commands, settings.from.clone());
    routes.with(NoticeServiceServer::new(notices))
}
