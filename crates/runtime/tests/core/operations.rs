//! What operators do, over gRPC: rebuild, watch, switch and drop tables, and skip a record by two people.

use ristoro_log::memory::MemoryLog;
use ristoro_log::{EventLog, Position, Topic};
use ristoro_proto::ops::v1::poison_service_client::PoisonServiceClient;
use ristoro_proto::ops::v1::{
    DropProjectionRequest, ListPoisonRequest, ListProjectionsRequest, PaceRebuildRequest,
    ProjectionState, RebuildProjectionRequest, SkipRecordRequest, SwitchProjectionRequest,
    WatchRebuildRequest,
};
use ristoro_runtime::grpc::{GrpcRoutes, with_operations};
use ristoro_runtime::service::Service;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use super::counter::spec;
use super::support::*;

#[path = "../edge_support/mod.rs"]
mod edge_support;

use edge_support::{Limits, Running, with_token};

async fn behind_an_address(database: &Database, memory: &MemoryLog) -> (Service, Running) {
    let service = start(spec(), &database.pool, &EventLog::Memory(memory.clone())).await;
    let routes = with_operations(GrpcRoutes::new(), std::slice::from_ref(&service));
    let server = edge_support::start(routes, Limits::default()).await;
    assert!(server.telemetry.readiness.waiting_for().is_empty());
    (service, server)
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|information| information.reason).unwrap_or_default()
}

fn id() -> String {
    Uuid::new_v4().to_string()
}

