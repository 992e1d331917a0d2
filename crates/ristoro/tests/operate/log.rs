//! `log copy` and `log verify`.

use ristoro_log::{EventLog, Limits, LogConfig, Position, Topic};

use crate::support::{kafka, postgres, record, ristoro, small_log};

async fn open(address: &str) -> EventLog {
    EventLog::open(&address.parse::<LogConfig>().unwrap()).await.unwrap()
}

/// Reads every record of a log, first records included.
async fn all_of(log: &EventLog) -> Vec<(Position, Vec<u8>)> {
    let mut all = Vec::new();
    for topic in Topic::ALL {
        for (partition, end) in (0..).zip(log.end_offsets(topic).await.unwrap()) {
            let mut next = Position { topic, partition, offset: 0 };
            let mut reader = log.reader(&[next]).await.unwrap();
            while next.offset < end {
                for record in reader.poll(Limits::default()).await.unwrap() {
                    next.offset = record.position.offset + 1;
                    all.push((record.position, record.value.to_vec()));
                }
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_goes_from_postgres_to_kafka_with_every_offset_and_back() {
    let (postgres, kafka) = (postgres().await, kafka(&[]).await);
    let from = postgres.create_database("log").await.unwrap();
    let source = small_log(&from).await;
    let to = format!("kafka://{}", kafka.bootstrap());
    let back = postgres.create_database("back").await.unwrap();

    let copied = ristoro(&["log", "copy", "--from", &from, "--to", &to]).says(0, &[]).json();
    assert_eq!((&copied["records"], &copied["were_there"]), (&25.into(), &0.into()));
    assert_eq!(copied["log"], source.log_id().to_string());
    assert_eq!(all_of(&open(&to).await).await, all_of(&source).await);

    let again = ristoro(&["log", "copy", "--from", &from, "--to", &to]).says(0, &[]).json();
    assert_eq!((&again["copied_now"], &again["were_there"]), (&0.into(), &25.into()));
    ristoro(&["log", "copy", "--from", &to, "--to", &back]).says(0, &[]);
    assert_eq!(all_of(&open(&back).await).await, all_of(&source).await);

    // What an interrupted copy leaves: the last partition is not whole, so nobody opens it.
    let cut = "DELETE FROM ristoro_log.record WHERE topic = 10;
               UPDATE ristoro_log.partition SET next_offset = 0 WHERE topic = 10";
    postgres.execute("back", cut).await.unwrap();
    ristoro(&["log", "verify", "--log", &back]).says(1, &["is damaged: ristoro.ops.v1/0"]);
    let resumed = ristoro(&["log", "copy", "--from", &to, "--to", &back]).says(0, &[]).json();
    assert_eq!((&resumed["copied_now"], &resumed["were_there"]), (&2.into(), &23.into()));
    assert_eq!(all_of(&open(&back).await).await, all_of(&source).await);
    kafka.stop().await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_refuses_what_is_no_beginning_of_it() {
    let postgres = postgres().await;
    let from = postgres.create_database("one").await.unwrap();
    let other = postgres.create_database("two").await.unwrap();
    small_log(&from).await;
    let foreign = small_log(&other).await;
    let said = ristoro(&["log", "copy", "--from", &from, "--to", &other]);
    let expected = format!("it is log {}", foreign.log_id());
    let said = said.says(1, &["the target is not empty", &expected, "choose an empty one"]);
    assert!(!said.err.contains("ristoro:ristoro@"), "{}", said.err);
    ristoro(&["log", "copy", "--from", &from, "--to", &from]).says(2, &["name the same log"]);
    ristoro(&["log", "copy", "--from", &from, "--to", "here"])
        .says(78, &["--to: the log's address has to be"]);
    ristoro(&["log", "copy", "--from", "memory:", "--to", &from])
        .says(78, &["--from: memory: is empty"]);
    let nobody = "postgres://me:s3cret@127.0.0.1:1/log";
    let said = ristoro(&["log", "copy", "--from", nobody, "--to", &other]);
    let said =
        said.says(69, &["no log answers at postgres://127.0.0.1:1/log", "Connection refused"]);
    assert!(!said.err.contains("s3cret"), "{}", said.err);
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_verified_record_by_record() {
    let postgres = postgres().await;
    let address = postgres.create_database("log").await.unwrap();
    let log = small_log(&address).await;
    let verify = || ristoro(&["log", "verify", "--log", &address]);

    let found = verify().says(0, &[]).json();
    assert_eq!((&found["good"], &found["log"]), (&true.into(), &log.log_id().to_string().into()));
    let subscriber = &found["topics"][2];
    let counts =
        ["accepted", "duplicate", "conflict", "gap", "repeated_command", "undecodable", "genesis"]
            .map(|key| subscriber[key].as_u64().unwrap());
    assert_eq!(counts, [3, 1, 1, 0, 0, 0, 2], "{subscriber}");
    let table = ristoro(&["log", "verify", "--log", &address, "--output", "table"]);
    table.says(0, &["3 records count, 2 are void, 0 are no envelopes, 0 alarms: nothing is wrong"]);

    log.append(&[record("subscriber/a", 3, "something else")]).await.unwrap();
    let altered = verify().says(1, &[]).json();
    assert_eq!(altered["alarms"][0]["position"], "ristoro.subscriber.v1/1/6", "{altered}");
    assert_eq!(altered["alarms"][0]["accepted"], "ristoro.subscriber.v1/1/4", "{altered}");

    let garbage = "INSERT INTO ristoro_log.record VALUES (9, 0, 1, 'no envelope');
                   UPDATE ristoro_log.partition SET next_offset = 2 WHERE topic = 9 AND partition = 0";
    postgres.execute("log", garbage).await.unwrap();
    assert_eq!(verify().says(1, &[]).json()["topics"][8]["undecodable"], 1);

    let hole =
        "DELETE FROM ristoro_log.record WHERE topic = 3 AND partition = 1 AND \"offset\" = 2";
    postgres.execute("log", hole).await.unwrap();
    verify().says(1, &["is damaged", "ristoro.subscriber.v1/1/2"]);
    postgres.stop().await.unwrap();
    verify().says(69, &["no log answers at postgres://127.0.0.1", "Connection refused"]);
}
