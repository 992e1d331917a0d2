//! Commands: one answer for one request id, one winner of a race.

use std::time::Duration;

use ristoro_log::memory::Fate;
use ristoro_log::{EventLog, Topic};
use ristoro_runtime::command::{CommandError, CommandRequest, Done};
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::service::{Service, Settings};

use super::counter::{Add, Counter, OverLimit, projections_only};
use super::support::*;

type Answer = Result<Done<i64>, CommandError<OverLimit>>;

async fn add(service: &Service, name: &str, amount: i64, request: &CommandRequest) -> Answer {
    let command = Add { amount, limit: 100 };
    service.commands().execute::<Counter>(&counter(name), request, &command).await
}

#[tokio::test]
async fn a_command_takes_effect_or_says_why_not() {
    let (database, memory) = (database().await, memory());
    let service = start(projections_only(), &database.pool, &EventLog::Memory(memory)).await;
    let done = add(&service, "a", 60, &request()).await.unwrap();
    assert_eq!((done.state, done.version, done.changed), (60, 1, true));
    assert_eq!(number(&database.pool, SUM).await, 60, "the answer comes after the tables");
    let error = add(&service, "a", 60, &request()).await.unwrap_err();
    assert!(matches!(error, CommandError::Rejected(OverLimit { total: 60 })), "{error:?}");
    let nothing = add(&service, "a", 0, &request()).await.unwrap();
    assert_eq!((nothing.state, nothing.version, nothing.changed), (60, 1, false));
    assert_eq!(nothing.token, done.token);
    let only = CommandRequest { validate_only: true, ..request() };
    assert_eq!(add(&service, "a", 5, &only).await.unwrap().state, 65);
    assert_eq!(number(&database.pool, SUM).await, 60);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_id_gives_the_same_answer_and_one_event() {
    let (database, memory) = (database().await, memory());
    let service = start(projections_only(), &database.pool, &EventLog::Memory(memory)).await;
    let request_a = request();
    let first = add(&service, "a", 50, &request_a).await.unwrap();
    add(&service, "a", 50, &request()).await.unwrap();
    // Decided anew it would be refused: the limit is reached by what it did itself.
    let again = add(&service, "a", 50, &request_a).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(number(&database.pool, SUM).await, 100);
    let error = add(&service, "b", 50, &request_a).await.unwrap_err();
    assert!(matches!(error, CommandError::RequestIdReused), "{error:?}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_id_belongs_to_the_content_that_it_first_took_effect_with() {
    let (database, memory) = (database().await, memory());
    let service = start(projections_only(), &database.pool, &EventLog::Memory(memory)).await;
    let with = |request: &CommandRequest, content| CommandRequest {
        content: Some([content; 32]),
        ..request.clone()
    };
    let asked = request();
    add(&service, "a", 200, &with(&asked, 0)).await.unwrap_err();
    let first = add(&service, "a", 50, &with(&asked, 1)).await.unwrap();
    assert_eq!(add(&service, "a", 50, &with(&asked, 1)).await.unwrap(), first);
    for (name, amount) in [("a", 40), ("a", 0), ("b", 40)] {
        let error = add(&service, name, amount, &with(&asked, 2)).await.unwrap_err();
        assert!(matches!(error, CommandError::RequestIdReused), "{error:?}");
    }
    assert_eq!(number(&database.pool, SUM).await, 50);
    // Both are in flight before either is recorded: one of them takes effect.
    let asked = request();
    let (one, two) = (with(&asked, 1), with(&asked, 2));
    let (one, two) = tokio::join!(add(&service, "c", 1, &one), add(&service, "c", 2, &two));
    let reused = |answer: &Answer| matches!(answer, Err(CommandError::RequestIdReused));
    assert!(one.is_ok() != two.is_ok() && (reused(&one) || reused(&two)), "{one:?} {two:?}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_retry_after_an_unknown_outcome_finds_what_became_of_it() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let service = start(projections_only(), &database.pool, &log).await;
    for (fate, name) in
        [(Fate::Unacknowledged, "a"), (Fate::Lost, "b"), (Fate::Late { appends: 1 }, "c")]
    {
        memory.script([fate]);
        let request = request();
        let error = add(&service, name, 60, &request).await.unwrap_err();
        assert!(matches!(error, CommandError::Unknown(_)), "{error:?}");
        let done = add(&service, name, 60, &request).await.unwrap();
        assert_eq!((done.state, done.version), (60, 1));
    }
    assert_eq!(number(&database.pool, SUM).await, 180);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn commands_without_an_expected_version_all_count() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory);
    let one = start(projections_only(), &database.pool, &log).await;
    let two = start(projections_only(), &database.pool, &log).await;
    let requests = [request(), request(), request(), request()];
    let race = requests.iter().zip([&one, &two, &one, &two]);
    let race = race.map(|(request, service)| add(service, "a", 1, request));
    for answer in futures::future::join_all(race).await {
        answer.unwrap();
    }
    assert_eq!(number(&database.pool, SUM).await, 4);
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}

#[tokio::test]
async fn of_commands_that_expect_the_same_version_one_wins() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory);
    let service = start(projections_only(), &database.pool, &log).await;
    add(&service, "a", 1, &request()).await.unwrap();
    let requests: Vec<CommandRequest> =
        (0..4).map(|_| CommandRequest { expected_version: Some(1), ..request() }).collect();
    let race = requests.iter().map(|request| add(&service, "a", 1, request));
    let answers = futures::future::join_all(race).await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let lost = answers
        .iter()
        .filter(|answer| matches!(answer, Err(CommandError::Conflict { version: 2 })))
        .count();
    assert_eq!((won, lost), (1, 3), "{answers:?}");
    assert_eq!(number(&database.pool, SUM).await, 2);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn of_claims_on_one_effect_one_owns_it() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory);
    let service = start(projections_only(), &database.pool, &log).await;
    let (stream, command) = (counter("a"), Add { amount: 1, limit: 1 });
    let at = ristoro_domain::time::Instant::UNIX_EPOCH;
    let claims = (0..4).map(|_| service.commands().claim::<Counter>(&stream, "", at, &command));
    let mut owners = 0;
    for claim in futures::future::join_all(claims).await {
        match claim {
            Ok(claimed) => owners += usize::from(claimed.owned),
            Err(CommandError::Rejected(OverLimit { total: 1 })) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(owners, 1);
    assert_eq!(number(&database.pool, SUM).await, 1);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_says_unknown_when_the_loops_stand_still() {
    let (database, memory) = (database().await, memory());
    let log = EventLog::Memory(memory.clone());
    let impatient =
        Settings { command_wait: Duration::from_millis(200), ..settings(LeaseMode::All) };
    let service = start_with(projections_only(), impatient, &database.pool, &log).await.unwrap();
    let mut holder = database.pool.begin().await.unwrap();
    sqlx::query("lock table counter_control.log_position in exclusive mode")
        .execute(&mut *holder)
        .await
        .unwrap();
    let request = request();
    let error = add(&service, "a", 1, &request).await.unwrap_err();
    assert!(matches!(error, CommandError::Unknown(_)), "{error:?}");
    holder.rollback().await.unwrap();
    // On a busy machine the loops may need more than one patience to catch up.
    let done = loop {
        match add(&service, "a", 1, &request).await {
            Err(CommandError::Unknown(_)) => {}
            other => break other.unwrap(),
        }
    };
    assert_eq!((done.state, done.version), (1, 1));
    assert_eq!(
        memory.records(Topic::Outage, counter("a").partition).len() as i64 - 1,
        number(
            &database.pool,
            "select next_offset - 1 from counter_control.log_position
            where consumer = 'journal.ristoro.outage.v1' and next_offset > 1"
        )
        .await
    );
    service.stop().await.unwrap();
}
