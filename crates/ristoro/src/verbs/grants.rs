//! `ristoro grants`: what provisioning makes, lent line by line, and what became of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::grant_service_client::GrantServiceClient;
use serde::Deserialize;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::name;
use crate::client::{Caller, Connection, Service};
use crate::output::{Output, line, print_list, print_one};
use crate::values;

/// Lends grants to provisioning, and takes what became of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro grants pull --assessment 0f0e... > grants.ndjson
  ristoro grants report --assessment 0f0e... grants.ndjson

A report's lines are those of a pull: {\"payout\": ...}, with {\"failure\": \"why\"} where a grant could not be made.")]
pub struct Grants {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Writes grants that nobody has, one JSON object a line, until there are no more
    #[command(after_help = "Example: ristoro grants pull --assessment 0f0e... > grants.ndjson")]
    Pull {
        /// The assessment
        #[arg(long)]
        assessment: String,
        /// Grants at most; the last chunk is lent whole
        #[arg(long, default_value_t = 10_000, value_name = "COUNT")]
        max: u32,
        /// How long they are lent; what is not reported until then is lent again under the same key
        #[arg(long, default_value_t = 600, value_name = "SECONDS")]
        lease_seconds: u32,
    },
    /// Reports which grants were made, and which could not be
    #[command(after_help = "Example: ristoro grants report --assessment 0f0e... grants.ndjson")]
    Report {
        /// The assessment
        #[arg(long)]
        assessment: String,
        /// A file of one JSON object a line; stdin unless given
        input: Option<PathBuf>,
    },
}

type Client = GrantServiceClient<Channel>;

/// Outcomes of one call.
const OUTCOMES_A_CALL: usize = 5_000;

/// A line of a report; what else a pulled line holds is not looked at.
#[derive(Deserialize)]
struct Outcome {
    payout: String,
    #[serde(default)]
    failure: Option<String>,
}

impl Grants {
    /// Runs the verb; pulled grants are lines unless another form is wished.
    pub async fn run(self, wish: Option<Output>) -> Result<Answer> {
        let caller = self.connection.open().await?;
        let mut client = Client::new(caller.channel(Service::Payout)?);
        match self.verb {
            Verb::Pull { assessment, max, lease_seconds } => {
                let parent = name("assessments", &assessment);
                let request = api::PullGrantsRequest { parent, max_grants: max, lease_seconds };
                pull(&caller, &mut client, request, wish.unwrap_or(Output::Ndjson)).await?;
            }
            Verb::Report { assessment, input } => {
                let outcomes = read(input.as_deref())?;
                let parent = name("assessments", &assessment);
                let output = Output::or_default(wish);
                report(&caller, &mut client, parent, outcomes, output).await?;
            }
        }
        Ok(Answer::Yes)
    }
}

async fn pull(
    caller: &Caller,
    client: &mut Client,
    request: api::PullGrantsRequest,
    output: Output,
) -> Result<()> {
    let mut leases = client.pull_grants(caller.request(request)).await?.into_inner();
    let (mut found, mut count) = (Vec::new(), 0);
    while let Some(lease) = leases.message().await? {
        let expires_at = values::time(lease.expires_at.as_ref());
        count += lease.grants.len();
        found.extend(lease.grants.iter().map(|grant| value(grant, &lease.lease, &expires_at)));
        if output == Output::Ndjson {
            found.drain(..).try_for_each(|grant: Value| line(&grant.to_string()))?;
        }
    }
    eprintln!("{count} grants are lent");
    if output == Output::Ndjson {
        return Ok(());
    }
    let columns =
        [("payout", "payout"), ("gives", "remedy"), ("lent until", "expires_at"), ("key", "key")];
    print_list(output, &found, &columns)
}

fn value(grant: &api::Grant, lease: &str, expires_at: &Value) -> Value {
    json!({
        "key": grant.key,
        "payout": grant.payout,
        "subscription": grant.subscription,
        "remedy": values::remedy(grant.remedy.as_ref()),
        "lease": lease,
        "expires_at": expires_at,
    })
}

/// Reads outcomes: one for each payout, since its grants are made together or fail together.
fn read(input: Option<&Path>) -> Result<Vec<api::GrantOutcome>> {
    match input {
        None => outcomes("stdin", stdin().lock()),
        Some(path) => {
            let shown = path.display().to_string();
            let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
            outcomes(&shown, BufReader::new(file))
        }
    }
}

fn outcomes(shown: &str, lines: impl BufRead) -> Result<Vec<api::GrantOutcome>> {
    let mut found = BTreeMap::<String, String>::new();
    for (place, text) in lines.lines().enumerate() {
        let text = text.with_context(|| format!("{shown} cannot be read"))?;
        if text.trim().is_empty() {
            continue;
        }
        let outcome: Outcome = serde_json::from_str(&text).with_context(|| {
            format!("{shown}:{}: this is no {{\"payout\": ..., \"failure\": ...}}", place + 1)
        })?;
        let failure = found.entry(outcome.payout).or_default();
        if failure.is_empty() {
            *failure = outcome.failure.unwrap_or_default();
        }
    }
    Ok(found.into_iter().map(|(payout, failure)| api::GrantOutcome { payout, failure }).collect())
}

async fn report(
    caller: &Caller,
    client: &mut Client,
    parent: String,
    outcomes: Vec<api::GrantOutcome>,
    output: Output,
) -> Result<()> {
    let (mut delivered, mut failed) = (0, 0);
    for part in outcomes.chunks(OUTCOMES_A_CALL) {
        let (parent, outcomes) = (parent.clone(), part.to_vec());
        let request = api::ReportGrantOutcomesRequest { parent, outcomes };
        let answer = client.report_grant_outcomes(caller.request(request)).await?.into_inner();
        delivered += answer.delivered;
        failed += answer.failed;
    }
    let value =
        json!({"reported": outcomes.len(), "newly_delivered": delivered, "newly_failed": failed});
    print_one(output, &value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_fails_as_a_whole_and_is_reported_once() {
        let text = "{\"payout\": \"p/2\", \"key\": \"k\"}\n\n{\"payout\": \"p/1\"}\n\
                    {\"payout\": \"p/2\", \"failure\": \"no such mailbox\"}\n{\"payout\": \"p/2\"}\n";
        let found = outcomes("grants.ndjson", text.as_bytes()).expect("the lines are right");
        let found: Vec<_> =
            found.iter().map(|one| (one.payout.as_str(), one.failure.as_str())).collect();
        assert_eq!(found, [("p/1", ""), ("p/2", "no such mailbox")]);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let problem =
            outcomes("grants.ndjson", "{\"payout\": \"p\"}\nno\n".as_bytes()).unwrap_err();
        assert!(format!("{problem:#}").starts_with("grants.ndjson:2: this is no "), "{problem:#}");
    }
}
