//! `ristoro notice`: what people are told, how far each notice is, and what people do to it.

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use ristoro_proto::notifier::v1 as api;
use ristoro_proto::notifier::v1::notice_service_client::NoticeServiceClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::{Paging, Sending, done, name, outcome};
use crate::client::{Caller, Connection, Service};
use crate::output::{Columns, Output, line, print_list, print_one};
use crate::values;

/// Shows notices, sends them again, and keeps people from being written to.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro notice list --assessment 0f0e... --state unknown
  ristoro notice preview assessments/0f0e.../notices/lm-17 --language de
  ristoro notice retry assessments/0f0e.../notices/lm-17
  ristoro notice suppress p-17 --note \"asked not to be written to\"")]
pub struct Notices {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the notices of an assessment
    #[command(after_help = "Example: ristoro notice list --assessment 0f0e... --state unknown")]
    List {
        /// The assessment; `ristoro assessment list` names them
        #[arg(long)]
        assessment: String,
        /// Only those in this state
        #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(states()))]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows how far one notice is
    #[command(after_help = "Example: ristoro notice get assessments/0f0e.../notices/lm-17")]
    Get {
        /// assessments/ASSESSMENT/notices/SUBSCRIPTION
        name: String,
    },
    /// Shows what a notice says, without sending it
    #[command(
        after_help = "Example: ristoro notice preview assessments/0f0e.../notices/lm-17 --language de"
    )]
    Preview {
        /// assessments/ASSESSMENT/notices/SUBSCRIPTION
        name: String,
        /// The language: it, en or de; the reader's own unless given
        #[arg(long, default_value = "", hide_default_value = true)]
        language: String,
    },
    /// Sends a notice again that did not arrive, or of which nobody knows
    #[command(after_help = "Example: ristoro notice retry assessments/0f0e.../notices/lm-17")]
    Retry {
        /// assessments/ASSESSMENT/notices/SUBSCRIPTION
        name: String,
        /// The attempt that did not arrive, as it was seen: refused if another was made since; the last unless given
        #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "ATTEMPT")]
        of_attempt: u32,
        #[command(flatten)]
        sending: Sending,
    },
    /// States that a notice came back
    #[command(
        after_help = "Example: ristoro notice bounce assessments/0f0e.../notices/lm-17 --status-code 5.1.1"
    )]
    Bounce {
        /// assessments/ASSESSMENT/notices/SUBSCRIPTION
        name: String,
        /// The enhanced status code, such as 5.1.1
        #[arg(long)]
        status_code: String,
        /// The attempt that came back; the last unless given
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        attempt: u32,
        #[command(flatten)]
        sending: Sending,
    },
    /// States that nobody is to write to a subscriber any more; that is final
    #[command(
        after_help = "Example: ristoro notice suppress p-17 --note \"asked not to be written to\""
    )]
    Suppress {
        /// The subscriber
        subscriber: String,
        /// Why; it stands on the log
        #[arg(long)]
        note: String,
        #[command(flatten)]
        sending: Sending,
    },
}

type Client = NoticeServiceClient<Channel>;

const STATE: &str = "NOTICE_STATE_";

const COLUMNS: Columns<'static> = &[
    ("notice", "name"),
    ("state", "state"),
    ("attempt", "attempt"),
    ("tells of", "remedies"),
    ("mailbox restored", "mailbox_restored_at"),
    ("reference", "reference"),
];

fn states() -> Vec<&'static str> {
    values::words(STATE, |number| Some(api::NoticeState::try_from(number).ok()?.as_str_name()))
}

