//! The server as callers see it: who may call, deadlines, room, health, reflection and the end.

mod edge_support;

use std::time::{Duration, Instant};

use edge_support::{Limits, start, with_token};
use futures::StreamExt;
use futures::stream::BoxStream;
use ristoro_proto::ops::v1::projection_service_server::{
    ProjectionService, ProjectionServiceServer,
};
use ristoro_proto::ops::v1::{
    DropProjectionRequest, DropProjectionResponse, ListProjectionsRequest, ListProjectionsResponse,
    PaceRebuildRequest, PaceRebuildResponse, RebuildProjectionRequest, RebuildProjectionResponse,
    SwitchProjectionRequest, SwitchProjectionResponse, WatchRebuildRequest, WatchRebuildResponse,
};
use ristoro_runtime::grpc::{GrpcRoutes, Role, ServeError, bind, require};
use ristoro_runtime::status::not_found;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_types::StatusExt;

/// Answers lists, never finishes a switch, finds no rebuild, and watches for ever.
struct Slow;

#[tonic::async_trait]
impl ProjectionService for Slow {
    type WatchRebuildStream = BoxStream<'static, Result<WatchRebuildResponse, Status>>;

    async fn list_projections(
        &self,
        request: Request<ListProjectionsRequest>,
    ) -> Result<Response<ListProjectionsResponse>, Status> {
        require(&request, &[Role::Operator, Role::Analyst])?;
        Ok(Response::new(ListProjectionsResponse::default()))
    }

    async fn rebuild_projection(
        &self,
        _request: Request<RebuildProjectionRequest>,
    ) -> Result<Response<RebuildProjectionResponse>, Status> {
        Err(not_found("ristoro.dev/Projection", "projections/x/schemas/1"))
    }

    async fn watch_rebuild(
        &self,
        _request: Request<WatchRebuildRequest>,
    ) -> Result<Response<Self::WatchRebuildStream>, Status> {
        let first = futures::stream::once(async { Ok(WatchRebuildResponse::default()) });
        Ok(Response::new(first.chain(futures::stream::pending()).boxed()))
    }

    async fn pace_rebuild(
        &self,
        _: Request<PaceRebuildRequest>,
    ) -> Result<Response<PaceRebuildResponse>, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }

    async fn drop_projection(
        &self,
        request: Request<DropProjectionRequest>,
    ) -> Result<Response<DropProjectionResponse>, Status> {
        require(&request, &[Role::Operator])?;
        Ok(Response::new(DropProjectionResponse {}))
    }

    async fn switch_projection(
        &self,
        _request: Request<SwitchProjectionRequest>,
    ) -> Result<Response<SwitchProjectionResponse>, Status> {
        std::future::pending().await
    }
}

fn routes() -> GrpcRoutes {
    GrpcRoutes::new().with(ProjectionServiceServer::new(Slow))
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|information| information.reason).unwrap_or_default()
}

#[tokio::test]
async fn nobody_calls_without_a_token_and_nobody_acts_without_the_role() {
    let server = start(routes(), Limits::default()).await;
    let mut client = server.client().await;
    let list = ListProjectionsRequest::default;

    let status = client.list_projections(list()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::Unauthenticated, "TOKEN_MISSING".into()));
    let status = client.list_projections(with_token("guess", list())).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::Unauthenticated, "TOKEN_UNKNOWN".into()));
    let status = client.list_projections(with_token("hello", list())).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::PermissionDenied, "ROLE_MISSING".into()));
    client.list_projections(with_token("secret", list())).await.unwrap();

    let request = with_token("secret", RebuildProjectionRequest::default());
    let status = client.rebuild_projection(request).await.unwrap_err();
    assert_eq!(reason(&status), "RESOURCE_NOT_FOUND");
    let resource = status.get_details_resource_info().unwrap();
    assert_eq!(resource.resource_name, "projections/x/schemas/1");

    let page = server.telemetry.metrics.page();
    let method = "/ristoro.ops.v1.ProjectionService/ListProjections";
    for (code, count) in [("Ok", 1), ("Unauthenticated", 2), ("PermissionDenied", 1)] {
        let line =
            format!("ristoro_grpc_calls_total{{method=\"{method}\",code=\"{code}\"}} {count}");
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
    assert!(page.contains("ristoro_grpc_calls_in_work 0"), "{page}");
    server.end().await;
}

