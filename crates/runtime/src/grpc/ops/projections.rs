//! `ProjectionService` over the core's rebuilds.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::BoxStream;
use ristoro_domain::time::Instant;
use ristoro_log::{Position, Topic};
use ristoro_proto::ops::v1::projection_service_server::ProjectionService;
use ristoro_proto::ops::v1::{
    self as messages, DropProjectionRequest, DropProjectionResponse, ErrorReason,
    ListProjectionsRequest, ListProjectionsResponse, PaceRebuildRequest, PaceRebuildResponse,
    Projection, ProjectionComparison, ProjectionState, RebuildProjectionRequest,
    RebuildProjectionResponse, SwitchProjectionRequest, SwitchProjectionResponse,
    WatchRebuildRequest, WatchRebuildResponse,
};
use tonic::{Code, Request, Response, Status};

use super::{All, MAXIMUM_NAME, Operated};
use crate::edge;
use crate::grpc::auth::{Role, require};
use crate::rebuild::{self, PhysicalSchema, RebuildError};
use crate::schema::{self, Comparison, EqualError, SchemaState};
use crate::status::{database, internal, invalid, log, not_found, refuse};

/// The name of a service's tables.
const SERVICE: &str = "projections/{service}";
/// The name of one physical schema.
const SCHEMA: &str = "projections/{service}/schemas/{number}";
/// The fastest pace of a rebuild, in percent.
const MAXIMUM_PACE: u32 = 100;
/// How often a watched rebuild is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long two schemas may take to come to the same positions before they are compared.
const MEET: Duration = Duration::from_secs(60);

/// The adapter.
pub(super) struct Projections {
    pub(super) all: All,
}

impl Projections {
    /// Reads the name of a schema.
    fn schema(&self, name: &str) -> Result<(&Operated, i32), Status> {
        edge::text("name", name, 1..=MAXIMUM_NAME)?;
        let [service, number] = edge::parse_name("name", SCHEMA, name)?;
        let number = number.parse::<i32>().ok().filter(|number| *number > 0);
        let number =
            number.ok_or_else(|| invalid("name", format!("is not of the form {SCHEMA}")))?;
        Ok((self.all.named(&service)?, number))
    }
}

#[tonic::async_trait]
impl ProjectionService for Projections {
    type WatchRebuildStream = BoxStream<'static, Result<WatchRebuildResponse, Status>>;

    async fn list_projections(
        &self,
        request: Request<ListProjectionsRequest>,
    ) -> Result<Response<ListProjectionsResponse>, Status> {
        require(&request, &[Role::Operator, Role::Analyst])?;
        let (mut projections, mut shown) = (Vec::new(), BTreeMap::new());
        for operated in self.all.0.iter() {
            let listed = rebuild::list(&operated.schemas).await;
            for schema in listed.map_err(|error| told(operated, error))? {
                if schema.state == SchemaState::Live {
                    least(&mut shown, &schema);
                }
                projections.push(message(operated, &schema));
            }
        }
        let shown: Vec<Position> = shown
            .into_iter()
            .map(|((topic, partition), offset)| Position { topic, partition, offset })
            .collect();
        let as_of = Some(edge::as_of_message(&shown, Instant::now()));
        Ok(Response::new(ListProjectionsResponse { projections, as_of }))
    }