#[tokio::test]
async fn tables_are_rebuilt_watched_switched_and_dropped() {
    let (database, memory) = (database().await, memory());
    let (service, server) = behind_an_address(&database, &memory).await;
    memory.append_now(&Producer::default().many(50)).unwrap();
    until(&database.pool, ECHOES, 50).await;
    let mut client = server.client().await;
    let (first, second) =
        ("projections/counter/schemas/1".to_owned(), "projections/counter/schemas/2".to_owned());

    let request_id = id();
    let rebuild = |name: &str, validate_only| {
        let (request_id, name) = (request_id.clone(), name.to_owned());
        with_token("secret", RebuildProjectionRequest { request_id, validate_only, name })
    };
    let status = client.rebuild_projection(rebuild("projections/other", false)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let only = client.rebuild_projection(rebuild("projections/counter", true)).await.unwrap();
    assert_eq!(only.into_inner().projection, None);
    let begun = client.rebuild_projection(rebuild("projections/counter", false)).await.unwrap();
    assert_eq!(begun.into_inner().projection.unwrap().name, second);

    let watch =
        with_token("secret", WatchRebuildRequest { name: second.clone(), ..Default::default() });
    let mut stream = client.watch_rebuild(watch).await.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = stream.message().await.unwrap() {
        last = answer.projection;
    }
    assert_eq!(last.unwrap().state(), ProjectionState::Current);

    let switch = |name: &str, etag: &str| {
        let (name, etag) = (name.to_owned(), etag.to_owned());
        let request_id = id();
        let request = SwitchProjectionRequest { request_id, validate_only: false, name, etag };
        with_token("secret", request)
    };
    let status = client.switch_projection(switch(&second, &second)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::Aborted, "VERSION_CONFLICT".into()));
    let status = client.switch_projection(switch(&second, "nonsense")).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_FIELD");
    let now = client.switch_projection(switch(&second, &first)).await.unwrap().into_inner();
    assert!(now.projection.unwrap().live);

    let drop = |name: &str| {
        let (request_id, name) = (id(), name.to_owned());
        with_token("secret", DropProjectionRequest { request_id, validate_only: false, name })
    };
    let status = client.drop_projection(drop(&second)).await.unwrap_err();
    assert_eq!(reason(&status), "WRONG_STATE");
    client.drop_projection(drop(&first)).await.unwrap();
    let status = client.drop_projection(drop(&first)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let status = client.drop_projection(drop("projections/counter/schemas/-1")).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_FIELD");

    let list = with_token("secret", ListProjectionsRequest {});
    let listed = client.list_projections(list).await.unwrap().into_inner();
    let names: Vec<_> = listed.projections.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, [second.as_str()]);
    assert!(!listed.as_of.unwrap().positions.is_empty());
    server.end().await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn operators_set_the_pace_of_what_is_being_built_within_its_bounds() {
    let (database, memory) = (database().await, memory());
    let (service, server) = behind_an_address(&database, &memory).await;
    // What nobody can read keeps the new tables from being complete.
    memory.append_now(&[Producer::default().unreadable("x")]).unwrap();
    let mut client = server.client().await;
    let name = "projections/counter".to_owned();
    let rebuild = RebuildProjectionRequest { request_id: id(), validate_only: false, name };
    client.rebuild_projection(with_token("secret", rebuild)).await.unwrap();
    let pace = |number: u32, pace_percent, validate_only| PaceRebuildRequest {
        request_id: id(),
        validate_only,
        name: format!("projections/counter/schemas/{number}"),
        pace_percent,
    };
    let checked = client.pace_rebuild(with_token("secret", pace(2, 40, true))).await.unwrap();
    assert_eq!(checked.into_inner().projection.unwrap().pace_percent, 100);
    let set = client.pace_rebuild(with_token("secret", pace(2, 40, false))).await.unwrap();
    assert_eq!(set.into_inner().projection.unwrap().pace_percent, 40);
    let listed = client.list_projections(with_token("secret", ListProjectionsRequest {})).await;
    let listed = listed.unwrap().into_inner().projections;
    let paces: Vec<_> = listed.iter().map(|one| one.pace_percent).collect();
    assert_eq!(paces, [100, 40]);
    for (asked, expected) in [
        (pace(2, 101, false), "INVALID_FIELD"),
        (pace(1, 40, true), "WRONG_STATE"),
        (pace(1, 40, false), "WRONG_STATE"),
    ] {
        let status = client.pace_rebuild(with_token("secret", asked)).await.unwrap_err();
        assert_eq!(reason(&status), expected);
    }
    let status = client.pace_rebuild(with_token("hello", pace(2, 0, false))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    server.end().await;
    service.stop().await.unwrap();
}

/// Names what is asked; `digest` is empty for a proposal.
fn skip(position: Position, digest: &str) -> SkipRecordRequest {
    SkipRecordRequest {
        request_id: id(),
        validate_only: false,
        position: position.to_string(),
        consumers: vec!["counter.echo".to_owned(), "counter.totals".to_owned()],
        reason: "unreadable".to_owned(),
        digest: digest.to_owned(),
    }
}

#[tokio::test]
async fn two_people_skip_a_record_that_nobody_can_read() {
    let (database, memory) = (database().await, memory());
    let (service, server) = behind_an_address(&database, &memory).await;
    let mut producer = Producer::default();
    let offset = memory.append_now(&[producer.unreadable("x")]).unwrap()[0];
    memory.append_now(&[producer.added("x", 10)]).unwrap();
    let position = Position { topic: Topic::Outage, partition: counter("x").partition, offset };
    until(&database.pool, "select count(*) from counter_control.poison", 2).await;
    let mut client = PoisonServiceClient::new(server.channel().await);

    let list = ListPoisonRequest { page_size: 1, page_token: String::new() };
    let page = client.list_poison(with_token("secret", list)).await.unwrap().into_inner();
    assert_eq!(page.poison[0].consumer, "counter.echo");
    let list = ListPoisonRequest { page_size: 1, page_token: page.next_page_token };
    let page = client.list_poison(with_token("secret", list)).await.unwrap().into_inner();
    assert_eq!(
        (page.poison[0].consumer.as_str(), page.next_page_token.as_str()),
        ("counter.totals", "")
    );
    assert_eq!(page.poison[0].position, position.to_string());

    let next = Position { offset: offset + 1, ..position };
    let status = client.skip_record(with_token("secret", skip(next, ""))).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_SKIPPABLE");
    let foreign = SkipRecordRequest { consumers: vec!["other.x".to_owned()], ..skip(position, "") };
    let status = client.skip_record(with_token("secret", foreign)).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_FIELD");

    let proposed = client.skip_record(with_token("secret", skip(position, ""))).await.unwrap();
    let proposed = proposed.into_inner();
    assert!(!proposed.skipped);
    let proposal = proposed.proposal.unwrap();
    assert_eq!(proposal.proposer, "anna");

    let approve = skip(position, &proposal.digest);
    let status = client.skip_record(with_token("secret", approve.clone())).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::PermissionDenied, "SAME_PERSON".into()));
    let wrong = skip(position, &"0".repeat(64));
    let status = client.skip_record(with_token("other", wrong)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::Aborted, "DIGEST_MISMATCH".into()));
    let only = SkipRecordRequest { validate_only: true, ..skip(position, &proposal.digest) };
    let checked = client.skip_record(with_token("other", only)).await.unwrap().into_inner();
    assert!(!checked.skipped);

    let approved =
        client.skip_record(with_token("other", approve.clone())).await.unwrap().into_inner();
    assert!(approved.skipped && approved.consistency_token.starts_with("ristoro.ops.v1/"));
    until(&database.pool, SUM, 10).await;
    until(&database.pool, "select count(*) from counter_control.poison", 0).await;
    let again = client.skip_record(with_token("other", approve)).await.unwrap().into_inner();
    assert_eq!(again.consistency_token, approved.consistency_token);
    server.end().await;
    service.stop().await.unwrap();
}
