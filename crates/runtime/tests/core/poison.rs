//! Poison stops what cannot fold it, and nothing else; two people's skip lets it go on.

use bytes::Bytes;
use prost::Message;
use ristoro_log::envelope::derived_event_id;
use ristoro_log::memory::MemoryLog;
use ristoro_log::{Cause, Envelope, EventLog, NewRecord, Position, Topic};
use ristoro_proto::ops::v1::RecordSkipped;
use ristoro_runtime::{poison, rebuild, schema};
use uuid::Uuid;

use super::counter::spec;
use super::support::*;

fn skip(memory: &MemoryLog, position: Position, consumers: &[&str]) {
    let event = RecordSkipped {
        position: position.to_string(),
        consumers: consumers.iter().map(|one| (*one).to_owned()).collect(),
        note: "a test".to_owned(),
        actors: vec!["anna".to_owned(), "bo".to_owned()],
    };
    let cause = Cause::Command(Uuid::new_v4());
    let stream = format!("ops/skip-{}", Uuid::new_v4());
    let envelope = Envelope {
        event_id: derived_event_id(&stream, 1, &cause),
        stream,
        version: 1,
        previous: Uuid::nil(),
        kind: "RecordSkipped".to_owned(),
        occurred_at: ristoro_domain::time::Instant::UNIX_EPOCH,
        cause,
        command_id: None,
        actor: "anna".to_owned(),
        traceparent: String::new(),
        payload: Bytes::from(event.encode_to_vec()),
    };
    memory.append_now(&[NewRecord { topic: Topic::Ops, partition: 0, envelope }]).unwrap();
}

const STOPPED: &str = "select count(*) from counter_control.poison";

#[tokio::test]
async fn an_unreadable_record_stops_its_partition_until_it_is_skipped() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    let mut producer = Producer::default();
    let stopped = counter("x");
    let other =
        (0..).map(|n| format!("y{n}")).find(|name| counter(name).partition != stopped.partition);
    let other = other.unwrap();
    memory.append_now(&[producer.added("x", 1)]).unwrap();
    let offset = memory.append_now(&[producer.unreadable("x")]).unwrap()[0];
    memory.append_now(&[producer.added("x", 10), producer.added(&other, 100)]).unwrap();
    let position = Position { topic: Topic::Outage, partition: stopped.partition, offset };

    until(&database.pool, STOPPED, 2).await;
    until(&database.pool, SUM, 101).await;
    until(&database.pool, ECHOES, 2).await;
    let listed = poison::list(service.pool(), service.schemas().service()).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|one| one.consumer.as_str()).collect();
    assert_eq!(names, ["counter.echo", "counter.totals"]);
    for one in &listed {
        assert_eq!((one.position, one.stream.as_str()), (position, "counter/x"));
        assert_eq!(one.kind, "Mystery");
    }

    skip(&memory, position, &["counter.echo", "counter.totals"]);
    until(&database.pool, SUM, 111).await;
    until(&database.pool, ECHOES, 4).await;
    until(&database.pool, STOPPED, 0).await;
    let skipped = "select count(*) from counter.echo where heard like 'skipped %'";
    assert_eq!(number(&database.pool, skipped).await, 1);

    let number = rebuild::start(service.schemas(), Uuid::new_v4()).await.unwrap();
    super::rebuilds::until_standby(&service, number).await;
    let patience = std::time::Duration::from_secs(20);
    let comparison = schema::equal(service.schemas(), 1, number, patience).await.unwrap();
    assert_eq!(comparison, schema::Comparison::Equal);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_projection_that_has_folded_a_skipped_record_stops_and_is_rebuilt() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    let mut producer = Producer::default();
    let offset = memory.append_now(&[producer.added("x", 1)]).unwrap()[0];
    let position = Position { topic: Topic::Outage, partition: counter("x").partition, offset };
    until(&database.pool, SUM, 1).await;
    skip(&memory, position, &["counter.totals"]);
    until(&database.pool, "select count(*) from counter_control.record_skip", 1).await;
    memory.append_now(&[producer.added("x", 10)]).unwrap();
    until(&database.pool, STOPPED, 1).await;
    assert_eq!(number(&database.pool, SUM).await, 1);

    let next = rebuild::start(service.schemas(), Uuid::new_v4()).await.unwrap();
    super::rebuilds::until_standby(&service, next).await;
    rebuild::switch(service.schemas(), next, Some(1)).await.unwrap();
    assert_eq!(number(&database.pool, SUM).await, 10);
    rebuild::drop(service.schemas(), 1).await.unwrap();
    assert_eq!(number(&database.pool, STOPPED).await, 0);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_stage_that_has_passed_a_record_is_named() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(spec(), &database.pool, &log).await;
    let offset = memory.append_now(&[Producer::default().added("x", 1)]).unwrap()[0];
    let position = Position { topic: Topic::Outage, partition: counter("x").partition, offset };
    // The echo is on the log before the stage's own position moves.
    let behind = format!(
        "select count(*) from counter_control.log_position where consumer = 'counter.echo' \
         and partition = {} and next_offset > {offset}",
        position.partition
    );
    until(&database.pool, &behind, 1).await;
    let name = service.schemas().service();
    let asked = ["counter.echo".to_owned(), "counter.totals".to_owned()];
    let passed = poison::consumers_that_passed(service.pool(), name, position, &asked).await;
    assert_eq!(passed.unwrap(), ["counter.echo"]);
    service.stop().await.unwrap();
}