    async fn rebuild_projection(
        &self,
        request: Request<RebuildProjectionRequest>,
    ) -> Result<Response<RebuildProjectionResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let request = request.into_inner();
        let request_id = edge::uuid("request_id", &request.request_id)?;
        edge::text("name", &request.name, 1..=MAXIMUM_NAME)?;
        let [service] = edge::parse_name("name", SERVICE, &request.name)?;
        let operated = self.all.named(&service)?;
        let told = |error| told(operated, error);
        if request.validate_only {
            let all = rebuild::list(&operated.schemas).await.map_err(told)?;
            let building = all.iter().find(|one| one.state == SchemaState::Building);
            return match building {
                Some(one) => Err(told(RebuildError::Building(one.number))),
                None => Ok(Response::new(RebuildProjectionResponse { projection: None })),
            };
        }
        tracing::info!(principal = principal.name, service, "a rebuild is asked for");
        let number = rebuild::start(&operated.schemas, request_id).await.map_err(told)?;
        let schema = rebuild::progress(&operated.schemas, number).await.map_err(told)?;
        let projection = Some(message(operated, &schema));
        Ok(Response::new(RebuildProjectionResponse { projection }))
    }

    async fn watch_rebuild(
        &self,
        request: Request<WatchRebuildRequest>,
    ) -> Result<Response<Self::WatchRebuildStream>, Status> {
        require(&request, &[Role::Operator, Role::Analyst])?;
        let (operated, number) = self.schema(&request.get_ref().name)?;
        // A name that nothing has is told before the stream begins.
        rebuild::progress(&operated.schemas, number)
            .await
            .map_err(|error| told(operated, error))?;
        let (operated, compare) = (operated.clone(), request.get_ref().compare);
        let watched = Watched { operated, number, compare, begun: false, ended: false };
        Ok(Response::new(Box::pin(futures::stream::unfold(watched, Watched::next))))
    }

    async fn pace_rebuild(
        &self,
        request: Request<PaceRebuildRequest>,
    ) -> Result<Response<PaceRebuildResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let request = request.into_inner();
        edge::uuid("request_id", &request.request_id)?;
        let (operated, number) = self.schema(&request.name)?;
        let percent = request.pace_percent;
        if percent > MAXIMUM_PACE {
            return Err(invalid("pace_percent", format!("is not within 0 to {MAXIMUM_PACE}")));
        }
        let told = |error| told(operated, error);
        let mut schema = rebuild::progress(&operated.schemas, number).await.map_err(told)?;
        if schema.state != SchemaState::Building {
            let (state, help) = (schema.state, rebuild::COMPLETE);
            return Err(told(RebuildError::State { number, state, help }));
        }
        if !request.validate_only {
            tracing::info!(
                principal = principal.name,
                name = request.name,
                percent,
                "a pace is set"
            );
            rebuild::pace(&operated.schemas, number, percent).await.map_err(told)?;
            schema.pace_percent = percent;
        }
        let projection = Some(message(operated, &schema));
        Ok(Response::new(PaceRebuildResponse { projection }))
    }

    async fn switch_projection(
        &self,
        request: Request<SwitchProjectionRequest>,
    ) -> Result<Response<SwitchProjectionResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let request = request.into_inner();
        edge::uuid("request_id", &request.request_id)?;
        let (operated, number) = self.schema(&request.name)?;
        let expected = match edge::optional_text("etag", &request.etag, MAXIMUM_NAME)? {
            Some(name) => Some(self.schema(name).map_err(|_| foreign_etag())?.1),
            None => None,
        };
        let told = |error| told(operated, error);
        if request.validate_only {
            could_switch(operated, number, expected).await.map_err(told)?;
        } else {
            tracing::info!(
                principal = principal.name,
                name = request.name,
                "a switch is asked for"
            );
            rebuild::switch(&operated.schemas, number, expected).await.map_err(told)?;
        }
        let schema = rebuild::progress(&operated.schemas, number).await.map_err(told)?;
        let projection = Some(message(operated, &schema));
        Ok(Response::new(SwitchProjectionResponse { projection }))
    }

    async fn drop_projection(
        &self,
        request: Request<DropProjectionRequest>,
    ) -> Result<Response<DropProjectionResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let request = request.into_inner();
        edge::uuid("request_id", &request.request_id)?;
        let (operated, number) = self.schema(&request.name)?;
        let told = |error| told(operated, error);
        let schema = rebuild::progress(&operated.schemas, number).await.map_err(told)?;
        if request.validate_only {
            if schema.state == SchemaState::Live {
                let help = "switch to another schema before it is dropped";
                return Err(told(RebuildError::State { number, state: schema.state, help }));
            }
        } else {
            tracing::info!(principal = principal.name, name = request.name, "a drop is asked for");
            rebuild::drop(&operated.schemas, number).await.map_err(told)?;
        }
        Ok(Response::new(DropProjectionResponse {}))
    }
}

/// A rebuild that somebody watches.
struct Watched {
    operated: Operated,
    number: i32,
    compare: bool,
    begun: bool,
    ended: bool,
}

impl Watched {
    async fn next(mut self) -> Option<(Result<WatchRebuildResponse, Status>, Self)> {
        if self.ended {
            return None;
        }
        if self.begun {
            tokio::time::sleep(INTERVAL).await;
        }
        self.begun = true;
        let looked = self.look().await;
        self.ended = !matches!(&looked, Ok((_, false)));
        Some((looked.map(|(answer, _)| answer), self))
    }

    /// Looks once; tells whether that was the end. Complete is more than caught up: the indexes are there as well.
    async fn look(&self) -> Result<(WatchRebuildResponse, bool), Status> {
        let operated = &self.operated;
        let looked = rebuild::progress(&operated.schemas, self.number).await;
        let schema = looked.map_err(|error| told(operated, error))?;
        let complete = schema.state != SchemaState::Building;
        let comparison =
            if complete && self.compare { Some(compared(operated, &schema).await?) } else { None };
        let projection = Some(message(operated, &schema));
        let time = Some(edge::timestamp(Instant::now()));
        Ok((WatchRebuildResponse { projection, time, comparison }, complete))
    }
}

