//! Leases: processes share the partitions, and take over what another leaves.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ristoro_log::EventLog;
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::service::Service;

use super::counter::spec;
use super::support::*;

fn held(service: &Service) -> BTreeSet<u32> {
    service.owned().borrow().clone()
}

async fn until_held(expected: usize, services: &[&Service]) {
    let begun = Instant::now();
    loop {
        let all: Vec<BTreeSet<u32>> = services.iter().map(|service| held(service)).collect();
        let together: BTreeSet<u32> = all.iter().flatten().copied().collect();
        if all.iter().all(|one| one.len() == expected) && together.len() == PARTITIONS as usize {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "they hold {all:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn processes_share_the_partitions_and_take_over() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let shared = || settings(LeaseMode::Shared);
    let one = start_with(spec(), shared(), &database.pool, &log).await.unwrap();
    until_held(4, &[&one]).await;
    let two = start_with(spec(), shared(), &database.pool, &log).await.unwrap();
    until_held(2, &[&one, &two]).await;
    let mut producer = Producer::default();
    memory.append_now(&producer.many(200)).unwrap();
    until(&database.pool, ECHOES, 200).await;
    one.stop().await.unwrap();
    until_held(4, &[&two]).await;
    memory.append_now(&producer.many(100)).unwrap();
    until(&database.pool, ECHOES, 300).await;
    two.stop().await.unwrap();
}

#[tokio::test]
async fn the_leases_of_a_dead_process_run_out() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory);
    let one = start_with(spec(), settings(LeaseMode::Shared), &database.pool, &log).await.unwrap();
    until_held(4, &[&one]).await;
    one.stop().await.unwrap();
    // What a killed process leaves: a heartbeat and leases that nobody renews.
    sqlx::raw_sql(
        "insert into counter_control.member values (gen_random_uuid(), now());
         insert into counter_control.lease select n, member_id, now() + interval '1 second'
         from counter_control.member, generate_series(0, 3) n",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let two = start_with(spec(), settings(LeaseMode::Shared), &database.pool, &log).await.unwrap();
    until_held(4, &[&two]).await;
    two.stop().await.unwrap();
}
