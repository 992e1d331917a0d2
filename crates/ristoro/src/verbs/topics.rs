//! `ristoro topics`: what is there of a log, what is missing, and making it.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ristoro_log::{EventLog, LogConfig, LogError, PlannedTopic, TopicPlan};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Answer;
use crate::output::{Columns, Output, line, print_list, print_one};
use crate::verbs::log::{LogPlace, unreachable};

/// Plans and makes the log's topics.
#[derive(Debug, Args)]
pub struct Topics {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what is there and what would be made; exits with 1 where there is something to do
    #[command(after_help = "Example:
  ristoro topics plan --log kafka://broker:9092 --partitions 8")]
    Plan(Wanted),
    /// Makes what is missing; changes nothing that is there
    #[command(after_help = "Example:
  ristoro topics apply --log kafka://broker:9092 --partitions 8")]
    Apply(Wanted),
}

#[derive(Debug, Args)]
struct Wanted {
    #[command(flatten)]
    place: LogPlace,
    /// How many partitions each topic gets, 1 to 256; a log that is there keeps its own [default: 8]
    #[arg(long, env = "RISTORO_PARTITIONS", value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: Option<u32>,
}

const COLUMNS: Columns<'static> =
    &[("topic", "topic"), ("partitions", "partitions"), ("to do", "to_do")];

/// How many partitions a new log gets, as in a service's settings.
const PARTITIONS: u32 = 8;

impl Topics {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        match self.verb {
            Verb::Plan(wanted) => wanted.plan(output).await,
            Verb::Apply(wanted) => wanted.apply(output).await,
        }
    }
}

impl Wanted {
    async fn plan(self, output: Output) -> Result<Answer> {
        let address = self.place.address()?;
        let plan = found(&address).await?;
        let partitions = self.partitions_for(&plan);
        print(output, &address, &plan, partitions)?;
        Ok(if is_done(&plan, partitions) { Answer::Yes } else { Answer::No })
    }

    async fn apply(self, output: Output) -> Result<Answer> {
        let address = self.place.address()?;
        let before = found(&address).await?;
        let partitions = self.partitions_for(&before);
        match EventLog::create(&address, Uuid::new_v4(), partitions).await {
            Ok(_) => {}
            // What is made in one transaction is never half there: somebody removed it.
            Err(error @ LogError::Missing { .. }) => {
                let advice = "a part of this log was removed, which nothing can make again: restore it from a backup";
                return Err(unreachable(&address, error)).context(advice);
            }
            Err(error) => return Err(unreachable(&address, error)),
        }
        let after = found(&address).await?;
        print(output, &address, &after, partitions)?;
        Ok(if is_done(&after, partitions) { Answer::Yes } else { Answer::No })
    }

    /// Takes the wish, or what the log has, or the default.
    fn partitions_for(&self, plan: &TopicPlan) -> u32 {
        let there = plan.topics.iter().map(|topic| topic.partition_count).find(|count| *count > 0);
        self.partitions.or(there).unwrap_or(PARTITIONS)
    }
}

fn print(output: Output, address: &LogConfig, plan: &TopicPlan, partitions: u32) -> Result<()> {
    let value = |topic: &PlannedTopic| -> Value {
        json!({
            "topic": topic.topic.name(), "partitions": topic.partition_count,
            "to_do": to_do(topic, plan, address, partitions),
        })
    };
    let topics: Vec<Value> = plan.topics.iter().map(value).collect();
    match output {
        Output::Json => {
            let done = is_done(plan, partitions);
            print_one(output, &json!({"log": plan.log_id, "done": done, "topics": topics}))
        }
        Output::Ndjson => print_list(output, &topics, COLUMNS),
        Output::Table => {
            print_list(output, &topics, COLUMNS)?;
            let log =
                plan.log_id.map_or_else(|| "none yet".to_owned(), |log_id| log_id.to_string());
            line(&format!("{address}: log {log}"))
        }
    }
}

async fn found(address: &LogConfig) -> Result<TopicPlan> {
    EventLog::plan(address).await.map_err(|error| unreachable(address, error))
}

fn is_done(plan: &TopicPlan, partitions: u32) -> bool {
    plan.is_complete() && plan.conflicts(partitions).next().is_none()
}

/// Says what is to be done about a topic; by `apply`, unless the line says by whom.
fn to_do(topic: &PlannedTopic, plan: &TopicPlan, address: &LogConfig, wanted: u32) -> Vec<String> {
    let mut lines = Vec::new();
    match (topic.partition_count, topic.without_genesis) {
        (0, _) => {
            lines.push(format!("make it with {wanted} partitions"));
            if plan.log_id.is_some() {
                lines.push("the log is there without it: if it held records, they are lost".to_owned());
            }
        }
        (count, _) if count != wanted => lines.push(format!(
            "it has {count} partitions and not {wanted}, which nothing can change: ask for {count}, or use another log"
        )),
        (_, 0) => {}
        (_, empty) => lines.push(format!("write the first record of {empty} partitions")),
    }
    for setting in &topic.wrong_settings {
        let (name, wanted) = (setting.split('=').next(), setting.rsplit(", not ").next());
        let set = format!("{}={}", name.unwrap_or_default(), wanted.unwrap_or_default());
        lines.push(match address {
            LogConfig::Kafka { bootstrap } => format!(
                "{setting}: records could be lost. By hand: kafka-configs.sh --bootstrap-server {bootstrap} --alter \
                 --entity-type topics --entity-name {} --add-config {set}",
                topic.topic
            ),
            LogConfig::Memory | LogConfig::Postgres { .. } => setting.clone(),
        });
    }
    lines
}
