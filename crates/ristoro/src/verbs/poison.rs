//! `ristoro poison`: records at which consumers stand still, and skipping one where two people agree.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use ristoro_proto::ops::v1 as api;
use ristoro_proto::ops::v1::poison_service_client::PoisonServiceClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::{Paging, Sending, outcome};
use crate::client::{Caller, Connection, Service};
use crate::output::{Columns, Output, line, print_list, print_one};
use crate::values;

/// Shows records at which consumers stand still, and skips one where two people agree.
#[derive(Debug, Args)]
#[command(after_help = "Examples, by two people:
  ristoro poison list
  ristoro poison skip ristoro.payout.v1/3/812 --consumers payout.ledger --reason \"written by a broken build\"
  ristoro poison skip ristoro.payout.v1/3/812 --consumers payout.ledger --reason \"written by a broken build\" --digest 9a41...

A newer program that can read the record is the better cure.")]
pub struct PoisonRecords {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the consumers that stand still; exits with 1 where there are some
    #[command(after_help = "Example: ristoro poison list")]
    List(Paging),
    /// Shows what stands still at one record
    #[command(after_help = "Example: ristoro poison show ristoro.payout.v1/3/812")]
    Show {
        /// The record, TOPIC/PARTITION/OFFSET
        position: String,
    },
    /// Proposes to skip a record, or, with the digest of another person's proposal, approves it
    #[command(
        after_help = "Example: ristoro poison skip ristoro.payout.v1/3/812 --consumers payout.ledger --reason \"written by a broken build\""
    )]
    Skip(Skip),
}

#[derive(Debug, Args)]
struct Skip {
    /// The record, TOPIC/PARTITION/OFFSET
    position: String,
    /// The consumers that shall skip it, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    consumers: Vec<String>,
    /// Why; it stands on the log
    #[arg(long)]
    reason: String,
    /// The digest of the proposal that is approved; proposes unless given
    #[arg(long, default_value = "", hide_default_value = true)]
    digest: String,
    #[command(flatten)]
    sending: Sending,
}

type Client = PoisonServiceClient<Channel>;

const COLUMNS: Columns<'static> = &[
    ("consumer", "consumer"),
    ("record", "position"),
    ("stream", "stream"),
    ("kind", "kind"),
    ("problem", "problem"),
    ("since", "stopped_at"),
    ("skip proposed by", "proposal.proposer"),
];

impl PoisonRecords {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let caller = self.connection.open().await?;
        match self.verb {
            Verb::List(paging) => {
                let found = list(&caller, paging).await?;
                if found.is_empty() && output == Output::Table {
                    line("none: no consumer stands still")?;
                } else {
                    print_list(output, &found.iter().map(value).collect::<Vec<_>>(), COLUMNS)?;
                }
                Ok(if found.is_empty() { Answer::Yes } else { Answer::No })
            }
            Verb::Show { position } => {
                let mut found = list(&caller, Paging::all()).await?;
                found.retain(|one| one.position == position);
                if found.is_empty() {
                    bail!("no consumer stands still at {position}: see `ristoro poison list`");
                }
                found.iter().try_for_each(|one| print_one(output, &value(one)))?;
                Ok(Answer::Yes)
            }
            Verb::Skip(asked) => skip(&caller, asked, output).await,
        }
    }
}

/// Asks every address; two services may name the same record.
async fn list(caller: &Caller, paging: Paging) -> Result<Vec<api::Poison>> {
    let mut found = Vec::new();
    for (_, channel) in caller.channels()? {
        let mut client = Client::new(channel);
        let fetch = async |page_size, page_token| {
            let request = api::ListPoisonRequest { page_size, page_token };
            let page = client.list_poison(caller.request(request)).await?.into_inner();
            Ok((page.poison, page.next_page_token))
        };
        found.extend(paging.read(fetch).await?);
    }
    Ok(found)
}

async fn skip(caller: &Caller, asked: Skip, output: Output) -> Result<Answer> {
    let mut client = Client::new(caller.channel(owner(&asked.consumers)?)?);
    let id = asked.sending.id();
    let request = api::SkipRecordRequest {
        request_id: id.clone(),
        validate_only: asked.sending.validate_only,
        position: asked.position,
        consumers: asked.consumers,
        reason: asked.reason,
        digest: asked.digest,
    };
    let answer = client.skip_record(caller.request(request)).await;
    let answer = outcome(answer, &id)?.into_inner();
    let said = match (asked.sending.validate_only, answer.skipped) {
        (true, _) => "it would be accepted; nothing was written",
        (false, true) => "it is skipped",
        (false, false) => "it is proposed: another person approves it by the digest",
    };
    eprintln!("{said}");
    let mut value = answer.proposal.as_ref().map_or_else(|| json!({}), proposal);
    value["skipped"] = answer.skipped.into();
    print_one(output, &value)?;
    Ok(Answer::Yes)
}

/// Gives the service that the consumers belong to: the part of their names before the point.
fn owner(consumers: &[String]) -> Result<Service> {
    let first = consumers.first().context("no consumer is named")?;
    let prefix = first.split_once('.').map_or(first.as_str(), |(service, _)| service);
    let service = Service::ALL.into_iter().find(|service| service.name() == prefix);
    service.with_context(|| {
        format!("{first} is no consumer: write such as payout.ledger, from `ristoro poison list`")
    })
}

fn value(poison: &api::Poison) -> Value {
    json!({
        "consumer": poison.consumer,
        "position": poison.position,
        "stream": poison.stream,
        "kind": poison.kind,
        "problem": poison.problem,
        "stopped_at": values::time(poison.stopped_at.as_ref()),
        "proposal": poison.proposal.as_ref().map(proposal),
    })
}

fn proposal(proposal: &api::SkipProposal) -> Value {
    json!({
        "position": proposal.position,
        "consumers": proposal.consumers,
        "reason": proposal.reason,
        "proposer": proposal.proposer,
        "digest": proposal.digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_belongs_to_the_service_before_the_point() {
        let of = |name: &str| owner(&[name.to_owned()]).map_err(|error| error.to_string());
        assert_eq!(of("payout.ledger"), Ok(Service::Payout));
        assert!(of("ledger").unwrap_err().contains("ledger is no consumer"));
    }
}