impl Notices {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let caller = self.connection.open().await?;
        let mut client = Client::new(caller.channel(Service::Notifier)?);
        match self.verb {
            Verb::List { assessment, state, paging } => {
                let parent = name("assessments", &assessment);
                let state = state.map(|word| values::named(STATE, &word));
                let state = state.and_then(|name| api::NoticeState::from_str_name(&name));
                let notices = list(&caller, &mut client, parent, state, paging).await?;
                let notices: Vec<_> = notices.iter().map(|one| shown(output, one)).collect();
                print_list(output, &notices, COLUMNS)?;
            }
            Verb::Get { name } => {
                let request = api::GetNoticeRequest { name, min_position: String::new() };
                let answer = client.get_notice(caller.request(request)).await?.into_inner();
                print_notice(output, answer.notice.as_ref())?;
            }
            Verb::Preview { name, language } => {
                let request =
                    api::PreviewNoticeRequest { name, language, min_position: String::new() };
                let answer = client.preview_notice(caller.request(request)).await?.into_inner();
                preview(output, &answer)?;
            }
            Verb::Retry { name, of_attempt, sending } => {
                let (request_id, validate_only) = (sending.id(), sending.validate_only);
                let id = request_id.clone();
                let request =
                    api::RetryNoticeRequest { request_id, validate_only, name, of_attempt };
                let answer = client.retry_notice(caller.request(request)).await;
                let answer = outcome(answer, &id)?.into_inner();
                done(&sending, "it is sent again");
                print_notice(output, answer.notice.as_ref())?;
            }
            Verb::Bounce { name, status_code, attempt, sending } => {
                let (request_id, validate_only) = (sending.id(), sending.validate_only);
                let id = request_id.clone();
                let request = api::ReportBounceRequest {
                    request_id,
                    validate_only,
                    name,
                    attempt,
                    status_code,
                };
                let answer = client.report_bounce(caller.request(request)).await;
                let answer = outcome(answer, &id)?.into_inner();
                done(&sending, "it is marked as come back");
                print_notice(output, answer.notice.as_ref())?;
            }
            Verb::Suppress { subscriber, note, sending } => {
                let (request_id, validate_only) = (sending.id(), sending.validate_only);
                let (id, name) = (request_id.clone(), name("subscribers", &subscriber));
                let request =
                    api::SuppressRecipientRequest { request_id, validate_only, name, note };
                outcome(client.suppress_recipient(caller.request(request)).await, &id)?;
                done(&sending, "nobody writes to the subscriber any more");
            }
        }
        Ok(Answer::Yes)
    }
}

async fn list(
    caller: &Caller,
    client: &mut Client,
    parent: String,
    state: Option<api::NoticeState>,
    paging: Paging,
) -> Result<Vec<api::Notice>> {
    let fetch = async |page_size, page_token| {
        let request = api::ListNoticesRequest {
            parent: parent.clone(),
            state: state.unwrap_or_default().into(),
            page_size,
            page_token,
            min_position: String::new(),
        };
        let page = client.list_notices(caller.request(request)).await?.into_inner();
        Ok((page.notices, page.next_page_token))
    };
    paging.read(fetch).await
}

/// Prints a message as its reader would see it, or its parts.
fn preview(output: Output, answer: &api::PreviewNoticeResponse) -> Result<()> {
    if output == Output::Table {
        if !answer.has_address {
            eprintln!("there is no address that it would go to");
        }
        return line(&format!("{}\n\n{}", answer.subject, answer.body.trim_end()));
    }
    let value = json!({
        "subject": answer.subject,
        "body": answer.body,
        "language": answer.language,
        "has_address": answer.has_address,
    });
    print_one(output, &value)
}

fn print_notice(output: Output, notice: Option<&api::Notice>) -> Result<()> {
    notice.map_or(Ok(()), |notice| print_one(output, &shown(output, notice)))
}

/// A notice's JSON; in a table its remedies in words.
fn shown(output: Output, notice: &api::Notice) -> Value {
    let mut value = value(notice);
    if output == Output::Table {
        let words = notice.remedies.iter().map(|remedy| values::remedy_text(Some(remedy)));
        value["remedies"] = words.collect();
    }
    value
}

fn value(notice: &api::Notice) -> Value {
    let remedies = notice.remedies.iter().map(|remedy| values::remedy(Some(remedy)));
    json!({
        "name": notice.name,
        "subscription": notice.subscription,
        "state": values::word(notice.state().as_str_name(), STATE),
        "attempt": notice.attempt,
        "remedies": remedies.collect::<Vec<_>>(),
        "mailbox_restored_at": values::time(notice.mailbox_restored_at.as_ref()),
        "status_code": values::optional(&notice.status_code),
        "queued_at_position": notice.queued_at_position,
        "reference": notice.reference,
    })
}