/// Compares a schema with the live one.
async fn compared(
    operated: &Operated,
    schema: &PhysicalSchema,
) -> Result<ProjectionComparison, Status> {
    let all = rebuild::list(&operated.schemas).await.map_err(|error| told(operated, error))?;
    let live = all.iter().find(|one| one.state == SchemaState::Live);
    let live = live.map_or(schema.number, |one| one.number);
    let compared = schema::equal(&operated.schemas, live, schema.number, MEET).await;
    let different_tables = match compared {
        Ok(Comparison::Equal) => Vec::new(),
        Ok(Comparison::Different(tables)) => tables,
        Err(EqualError::Database(error)) => return Err(database(&error)),
        Err(error @ EqualError::Apart(..)) => {
            let metadata = [("resource", name(operated, schema.number))];
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::RebuildBehind);
            return Err(refuse(code, reason, error.to_string(), &metadata));
        }
    };
    Ok(ProjectionComparison { live: name(operated, live), different_tables })
}

/// Checks what a switch would check first.
async fn could_switch(
    operated: &Operated,
    number: i32,
    expected: Option<i32>,
) -> Result<(), RebuildError> {
    let all = rebuild::list(&operated.schemas).await?;
    let live = all.iter().find(|one| one.state == SchemaState::Live).map_or(0, |one| one.number);
    if expected.is_some_and(|expected| expected != live) {
        return Err(RebuildError::LiveChanged { live });
    }
    match all.iter().find(|one| one.number == number).map(|one| one.state) {
        Some(SchemaState::Live | SchemaState::Standby) => Ok(()),
        Some(state @ SchemaState::Building) => {
            let help = "wait until it has caught up and has its indexes";
            Err(RebuildError::State { number, state, help })
        }
        Some(SchemaState::Dropped) | None => Err(RebuildError::Missing(number)),
    }
}

/// Keeps the least position of each partition: an answer from several tables shows no more than that.
fn least(shown: &mut BTreeMap<(Topic, u32), u64>, schema: &PhysicalSchema) {
    for partition in &schema.partitions {
        let next = partition.next;
        let place = shown.entry((next.topic, next.partition)).or_insert(next.offset);
        *place = next.offset.min(*place);
    }
}

fn name(operated: &Operated, number: i32) -> String {
    edge::format_name(SCHEMA, &[operated.schemas.service().text(), &number.to_string()])
}

fn message(operated: &Operated, schema: &PhysicalSchema) -> Projection {
    let behind = schema.state == SchemaState::Building || !schema.current();
    let state = if schema.stopped {
        ProjectionState::Stopped
    } else if behind {
        ProjectionState::CatchingUp
    } else {
        ProjectionState::Current
    };
    let partitions = schema.partitions.iter().map(|one| messages::PartitionProgress {
        consumer: one.consumer.clone(),
        topic: one.next.topic.to_string(),
        partition: one.next.partition,
        next_offset: one.next.offset,
        end_offset: one.end_offset,
    });
    Projection {
        name: name(operated, schema.number),
        live: schema.state == SchemaState::Live,
        state: state.into(),
        partitions: partitions.collect(),
        pace_percent: schema.pace_percent,
    }
}

fn foreign_etag() -> Status {
    invalid("etag", "is none of ours: send the name of the schema that you believe to be live")
}

/// Tells why a rebuild, a switch or a drop was not made.
fn told(operated: &Operated, error: RebuildError) -> Status {
    let resource = |number: i32| [("resource", name(operated, number))];
    let message = error.to_string();
    let precondition = |reason, number| {
        refuse(Code::FailedPrecondition, reason, message.clone(), &resource(number))
    };
    match error {
        RebuildError::Missing(number) => {
            not_found("ristoro.dev/Projection", &name(operated, number))
        }
        RebuildError::State { number, state: SchemaState::Building, .. }
        | RebuildError::Behind { number, .. } => precondition(ErrorReason::RebuildBehind, number),
        RebuildError::State {
            number,
            state: SchemaState::Live | SchemaState::Standby | SchemaState::Dropped,
            ..
        } => precondition(ErrorReason::WrongState, number),
        RebuildError::Building(number) => precondition(ErrorReason::RebuildInProgress, number),
        RebuildError::LiveChanged { live } => {
            let message = format!("{} is live now: look at both again", name(operated, live));
            let metadata = [("etag", name(operated, live))];
            refuse(Code::Aborted, ErrorReason::VersionConflict, message, &metadata)
        }
        RebuildError::InUse | RebuildError::Busy => {
            refuse(Code::Unavailable, ErrorReason::SchemasBusy, message, &[])
        }
        RebuildError::Migration(error) => internal(&error),
        RebuildError::Log(error) => log(&error),
        RebuildError::Database(error) => database(&error),
    }
}
