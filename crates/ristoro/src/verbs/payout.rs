//! `ristoro payout`: the service; and how far each payout is, and what people do to it.

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use ristoro_proto::types::kind_in;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::{Paging, Sending, done, name, outcome};
use crate::client::{Caller, Connection, Service};
use crate::output::{Columns, Output, line, print_list, print_one, print_table};
use crate::values;
use crate::verbs::service::{Run, payout};

/// Runs the service, or shows, holds, retries and stops payouts.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a verb it runs the service: ristoro payout --config FILE
Example: ristoro payout list --assessment 0f0e... --state released")]
pub struct Payout {
    #[command(flatten)]
    run: Run,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the payouts of an assessment, a line for each thing that is given
    #[command(
        after_help = "Example: ristoro payout list --assessment 0f0e... --channel transfer --state released"
    )]
    List {
        /// The assessment; `ristoro assessment list` names them
        #[arg(long)]
        assessment: String,
        /// Only those on this channel
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(channels()))]
        channel: Option<String>,
        /// Only those in this state
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(states()))]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows one payout
    #[command(after_help = "Example: ristoro payout get assessments/0f0e.../payouts/lm-17")]
    Get {
        /// assessments/ASSESSMENT/payouts/SUBSCRIPTION
        name: String,
    },
    /// Holds back what one subscription gets, until it is released
    #[command(
        after_help = "Example: ristoro payout hold assessments/0f0e.../payouts/lm-17 --note \"under review\""
    )]
    Hold(Noted),
    /// Lets a held payout go on
    #[command(
        after_help = "Example: ristoro payout release assessments/0f0e.../payouts/lm-17 --note \"the account is right\""
    )]
    Release(Noted),
    /// Tries a rejected or returned transfer or a failed grant again
    #[command(after_help = "Example: ristoro payout retry assessments/0f0e.../payouts/lm-17")]
    Retry {
        /// assessments/ASSESSMENT/payouts/SUBSCRIPTION
        name: String,
        /// The etag that was seen: refused if something happened since
        #[arg(long, default_value = "", hide_default_value = true)]
        etag: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Stops everything that moves money or grants
    #[command(after_help = "Example: ristoro payout stop --note \"a wrong file is at the bank\"")]
    Stop(Switch),
    /// Lets money and grants move again
    #[command(after_help = "Example: ristoro payout resume --note \"settled with the bank\"")]
    Resume(Switch),
    /// Gives the invoice credits of an assessment to invoicing, each once
    #[command(
        after_help = "Example: ristoro payout export-credits --assessment 0f0e... --output ndjson > credits.ndjson"
    )]
    ExportCredits {
        /// The assessment
        #[arg(long)]
        assessment: String,
        /// Credits at most; the last chunk is given whole
        #[arg(long, default_value_t = 100_000)]
        max: u32,
        #[command(flatten)]
        sending: Sending,
    },
}

/// A payout, and why something is done to it.
#[derive(Debug, Args)]
struct Noted {
    /// assessments/ASSESSMENT/payouts/SUBSCRIPTION
    name: String,
    /// Why; it stands on the log
    #[arg(long)]
    note: String,
    /// The etag that was seen: refused if something happened since
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    #[command(flatten)]
    sending: Sending,
}

/// Why all payouts are stopped or go on.
#[derive(Debug, Args)]
struct Switch {
    /// Why; it stands on the log
    #[arg(long)]
    note: String,
    #[command(flatten)]
    sending: Sending,
}

const STATE: &str = "PAYOUT_STATE_";
const CHANNEL: &str = "CHANNEL_";

const COLUMNS: Columns<'static> = &[
    ("payout", "name"),
    ("gets", "gets"),
    ("channel", "channel"),
    ("state", "state"),
    ("attempt", "attempt"),
    ("payment file", "payment_file"),
];

fn states() -> Vec<&'static str> {
    values::words(STATE, |number| Some(api::PayoutState::try_from(number).ok()?.as_str_name()))
}

fn channels() -> Vec<&'static str> {
    values::words(CHANNEL, |number| Some(api::Channel::try_from(number).ok()?.as_str_name()))
}

type Client = PayoutServiceClient<Channel>;

