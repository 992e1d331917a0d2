//! `ristoro log verify`: every record judged once more.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use ristoro_log::verify::{Alarm, TopicCounts, Verification, verify};
use ristoro_log::{EventLog, LogError};
use serde_json::{Value, json};

use super::copy::records;
use super::place::{LogPlace, unreachable};
use super::unless_stopped;
use crate::Answer;
use crate::output::{Columns, Output, line, print_list, print_one, print_table};
use crate::progress::Progress;

const COLUMNS: Columns<'static> = &[
    ("topic", "topic"),
    ("accepted", "accepted"),
    ("duplicate", "duplicate"),
    ("conflict", "conflict"),
    ("gap", "gap"),
    ("repeated command", "repeated_command"),
    ("no envelope", "undecodable"),
    ("first records", "genesis"),
];

/// Checks a log.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    place: LogPlace,
}

impl Verify {
    /// Reads all that is on the log now.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let address = self.place.address()?;
        let verified = unless_stopped(async {
            let read = async {
                let log = EventLog::open(&address).await?;
                Ok((log.log_id(), everything(&log).await?))
            };
            match read.await {
                Ok(verified) => Ok(Ok(verified)),
                Err(error @ (LogError::Foreign(_) | LogError::Missing { .. })) => Ok(Err(error)),
                Err(error) => Err(unreachable(&address, error)),
            }
        });
        let Some(verified) = verified.await? else {
            eprintln!("stopped before the end: nothing is known of the rest");
            return Ok(Answer::No);
        };
        let (log_id, verification) = match verified {
            Ok(verified) => verified,
            Err(damage) => {
                eprintln!("{address} is damaged: {damage}");
                return Ok(Answer::No);
            }
        };
        let good = is_good(&verification);
        let topics = topic_values(&verification);
        let alarms: Vec<Value> = verification.alarms.iter().map(alarm_value).collect();
        match output {
            Output::Table => {
                print_table(&topics, COLUMNS)?;
                for alarm in &verification.alarms {
                    line(&format!("wrong: {}", told(alarm)))?;
                }
                line(&format!("log {log_id}: {}", summary(&verification)))?;
            }
            Output::Json => {
                let value =
                    json!({"log": log_id, "good": good, "topics": topics, "alarms": alarms});
                print_one(output, &value)?;
            }
            Output::Ndjson => print_list(output, &[topics, alarms].concat(), COLUMNS)?,
        }
        Ok(if good { Answer::Yes } else { Answer::No })
    }
}

async fn everything(log: &EventLog) -> Result<Verification, LogError> {
    let (progress, total) = (Progress::new("records verified"), records(log).await?);
    let mut reached = BTreeMap::new();
    let verified = verify(log, |next, _| {
        reached.insert((next.topic, next.partition), next.offset);
        progress.at(reached.values().sum(), total);
    });
    verified.await
}

fn is_good(verification: &Verification) -> bool {
    let undecodable: u64 = verification.topics.values().map(|counts| counts.undecodable).sum();
    verification.alarms.is_empty() && undecodable == 0
}

fn summary(verification: &Verification) -> String {
    let sum = |of: fn(&TopicCounts) -> u64| verification.topics.values().map(of).sum::<u64>();
    let void = sum(|one| one.duplicate + one.conflict + one.gap + one.repeated_command);
    let (accepted, undecodable) = (sum(|one| one.accepted), sum(|one| one.undecodable));
    let verdict = if is_good(verification) { "nothing is wrong" } else { "something is wrong" };
    let alarms = verification.alarms.len();
    format!(
        "{accepted} records count, {void} are void, {undecodable} are no envelopes, {alarms} alarms: {verdict}"
    )
}

fn topic_values(verification: &Verification) -> Vec<Value> {
    let value = |(topic, counts): (&ristoro_log::Topic, &TopicCounts)| {
        json!({
            "topic": topic.name(), "accepted": counts.accepted, "duplicate": counts.duplicate,
            "conflict": counts.conflict, "gap": counts.gap, "repeated_command": counts.repeated_command,
            "undecodable": counts.undecodable, "genesis": counts.genesis,
        })
    };
    verification.topics.iter().map(value).collect()
}

fn told(alarm: &Alarm) -> String {
    match alarm {
        Alarm::DuplicateDiffers { duplicate, accepted } => format!(
            "{duplicate} repeats {accepted} with another content: its writer does not decide by the log alone"
        ),
        Alarm::FoldsDisagree { position, shared, here } => {
            format!(
                "{position} is {shared:?} for all readers and {here:?} by its history: a fault of this program"
            )
        }
    }
}

fn alarm_value(alarm: &Alarm) -> Value {
    match alarm {
        Alarm::DuplicateDiffers { duplicate, accepted } => json!({
            "alarm": "duplicate_differs", "position": duplicate.to_string(), "accepted": accepted.to_string(),
            "told": told(alarm),
        }),
        Alarm::FoldsDisagree { position, .. } => json!({
            "alarm": "folds_disagree", "position": position.to_string(), "told": told(alarm),
        }),
    }
}
