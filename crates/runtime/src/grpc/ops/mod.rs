//! What operators may do to the services behind an address: rebuild and switch their tables, skip poison.

mod poison;
mod projections;
mod proposals;

use std::sync::Arc;

use ristoro_proto::ops::v1::poison_service_server::PoisonServiceServer;
use ristoro_proto::ops::v1::projection_service_server::ProjectionServiceServer;
use tonic::Status;

use crate::command::Commands;
use crate::grpc::serve::GrpcRoutes;
use crate::schema::Schemas;
use crate::service::Service;
use crate::status::not_found;
use crate::views::Views;
use poison::Poisons;
use projections::Projections;

/// How long a resource name of a schema may be, in characters.
const MAXIMUM_NAME: usize = 100;

/// A service behind the address.
#[derive(Clone)]
struct Operated {
    schemas: Schemas,
    commands: Commands,
    views: Views,
}

/// All services behind the address; at least one.
#[derive(Clone)]
struct All(Arc<[Operated]>);

impl All {
    /// Finds a service by its name.
    fn find(&self, service: &str) -> Option<&Operated> {
        self.0.iter().find(|one| one.schemas.service().text() == service)
    }

    /// Finds a service by its name, for a resource that names it.
    fn named(&self, service: &str) -> Result<&Operated, Status> {
        let missing = || not_found("ristoro.dev/Projection", &format!("projections/{service}"));
        self.find(service).ok_or_else(missing)
    }
}

/// Adds `ProjectionService` and `PoisonService` for these services; nothing where there are none.
#[must_use]
pub fn with_operations(routes: GrpcRoutes, services: &[Service]) -> GrpcRoutes {
    let operated = services.iter().map(|service| Operated {
        schemas: service.schemas().clone(),
        commands: service.commands().clone(),
        views: service.views(),
    });
    let all = All(operated.collect());
    if all.0.is_empty() {
        return routes;
    }
    routes
        .with(ProjectionServiceServer::new(Projections { all: all.clone() }))
        .with(PoisonServiceServer::new(Poisons { all }))
}
