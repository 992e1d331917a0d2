//! What these tests share: the binary, servers, and a small log whose records are known.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use ristoro_local::{Kafka, KafkaOptions, Postgres, PostgresOptions, cache_directory};
use ristoro_log::{Cause, Envelope, EventLog, LogConfig, NewRecord, Topic};
use serde_json::Value;
use uuid::Uuid;

/// Something that must never leave a payload.
pub const SECRET: &str = "Maria Rossi, Via Roma 1";
/// Partitions of a topic in these tests.
pub const PARTITIONS: u32 = 2;

/// How a call of the binary ended.
pub struct Ended {
    /// The exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it said.
    pub err: String,
}

/// Makes a call that sees no variables of ours but those that the test gives.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ristoro"));
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RISTORO_") && name != "RISTORO_CACHE" {
            command.env_remove(name);
        }
    }
    command
}

/// Calls the binary.
pub fn ristoro(arguments: &[&str]) -> Ended {
    command(arguments).output().expect("the binary was built for this test").into()
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the binary writes text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ended {
    /// Checks the exit code, and that each part is somewhere in what was written.
    pub fn says(self, code: i32, parts: &[&str]) -> Self {
        let all = format!("{}\n{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{all}");
        for part in parts {
            assert!(all.contains(part), "{part:?} is not in\n{all}");
        }
        self
    }

    /// Reads the result.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|problem| panic!("{problem}: {}", self.out))
    }
}

/// Gives the project's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder that is gone when the test is over.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// Makes a folder; it is open to all, since a Postgres that refuses root lives in it.
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("ristoro-operate-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).expect("a fresh name");
        Self(path)
    }

    /// Writes a file, and gives its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        path.display().to_string()
    }

    /// Gives the path of something in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("the folder is there until now");
    }
}

/// Starts a Postgres.
pub async fn postgres() -> Postgres {
    Postgres::start(PostgresOptions::throw_away(cache_directory())).await.expect("it starts")
}

/// Starts a Kafka, with further settings.
pub async fn kafka(settings: &[(&str, &str)]) -> Kafka {
    let mut options = KafkaOptions::throw_away(cache_directory());
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    options.settings = settings.iter().map(own).collect();
    Kafka::start(options).await.expect("it starts")
}

/// Makes a record of a stream whose every event has its version as its id.
pub fn record(stream: &str, version: u64, payload: &str) -> NewRecord {
    let event = |version: u64| Uuid::from_u128(u128::from(version));
    let command = Uuid::from_u128(1_000 + u128::from(version));
    let envelope = Envelope {
        event_id: event(version),
        stream: stream.to_owned(),
        version,
        previous: event(version - 1),
        kind: "ContactSet".to_owned(),
        occurred_at: ristoro_domain::time::Instant::new(1_674_500_000, 0).expect("in 2023"),
        cause: Cause::Command(command),
        command_id: Some(command),
        actor: "ada".to_owned(),
        traceparent: String::new(),
        payload: payload.as_bytes().to_vec().into(),
    };
    NewRecord { topic: Topic::Subscriber, partition: 1, envelope }
}

/// Creates a log with three records that count, a duplicate and a conflict.
pub async fn small_log(url: &str) -> EventLog {
    let config: LogConfig = url.parse().expect("an address");
    let log = EventLog::create(&config, Uuid::new_v4(), PARTITIONS).await.expect("a new log");
    let mut rival = record("subscriber/a", 3, SECRET);
    rival.envelope.event_id = Uuid::from_u128(77);
    let records = [
        record("subscriber/a", 1, SECRET),
        record("subscriber/a", 2, SECRET),
        record("subscriber/a", 2, SECRET),
        record("subscriber/a", 3, SECRET),
        rival,
    ];
    log.append(&records).await.expect("it takes them");
    log
}

/// Waits until something is so, at most three minutes: machines are busy at times.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(180), "{what}: not within three minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends a signal to a process of ours.
pub fn signal(process: u32, name: &str) {
    let mut kill = Command::new("kill");
    let sent = kill.args(["-s", name, &process.to_string()]).status();
    assert!(sent.expect("every system has `kill`").success());
}