impl Payout {
    /// Runs the service, or the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let Some(verb) = self.verb else { return self.run.run(payout).await };
        let caller = self.connection.open().await?;
        let mut client = Client::new(caller.channel(Service::Payout)?);
        match verb {
            Verb::List { assessment, channel, state, paging } => {
                let mut request = api::ListPayoutsRequest {
                    parent: name("assessments", &assessment),
                    ..api::ListPayoutsRequest::default()
                };
                let state = state.map(|word| values::named(STATE, &word));
                let channel = channel.map(|word| values::named(CHANNEL, &word));
                request.state = state
                    .and_then(|name| api::PayoutState::from_str_name(&name))
                    .unwrap_or_default()
                    .into();
                request.channel = channel
                    .and_then(|name| api::Channel::from_str_name(&name))
                    .unwrap_or_default()
                    .into();
                let payouts = list(&caller, &mut client, request, paging).await?;
                print_payouts(output, &payouts)?;
            }
            Verb::Get { name } => {
                let request = api::GetPayoutRequest { name, min_position: String::new() };
                let answer = client.get_payout(caller.request(request)).await?.into_inner();
                print_payout(output, answer.payout.as_ref())?;
            }
            Verb::Hold(asked) => hold(&caller, &mut client, asked, output).await?,
            Verb::Release(asked) => release(&caller, &mut client, asked, output).await?,
            Verb::Retry { name, etag, sending } => {
                let (request_id, validate_only) = (sending.id(), sending.validate_only);
                let request = api::RetryPayoutRequest {
                    request_id: request_id.clone(),
                    validate_only,
                    name,
                    etag,
                };
                let answer = client.retry_payout(caller.request(request)).await;
                let answer = outcome(answer, &request_id)?.into_inner();
                done(&sending, "it is tried again");
                print_payout(output, answer.payout.as_ref())?;
            }
            Verb::Stop(asked) => stop(&caller, &mut client, asked).await?,
            Verb::Resume(asked) => resume(&caller, &mut client, asked).await?,
            Verb::ExportCredits { assessment, max, sending } => {
                export(&caller, &mut client, (&assessment, max), &sending.id(), output).await?;
            }
        }
        Ok(Answer::Yes)
    }
}

async fn list(
    caller: &Caller,
    client: &mut Client,
    request: api::ListPayoutsRequest,
    paging: Paging,
) -> Result<Vec<api::Payout>> {
    let fetch = async |page_size, page_token| {
        let request = api::ListPayoutsRequest { page_size, page_token, ..request.clone() };
        let page = client.list_payouts(caller.request(request)).await?.into_inner();
        Ok((page.payouts, page.next_page_token))
    };
    paging.read(fetch).await
}

async fn hold(caller: &Caller, client: &mut Client, asked: Noted, output: Output) -> Result<()> {
    let Noted { name, note, etag, sending } = asked;
    let (request_id, validate_only) = (sending.id(), sending.validate_only);
    let request =
        api::HoldPayoutRequest { request_id: request_id.clone(), validate_only, name, note, etag };
    let answer = client.hold_payout(caller.request(request)).await;
    let answer = outcome(answer, &request_id)?.into_inner();
    done(&sending, "it is held");
    print_payout(output, answer.payout.as_ref())
}

async fn release(caller: &Caller, client: &mut Client, asked: Noted, output: Output) -> Result<()> {
    let Noted { name, note, etag, sending } = asked;
    let (request_id, validate_only) = (sending.id(), sending.validate_only);
    let request = api::ReleasePayoutRequest {
        request_id: request_id.clone(),
        validate_only,
        name,
        note,
        etag,
    };
    let answer = client.release_payout(caller.request(request)).await;
    let answer = outcome(answer, &request_id)?.into_inner();
    done(&sending, "it goes on");
    print_payout(output, answer.payout.as_ref())
}

async fn stop(caller: &Caller, client: &mut Client, asked: Switch) -> Result<()> {
    let Switch { note, sending } = asked;
    let (request_id, validate_only) = (sending.id(), sending.validate_only);
    let request = api::StopPayoutsRequest { request_id: request_id.clone(), validate_only, note };
    outcome(client.stop_payouts(caller.request(request)).await, &request_id)?;
    done(&sending, "payouts are stopped");
    Ok(())
}

