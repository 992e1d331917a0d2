//! Switches between two schemas that are both fed, with batches and commands under way.
//!
//! Steps are calls of the runtime on a real Postgres. One that waits for a lock, such as a switch for a batch, does not
//! hold up the others.

use std::sync::Arc;
use std::time::Duration;

use ristoro_domain::payment_file::{Command, Event, PaymentFile};
use ristoro_log::{Envelope, Topic};
use ristoro_payout::spec;
use ristoro_proto::wire::Wire;
use ristoro_runtime::command::StreamRef;
use ristoro_runtime::rebuild::{self, RebuildError};
use ristoro_runtime::schema::{Comparison, equal};
use ristoro_runtime::service::stepwise::{Stepwise, Worked};
use ristoro_tests::interleave::caller::request;
use ristoro_tests::interleave::copies::Stand;
use ristoro_tests::interleave::every_run;
use ristoro_tests::interleave::turns::{Giver, Turns, schedule, turns};
use ristoro_tests::interleave::world::World;
use sqlx::PgPool;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::bank::creation;

const PROJECTION: &str = "payout.payouts";
const JOURNAL: &str = "journal.ristoro.payout.v1";
const LIVE: &str = "select number from payout_control.projection_schema where state = 'live'";
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts the files of a run, as queries see them.
async fn files(pool: &PgPool, partition: u32) -> i64 {
    let query = "select count(*) from payout.payment_file where partition = $1";
    let partition = i32::try_from(partition).unwrap();
    sqlx::query_scalar(query).bind(partition).fetch_one(pool).await.unwrap()
}

async fn live(pool: &PgPool) -> i32 {
    sqlx::query_scalar(LIVE).fetch_one(pool).await.unwrap()
}

fn file(partition: u32, name: &str) -> StreamRef {
    StreamRef::numbered(Topic::Payout, format!("payment-file/{partition}-{name}"), partition)
}

fn create(world: &mut World, partition: u32, name: &str) {
    let event = Event::PaymentFileCreated(Box::new(creation(1, 1)));
    world.write(&file(partition, name), &event);
}

/// Two processes of a service, and the partition of a run.
#[derive(Clone)]
struct Here {
    one: Arc<Stepwise>,
    two: Arc<Stepwise>,
    partition: u32,
}

/// Reads a batch in one step and works on it in the next.
async fn project(here: Here, schema: i32, mut turns: Turns) {
    let read = here.one.read_in(schema, PROJECTION, here.partition);
    let batch = turns.take(read).await.unwrap();
    turns.take(here.one.work(&batch)).await.unwrap();
}

/// Works on all that is there.
async fn feed(here: &Here, schema: i32) {
    loop {
        let batch = here.one.read_in(schema, PROJECTION, here.partition).await.unwrap();
        let worked = here.one.work(&batch).await.unwrap();
        assert!(matches!(worked, Worked::Passed | Worked::Fenced), "{worked:?}");
        if batch.is_empty() {
            return;
        }
    }
}

/// Switches to the other schema and back, one step each.
async fn switch(here: Here, from: i32, mut turns: Turns) {
    for to in [3 - from, from] {
        turns.take(switch_to(&here, to)).await;
    }
}

