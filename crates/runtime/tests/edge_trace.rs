//! One trace from the caller's call through the command to the envelope on the log, and out to a collector.

mod edge_support;

use std::time::Duration;

use bytes::Bytes;
use edge_support::{Limits, start, with_token};
use futures::stream::BoxStream;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::memory::MemoryLog;
use ristoro_log::{Cause, Envelope, Limits as PollLimits, NewRecord, Position, Topic};
use ristoro_proto::ops::v1::projection_service_server::{
    ProjectionService, ProjectionServiceServer,
};
use ristoro_proto::ops::v1::{
    DropProjectionRequest, DropProjectionResponse, ListProjectionsRequest, ListProjectionsResponse,
    PaceRebuildRequest, PaceRebuildResponse, RebuildProjectionRequest, RebuildProjectionResponse,
    SwitchProjectionRequest, SwitchProjectionResponse, WatchRebuildRequest, WatchRebuildResponse,
};
use ristoro_runtime::grpc::{GrpcRoutes, Role, command_request, require};
use ristoro_runtime::telemetry::{self, LogFormat, trace_id};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// Writes what a rebuild's request brought into an envelope, as a command does.
struct Writer(MemoryLog);

#[tonic::async_trait]
impl ProjectionService for Writer {
    type WatchRebuildStream = BoxStream<'static, Result<WatchRebuildResponse, Status>>;

    async fn rebuild_projection(
        &self,
        request: Request<RebuildProjectionRequest>,
    ) -> Result<Response<RebuildProjectionResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let (metadata, _, request) = request.into_parts();
        let command = command_request(&principal, &request.request_id, false, "", &metadata)?;
        let cause = Cause::Command(command.request_id);
        let envelope = Envelope {
            event_id: derived_event_id("ops/trace", 1, &cause),
            stream: "ops/trace".to_owned(),
            version: 1,
            previous: Uuid::nil(),
            kind: "PayoutsStopped".to_owned(),
            occurred_at: command.occurred_at,
            cause,
            command_id: Some(command.request_id),
            actor: command.actor,
            traceparent: command.traceparent,
            payload: Bytes::new(),
        };
        let record = NewRecord { topic: Topic::Ops, partition: 0, envelope };
        self.0.append_now(&[record]).map_err(|error| ristoro_runtime::status::log(&error))?;
        Ok(Response::new(RebuildProjectionResponse::default()))
    }

    async fn list_projections(
        &self,
        _: Request<ListProjectionsRequest>,
    ) -> Result<Response<ListProjectionsResponse>, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }

    async fn watch_rebuild(
        &self,
        _: Request<WatchRebuildRequest>,
    ) -> Result<Response<Self::WatchRebuildStream>, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }

    async fn switch_projection(
        &self,
        _: Request<SwitchProjectionRequest>,
    ) -> Result<Response<SwitchProjectionResponse>, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }

    async fn pace_rebuild(
        &self,
        _: Request<PaceRebuildRequest>,
    ) -> Result<Response<PaceRebuildResponse>, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }

    async fn drop_projection(
        &self,
        _: Request<DropProjectionRequest>,
    ) -> Result<Response<DropProjectionResponse>, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_call_to_the_envelope_and_to_the_collector() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    // A log that is nearly silent must not end the trace.
    let guard = telemetry::start("test", "error", LogFormat::Json, Some(&endpoint)).unwrap();
    assert!(telemetry::start("test", "error", LogFormat::Json, None).is_err(), "once a process");

    let log = MemoryLog::new(Uuid::new_v4(), 1);
    let routes = GrpcRoutes::new().with(ProjectionServiceServer::new(Writer(log.clone())));
    let server = start(routes, Limits::default()).await;
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request_id = Uuid::new_v4().to_string();
    let message = RebuildProjectionRequest { request_id, ..Default::default() };
    let mut request = with_token("secret", message);
    request.metadata_mut().insert("traceparent", caller.parse().unwrap());
    server.client().await.rebuild_projection(request).await.unwrap();
    assert!(server.telemetry.metrics.page().contains("ristoro_grpc_calls_in_work 0"));
    server.end().await;

    let first = Position { topic: Topic::Ops, partition: 0, offset: 1 };
    let mut reader = log.reader(&[first]).unwrap();
    let records = reader.poll(PollLimits::default()).await.unwrap();
    let envelope = Envelope::decode(records[0].value.clone()).unwrap();
    assert_eq!(trace_id(&envelope.traceparent), trace_id(caller));
    assert_ne!(
        envelope.traceparent, caller,
        "the envelope names the server's span, not the caller's"
    );

    // The end of telemetry sends what is left.
    let ending = tokio::task::spawn_blocking(move || drop(guard));
    let accepted = tokio::time::timeout(Duration::from_secs(10), collector.accept()).await;
    let (mut connection, _) = accepted.unwrap().unwrap();
    let mut preface = [0; 14];
    connection.read_exact(&mut preface).await.unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0");
    drop(connection);
    ending.await.unwrap();
}
