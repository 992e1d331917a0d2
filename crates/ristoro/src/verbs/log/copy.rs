//! `ristoro log copy`: the whole log to another place.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use clap::Args;
use ristoro_log::copy::{CopyError, CopyProgress, copy};
use ristoro_log::{EventLog, LogError, Topic};
use serde_json::json;

use super::place::{OperateError, address, unreachable};
use super::unless_stopped;
use crate::Answer;
use crate::output::{Output, line, print_one};
use crate::progress::Progress;

/// Copies a log.
#[derive(Debug, Args)]
pub struct Copy {
    /// The log to copy: kafka://HOST:PORT or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, value_name = "LOG")]
    from: String,
    /// Where to: an empty place, or the beginning of this very copy
    #[arg(long, value_name = "LOG")]
    to: String,
}

/// What was there before, and what is there now.
#[derive(Default)]
struct Count {
    there: u64,
    reached: BTreeMap<(Topic, u32), u64>,
}

impl Count {
    fn take(&mut self, step: CopyProgress) -> u64 {
        let partition = (step.next.topic, step.next.partition);
        if self.reached.insert(partition, step.next.offset).is_none() {
            self.there += step.next.offset;
        }
        self.reached.values().sum()
    }
}

impl Copy {
    /// Copies, or goes on with a copy.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let (from, to) = (address("--from", &self.from)?, address("--to", &self.to)?);
        if from == to {
            let problem = "--from and --to name the same log: choose another place to copy to";
            return Err(OperateError::Usage(problem.to_owned()).into());
        }
        let mut count = Count::default();
        let work = async {
            let source = EventLog::open(&from).await.map_err(|error| unreachable(&from, error))?;
            let total = records(&source).await.map_err(|error| unreachable(&from, error))?;
            let progress = Progress::new("records copied");
            let copied = copy(&source, &to, |step| progress.at(count.take(step), total)).await;
            drop(progress);
            copied.map_err(|error| match error {
                CopyError::Source(error) => unreachable(&from, error).context("--from"),
                CopyError::Target(error) => unreachable(&to, error).context("--to"),
                CopyError::NotEmpty(_) => anyhow!("{to}: {error}"),
                CopyError::SourceMoved(_) => anyhow!("{from}: {error}"),
            })
        };
        let Some(copied) = unless_stopped(work).await? else {
            eprintln!("stopped: what was copied stays, and the same command goes on from there");
            return Ok(Answer::No);
        };
        let records: u64 = count.reached.values().sum();
        let value = json!({
            "log": copied.log_id(), "from": from.to_string(), "to": to.to_string(),
            "partitions": copied.partition_count(), "records": records,
            "copied_now": records - count.there, "were_there": count.there,
        });
        print_one(output, &value)?;
        if output == Output::Table {
            line("Set `log` to the copy in every service, and start them again.")?;
        }
        Ok(Answer::Yes)
    }
}

/// Gives how many records a log has.
pub async fn records(log: &EventLog) -> Result<u64, LogError> {
    let mut total = 0;
    for topic in Topic::ALL {
        total += log.end_offsets(topic).await?.into_iter().sum::<u64>();
    }
    Ok(total)
}