async fn resume(caller: &Caller, client: &mut Client, asked: Switch) -> Result<()> {
    let Switch { note, sending } = asked;
    let (request_id, validate_only) = (sending.id(), sending.validate_only);
    let request = api::ResumePayoutsRequest { request_id: request_id.clone(), validate_only, note };
    outcome(client.resume_payouts(caller.request(request)).await, &request_id)?;
    done(&sending, "payouts go on");
    Ok(())
}

/// Prints credits as they come; a call that is cut off goes on under the same request id.
async fn export(
    caller: &Caller,
    client: &mut Client,
    (assessment, max_credits): (&str, u32),
    request_id: &str,
    output: Output,
) -> Result<()> {
    let request = api::ExportInvoiceCreditsRequest {
        request_id: request_id.to_owned(),
        parent: name("assessments", assessment),
        max_credits,
    };
    let chunks = client.export_invoice_credits(caller.request(request)).await;
    let mut chunks = outcome(chunks, request_id)?.into_inner();
    let mut credits = Vec::new();
    while let Some(chunk) = outcome(chunks.message().await, request_id)? {
        credits.extend(chunk.credits.iter().map(credit_value));
        if output == Output::Ndjson {
            credits.drain(..).try_for_each(|credit: Value| line(&credit.to_string()))?;
        }
    }
    if output == Output::Ndjson {
        return Ok(());
    }
    print_list(
        output,
        &credits,
        &[("payout", "payout"), ("kind", "kind"), ("amount", "amount"), ("key", "key")],
    )
}

fn credit_value(credit: &api::InvoiceCredit) -> Value {
    json!({
        "key": credit.key,
        "payout": credit.payout,
        "subscription": credit.subscription,
        "kind": kind_in(credit.kind).ok().map(|kind| kind.name()),
        "amount": values::money(credit.amount.as_ref()),
    })
}

fn payout_value(payout: &api::Payout) -> Value {
    json!({
        "name": payout.name,
        "subscription": payout.subscription,
        "lines": payout.lines.iter().map(line_value).collect::<Vec<_>>(),
        "held": payout.held,
        "hold_note": values::optional(&payout.hold_note),
        "attempt": payout.attempt,
        "payment_file": values::optional(&payout.payment_file),
        "reason_code": values::optional(&payout.reason_code),
        "etag": payout.etag,
        "ordered_at": values::time(payout.ordered_at.as_ref()),
    })
}

fn line_value(line: &api::PayoutLine) -> Value {
    json!({
        "remedy": values::remedy(line.remedy.as_ref()),
        "channel": values::word(line.channel().as_str_name(), CHANNEL),
        "state": values::word(line.state().as_str_name(), STATE),
        "amount": values::money(line.amount.as_ref()),
    })
}

/// Gives a row for each line of a payout.
fn rows(payout: &api::Payout) -> impl Iterator<Item = Value> {
    payout.lines.iter().map(|line| {
        let mut row = line_value(line);
        row["name"] = payout.name.as_str().into();
        row["gets"] = values::remedy_text(line.remedy.as_ref()).into();
        row["attempt"] = payout.attempt.into();
        row["payment_file"] = values::optional(&payout.payment_file);
        row
    })
}

fn print_payouts(output: Output, payouts: &[api::Payout]) -> Result<()> {
    if output == Output::Table {
        return print_table(&payouts.iter().flat_map(rows).collect::<Vec<_>>(), COLUMNS);
    }
    print_list(output, &payouts.iter().map(payout_value).collect::<Vec<_>>(), COLUMNS)
}

fn print_payout(output: Output, payout: Option<&api::Payout>) -> Result<()> {
    let Some(payout) = payout else { return Ok(()) };
    let mut value = payout_value(payout);
    if output == Output::Table {
        let gets = |line: &api::PayoutLine| {
            let (channel, state) = (line.channel().as_str_name(), line.state().as_str_name());
            let (channel, state) = (values::word(channel, CHANNEL), values::word(state, STATE));
            format!("{} ({channel}, {state})", values::remedy_text(line.remedy.as_ref()))
        };
        value["lines"] = payout.lines.iter().map(gets).collect();
    }
    print_one(output, &value)
}
