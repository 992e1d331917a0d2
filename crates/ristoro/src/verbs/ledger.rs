//! `ristoro ledger`: balances, postings, and whether the control accounts agree with the payouts.

use anyhow::Result;
use clap::{Args, Subcommand};
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::ledger_service_client::LedgerServiceClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::{Paging, name};
use crate::client::{Caller, Connection, Service};
use crate::output::{Columns, Output, line, print_list, print_one, print_table};
use crate::values;

/// Shows and checks the general ledger.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro ledger check
  ristoro ledger balance payable-transfer
  ristoro ledger postings --account compensation-expense --limit 20")]
pub struct Ledger {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Compares the control accounts with what was ordered, paid and given; exits with 1 where they differ
    #[command(after_help = "Example: ristoro ledger check")]
    Check,
    /// Shows the balance of one account, or of all
    #[command(after_help = "Example: ristoro ledger balance payable-transfer")]
    Balance {
        /// The account, such as payable-transfer; all unless given
        account: Option<String>,
    },
    /// Lists postings by partition, in the order of the log
    #[command(
        after_help = "Example: ristoro ledger postings --account compensation-expense --limit 20"
    )]
    Postings {
        /// Only those of this account
        #[arg(long, default_value = "", hide_default_value = true)]
        account: String,
        /// Only those of this assessment
        #[arg(long)]
        assessment: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
}

type Client = LedgerServiceClient<Channel>;

const BALANCES: Columns<'static> = &[
    ("account", "account"),
    ("debit", "debit"),
    ("credit", "credit"),
    ("debit less credit", "balance"),
];
const DIFFERENCES: Columns<'static> = &[
    ("what differs", "subject"),
    ("account", "account"),
    ("ledger", "ledger"),
    ("payouts", "payouts"),
];
const POSTINGS: Columns<'static> = &[
    ("position", "position"),
    ("account", "account"),
    ("debit", "debit"),
    ("credit", "credit"),
    ("reason", "reason"),
    ("assessment", "assessment"),
    ("payment file", "payment_file"),
];

impl Ledger {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let caller = self.connection.open().await?;
        let mut client = Client::new(caller.channel(Service::Payout)?);
        match self.verb {
            Verb::Check => return check(&caller, &mut client, output).await,
            Verb::Balance { account } => {
                let balances = balances(&caller, &mut client, account).await?;
                print_list(output, &balances, BALANCES)?;
            }
            Verb::Postings { account, assessment, paging } => {
                let assessment = assessment.map(|id| name("assessments", &id)).unwrap_or_default();
                let fetch = async |page_size, page_token| {
                    let request = api::ListPostingsRequest {
                        account: account.clone(),
                        assessment: assessment.clone(),
                        page_size,
                        page_token,
                        min_position: String::new(),
                    };
                    let page = client.list_postings(caller.request(request)).await?.into_inner();
                    Ok((page.postings, page.next_page_token))
                };
                let postings = paging.read(fetch).await?;
                print_list(output, &postings.iter().map(posting).collect::<Vec<_>>(), POSTINGS)?;
            }
        }
        Ok(Answer::Yes)
    }
}

async fn check(caller: &Caller, client: &mut Client, output: Output) -> Result<Answer> {
    let request = api::GetTrialBalanceRequest { check: true, min_position: String::new() };
    let answer = client.get_trial_balance(caller.request(request)).await?.into_inner();
    let balances: Vec<Value> = answer.balances.iter().map(balance).collect();
    let differences: Vec<Value> = answer.differences.iter().map(difference).collect();
    let agrees = differences.is_empty();
    if output == Output::Table {
        print_table(&balances, BALANCES)?;
        let compared = answer.compared;
        if agrees {
            line(&format!(
                "\nThe ledger agrees with the payouts: {compared} chunks, files and outcomes compared."
            ))?;
        } else {
            line(&format!(
                "\nThe ledger differs from the payouts in {} of {compared}:\n",
                differences.len()
            ))?;
            print_table(&differences, DIFFERENCES)?;
        }
    } else {
        let value = json!({
            "agrees": agrees, "compared": answer.compared, "differences": differences, "balances": balances,
        });
        print_one(output, &value)?;
    }
    Ok(if agrees { Answer::Yes } else { Answer::No })
}

async fn balances(
    caller: &Caller,
    client: &mut Client,
    account: Option<String>,
) -> Result<Vec<Value>> {
    let min_position = String::new();
    let balances = match account {
        Some(account) => {
            let request = api::GetBalanceRequest { account, min_position };
            client.get_balance(caller.request(request)).await?.into_inner().balances
        }
        None => {
            let request = api::GetTrialBalanceRequest { check: false, min_position };
            client.get_trial_balance(caller.request(request)).await?.into_inner().balances
        }
    };
    Ok(balances.iter().map(balance).collect())
}

fn balance(balance: &api::Balance) -> Value {
    json!({
        "account": balance.account,
        "debit": values::money(balance.debit.as_ref()),
        "credit": values::money(balance.credit.as_ref()),
        "balance": values::difference(balance.debit.as_ref(), balance.credit.as_ref()),
    })
}

fn difference(difference: &api::LedgerDifference) -> Value {
    json!({
        "subject": difference.subject,
        "account": values::optional(&difference.account),
        "ledger": values::money(difference.ledger.as_ref()),
        "payouts": values::money(difference.payouts.as_ref()),
    })
}

fn posting(posting: &api::Posting) -> Value {
    json!({
        "position": posting.position,
        "account": posting.account,
        "debit": values::money(posting.debit.as_ref()),
        "credit": values::money(posting.credit.as_ref()),
        "reason": posting.reason,
        "assessment": values::optional(&posting.assessment),
        "chunk": posting.chunk,
        "payment_file": values::optional(&posting.payment_file),
        "occurred_at": values::time(posting.occurred_at.as_ref()),
    })
}