#[tokio::test]
async fn a_call_ends_at_the_servers_bound_and_a_stream_at_its_callers_deadline() {
    let limits = Limits { call_deadline: Duration::from_millis(400), ..Limits::default() };
    let server = start(routes(), limits).await;
    let mut client = server.client().await;

    let began = Instant::now();
    let request = with_token("secret", SwitchProjectionRequest::default());
    let status = client.switch_projection(request).await.unwrap_err();
    assert_eq!(reason(&status), "DEADLINE_EXCEEDED");
    assert!(began.elapsed() >= Duration::from_millis(400));

    // A stream has no bound of the server's, but its caller's deadline holds to its end.
    let mut request = with_token("secret", WatchRebuildRequest::default());
    request.metadata_mut().insert("grpc-timeout", "600m".parse().unwrap());
    let began = Instant::now();
    let mut stream = client.watch_rebuild(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.unwrap_err();
    assert_eq!(reason(&status), "DEADLINE_EXCEEDED");
    assert!(began.elapsed() > Duration::from_millis(500));
    server.end().await;
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_are_refused_and_room_comes_back() {
    let server = start(routes(), Limits { calls_at_once: 1, ..Limits::default() }).await;
    let mut client = server.client().await;
    let watch = with_token("secret", WatchRebuildRequest::default());
    let mut stream = client.watch_rebuild(watch).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());

    let list = || with_token("secret", ListProjectionsRequest::default());
    let status = client.list_projections(list()).await.unwrap_err();
    assert_eq!(reason(&status), "TOO_MANY_REQUESTS");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());

    drop(stream);
    let waited = tokio::time::timeout(Duration::from_secs(5), async {
        while client.list_projections(list()).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn the_server_ends_in_time_although_a_stream_is_open() {
    let server = start(routes(), Limits::default()).await;
    let mut client = server.client().await;
    let watch = with_token("secret", WatchRebuildRequest::default());
    let mut stream = client.watch_rebuild(watch).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());

    let began = Instant::now();
    server.shutdown.cancel();
    let status = stream.message().await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::Unavailable, "SHUTTING_DOWN".into()));
    assert_eq!(status.message().split(':').next(), Some("shutting down"));
    server.task.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_call_that_never_ends_holds_the_server_up_to_the_bound_only() {
    let limits = Limits { shutdown_bound: Duration::from_millis(300), ..Limits::default() };
    let server = start(routes(), limits).await;
    let mut client = server.client().await;
    let call = tokio::spawn(async move {
        client.switch_projection(with_token("secret", SwitchProjectionRequest::default())).await
    });
    let in_work = tokio::time::timeout(Duration::from_secs(5), async {
        while !server.telemetry.metrics.page().contains("ristoro_grpc_calls_in_work 1") {
            tokio::task::yield_now().await;
        }
    });
    in_work.await.unwrap();
    let began = Instant::now();
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(began.elapsed() < Duration::from_secs(5));
    call.abort();
}

async fn health(
    client: &mut HealthClient<tonic::transport::Channel>,
    service: &str,
) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    client.check(request).await.expect("the health service answers").into_inner().status()
}

#[tokio::test]
async fn health_follows_the_loops_and_needs_no_token() {
    let server = start(routes(), Limits::default()).await;
    server.telemetry.readiness.expect("ops.tables");
    let mut client = HealthClient::new(server.channel().await);
    let watch = HealthCheckRequest { service: "ristoro.ops.v1.ProjectionService".to_owned() };
    let mut changes = client.watch(watch).await.unwrap().into_inner();
    let wait_for = async |changes: &mut tonic::Streaming<HealthCheckResponse>, wanted| {
        while changes.message().await.unwrap().unwrap().status() != wanted {}
    };
    wait_for(&mut changes, ServingStatus::NotServing).await;
    assert_eq!(health(&mut client, "").await, ServingStatus::NotServing);
    server.telemetry.readiness.ready("ops.tables");
    wait_for(&mut changes, ServingStatus::Serving).await;
    assert_eq!(health(&mut client, "").await, ServingStatus::Serving);
    server.telemetry.readiness.expect("ops.tables");
    wait_for(&mut changes, ServingStatus::NotServing).await;
    drop(changes);
    server.end().await;
}

#[tokio::test]
async fn reflection_lists_what_is_served_in_both_versions() {
    let server = start(routes(), Limits::default()).await;
    let expected = "ristoro.ops.v1.ProjectionService";
    {
        use tonic_reflection::pb::v1 as pb;
        let mut client =
            pb::server_reflection_client::ServerReflectionClient::new(server.channel().await);
        let ask = pb::server_reflection_request::MessageRequest::ListServices(String::new());
        let request =
            pb::ServerReflectionRequest { message_request: Some(ask), ..Default::default() };
        let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        let text = format!("{:?}", answer.message_response);
        assert!(text.contains(expected) && text.contains("grpc.health.v1.Health"), "{text}");
        assert!(!text.contains("PoisonService"), "only what is served is listed: {text}");
    }
    {
        use tonic_reflection::pb::v1alpha as pb;
        let mut client =
            pb::server_reflection_client::ServerReflectionClient::new(server.channel().await);
        let ask = pb::server_reflection_request::MessageRequest::FileContainingSymbol(
            expected.to_owned(),
        );
        let request =
            pb::ServerReflectionRequest { message_request: Some(ask), ..Default::default() };
        let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        assert!(format!("{:?}", answer.message_response).contains("FileDescriptorResponse"));
    }
    server.end().await;
}

#[tokio::test]
async fn a_request_over_four_mebibytes_is_refused() {
    let server = start(routes(), Limits::default()).await;
    let mut client = server.client().await;
    let request = SwitchProjectionRequest { name: "x".repeat(5 << 20), ..Default::default() };
    let status = client.switch_projection(with_token("secret", request)).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    server.end().await;
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_do() {
    let first = bind("127.0.0.1:0".parse().unwrap(), "listen").await.unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address, "listen").await.unwrap_err();
    assert!(matches!(error, ServeError::InUse { .. }));
    let text = error.to_string();
    assert!(text.starts_with(&format!("{address} is in use by another program")), "{text}");
    assert!(text.contains("`listen`") && !text.contains('\n'));
}