/// Switches as soon as the switch before has let go of its lock.
async fn switch_to(here: &Here, to: i32) {
    loop {
        match rebuild::switch(here.one.schemas(), to, None).await {
            Ok(switched) => return assert_eq!((switched.from, switched.to), (3 - to, to)),
            Err(RebuildError::Busy) => tokio::time::sleep(Duration::from_millis(2)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn epoch(pool: &PgPool, schema: i32) -> i64 {
    let query = format!("select max(role_epoch) from payout_{schema}.log_position");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap()
}

async fn switching(pool: &PgPool, here: &Here, order: Vec<usize>, mut world: World) {
    let (from, before) = (live(pool).await, epoch(pool, 1).await);
    let (one, two, three) = (turns(), turns(), turns());
    let first = tokio::spawn(project(here.clone(), from, one.1));
    let second = tokio::spawn(project(here.clone(), 3 - from, two.1));
    let switched = tokio::spawn(switch(here.clone(), from, three.1));
    let mut givers: [Giver; 3] = [one.0, two.0, three.0];
    let mut seen = 0;
    for (place, turn) in order.into_iter().enumerate() {
        givers[turn].give().await;
        if place == 2 {
            create(&mut world, here.partition, "second");
        }
        let now = files(pool, here.partition).await;
        assert!(now >= seen, "the tables went back from {seen} files to {now}");
        seen = now;
    }
    drop(givers);
    // A switch may still wait for the schema whose batch was fenced off.
    let ended = async {
        first.await.unwrap();
        second.await.unwrap();
        while !switched.is_finished() {
            tokio::join!(feed(here, 1), feed(here, 2));
        }
        switched.await.unwrap();
    };
    timeout(PATIENCE, ended).await.unwrap();
    assert!(files(pool, here.partition).await >= seen);
    tokio::join!(feed(here, 1), feed(here, 2));
    assert_eq!(files(pool, here.partition).await, 2);
    assert_eq!(live(pool).await, from);
    for schema in [1, 2] {
        assert_eq!(epoch(pool, schema).await, before + 2);
    }
}

/// Two schemas are fed by a worker each while a switch goes there and back; the log grows on the way. Steps:
/// `Stepwise::{read, work}` for the batches, and `rebuild::switch`.
#[test]
fn switch_and_switch_back_during_load() {
    let runtime = Runtime::new().unwrap();
    let mut stand = runtime.block_on(Stand::of("switches", spec));
    let worlds: Vec<(u32, World)> = (0..100).map(|_| stand.next_run()).collect();
    let mut worlds = worlds.into_iter();
    let Stand { one, two, pool, .. } = stand;
    let (one, two) = (Arc::new(one), Arc::new(two));
    let runs = every_run(|choices| {
        let order = schedule(choices, &[2, 2, 2]);
        choices.note(format!("{order:?}"));
        let (partition, mut world) = worlds.next().unwrap();
        let here = Here { one: Arc::clone(&one), two: Arc::clone(&two), partition };
        create(&mut world, partition, "first");
        runtime.block_on(switching(&pool, &here, order, world));
    });
    let equal = runtime.block_on(equal(one.schemas(), 1, 2, PATIENCE)).unwrap();
    assert_eq!(equal, Comparison::Equal);
    super::ran("switch and switch back during load", runs);
    runtime.block_on(pool.close());
}

/// Sends a command whose caller dies once the record is on the log, and sends it again to another process. Checks that
/// whoever is answered can read it at once.
async fn call(here: Here, mut world: World, mut turns: Turns) -> World {
    let Here { one, two, partition } = here;
    let stream = file(partition, "first");
    let request = request(world.id(), "ada");
    let command = Command::Create(Box::new(creation(1, 1)));
    let end = || world.log.end_offsets(Topic::Payout)[partition as usize];
    let before = end();
    turns
        .take(async {
            let written = async {
                while end() == before {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                answer = one.commands().execute::<PaymentFile>(&stream, &request, &command) => {
                    panic!("nobody folds the journal, and yet there is {answer:?}")
                }
                () = written => {}
            }
            let batch = two.read(JOURNAL, partition).await.unwrap();
            assert_eq!(two.work(&batch).await.unwrap(), Worked::Passed);
        })
        .await;
    turns
        .take(async {
            let done = two.commands().execute::<PaymentFile>(&stream, &request, &command).await;
            let done = done.unwrap();
            assert_eq!(done.version, 1);
            two.views().wait(&done.token, PATIENCE).await.unwrap();
            let mut view = two.views().begin().await.unwrap();
            let query = "select count(*) from payment_file where partition = $1";
            let partition = i32::try_from(partition).unwrap();
            let files: i64 =
                sqlx::query_scalar(query).bind(partition).fetch_one(&mut *view).await.unwrap();
            assert_eq!(files, 1, "what was acknowledged cannot be read");
        })
        .await;
    world
}

async fn retried(pool: &PgPool, here: &Here, order: Vec<usize>, world: World) {
    let from = live(pool).await;
    let (caller, turns) = turns();
    let mut caller = Some(caller);
    let called = tokio::spawn(call(here.clone(), world, turns));
    for turn in order {
        match (turn, &mut caller) {
            (0, Some(caller)) => caller.give().await,
            (1, _) => feed(here, from).await,
            (2, _) => feed(here, 3 - from).await,
            _ => {
                // The other schema may be behind: then it is fed while the switch waits.
                let switched = switch_to(here, 3 - from);
                let fed = async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    feed(here, 3 - from).await;
                };
                tokio::join!(switched, fed);
            }
        }
    }
    drop(caller.take());
    let end = async {
        while !called.is_finished() {
            feed(here, 1).await;
            feed(here, 2).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        called.await.unwrap()
    };
    let world = timeout(PATIENCE, end).await.unwrap();
    let records = &world.log.records(Topic::Payout, here.partition)[1..];
    assert_eq!(records.len(), 1, "the second call found what became of the first");
    let envelope = Envelope::decode(records[0].value.clone()).unwrap();
    assert!(Event::decode(&envelope.kind, &envelope.payload).is_ok());
}

/// A caller dies behind its record and calls again, while another schema becomes live and each of the two schemas folds
/// the record at some time. Steps: `Commands::execute` of two processes with the journal's batch, `Stepwise::work` of
/// either schema, and `rebuild::switch`.
#[test]
fn a_retried_command_across_a_switch() {
    let runtime = Runtime::new().unwrap();
    let mut stand = runtime.block_on(Stand::of("retries", spec));
    let worlds: Vec<(u32, World)> = (0..100).map(|_| stand.next_run()).collect();
    let mut worlds = worlds.into_iter();
    let Stand { one, two, pool, .. } = stand;
    let (one, two) = (Arc::new(one), Arc::new(two));
    let runs = every_run(|choices| {
        let order = schedule(choices, &[2, 1, 1, 1]);
        choices.note(format!("{order:?}"));
        let (partition, world) = worlds.next().unwrap();
        let here = Here { one: Arc::clone(&one), two: Arc::clone(&two), partition };
        runtime.block_on(async {
            // Both processes know which schema is live; a switch of this run they have to notice themselves.
            one.see_live().await.unwrap();
            two.see_live().await.unwrap();
            retried(&pool, &here, order, world).await;
        });
    });
    super::ran("a retried command across a switch", runs);
    runtime.block_on(pool.close());
}
