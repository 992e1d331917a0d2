//! `log tail`: what is shown of records, and that nothing of their contents is.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use ristoro_local::Postgres;
use serde_json::Value;

use crate::support::{SECRET, command, postgres, record, ristoro, signal, small_log, until};

async fn log(postgres: &Postgres) -> (String, ristoro_log::EventLog) {
    let address = postgres.create_database("log").await.unwrap();
    let log = small_log(&address).await;
    (address, log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_shown_with_what_they_are_worth_and_never_with_what_is_in_them() {
    let postgres = postgres().await;
    let (address, log) = log(&postgres).await;
    let shown = ristoro(&["log", "tail", "--log", &address]).says(0, &[]);
    let rows = shown.json();
    let verdicts: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["accepted", "accepted", "duplicate", "accepted", "conflict"]);
    let first = &rows[0];
    assert_eq!(first["position"], "ristoro.subscriber.v1/1/1");
    assert_eq!((&first["stream"], &first["version"]), (&"subscriber/a".into(), &1.into()));
    assert_eq!((&first["type"], &first["actor"]), (&"ContactSet".into(), &"ada".into()));
    assert_eq!(first["cause"], "command:00000000-0000-0000-0000-0000000003e9");
    assert_eq!(first["occurred_at"], "2023-01-23T18:53:20Z");
    assert_eq!(first["payload_bytes"], SECRET.len());
    for form in ["table", "json", "ndjson"] {
        let shown = ristoro(&["log", "tail", "--log", &address, "--from", "0", "--output", form]);
        let shown = shown.says(0, &["subscriber/a", &log.log_id().to_string()]);
        assert!(!shown.out.contains("Rossi"), "{}", shown.out);
    }
    // The verdict is that of the whole history, wherever the lines begin.
    let arguments =
        ["--topic", "subscriber", "--partition", "1", "--from", "3", "--output", "ndjson"];
    let late =
        ristoro(&[&["log", "tail", "--log", &address][..], &arguments].concat()).says(0, &[]);
    let late: Vec<Value> =
        late.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<&Value> = late.iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["duplicate", "accepted", "conflict"]);
    let wrong = ristoro(&["log", "tail", "--log", &address, "--topic", "subscribers"]);
    wrong.says(2, &["write one of signal, outage, subscriber"]);
    let wrong = ristoro(&["log", "tail", "--log", &address, "--partition", "2"]);
    wrong.says(2, &["there is no partition 2: this log has 0 to 1"]);
    let wrong = ristoro(&["log", "tail", "--log", &address, "--follow", "--output", "json"]);
    wrong.says(2, &["--output ndjson"]);
    ristoro(&["log", "tail"]).says(78, &["no log is named", "RISTORO_LOG"]);
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_followed_until_a_signal() {
    let postgres = postgres().await;
    let (address, log) = log(&postgres).await;
    let mut tail = command(&["log", "tail", "--log", &address, "--follow"]);
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let lines = Arc::new(Mutex::new(Vec::<String>::new()));
    let (output, seen) = (tail.stdout.take().unwrap(), Arc::clone(&lines));
    let reading = std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            seen.lock().unwrap().push(line.unwrap());
        }
    });
    let count = || lines.lock().unwrap().len();
    until("the records that were there", || count() == 5);
    log.append(&[record("subscriber/a", 4, SECRET)]).await.unwrap();
    until("the record that came", || count() == 6);
    let last = lines.lock().unwrap().last().cloned().unwrap();
    assert!(last.contains("\"verdict\":\"accepted\"") && last.contains("/1/6\""), "{last}");
    signal(tail.id(), "TERM");
    assert_eq!(tail.wait().unwrap().code(), Some(0));
    reading.join().unwrap();
    postgres.stop().await.unwrap();
}
