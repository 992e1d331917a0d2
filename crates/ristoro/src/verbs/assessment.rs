//! `ristoro assessment`: simulate, propose, approve and follow.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use ristoro_domain::money::{Currency, Money};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::log::v1::Totals;
use ristoro_proto::types::{date_out, totals_in};
use ristoro_runtime::edge::money_message;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::Answer;
use crate::call::{Paging, Sending, done, name, outcome};
use crate::client::{Caller, Connection, Service, request_id};
use crate::output::{Output, print_list, print_one};
use crate::{simulation, values};

mod watch;

/// Works on assessments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro assessment simulate --outage libero-2023-01 --policies libero-2023,agcom-347-18
  ristoro assessment propose --outage libero-2023-01 --policy libero-2023
  ristoro assessment approve 0f0e... --digest 9a41... --cap 30000.00
  ristoro assessment list")]
pub struct Assessment {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists assessments
    #[command(after_help = "Example: ristoro assessment list --outage libero-2023-01")]
    List {
        /// Only those of this outage
        #[arg(long)]
        outage: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows one assessment
    #[command(after_help = "Example: ristoro assessment get 0f0e...")]
    Get {
        /// The assessment
        assessment: String,
    },
    /// Shows side by side what policies would give, and writes nothing
    #[command(after_help = "Examples:
  ristoro assessment simulate --outage libero-2023-01 --policies libero-2023,agcom-347-18
  ristoro assessment simulate --outage libero-2023-01 --policies agcom-347-18,ofcom,arera-2025 --as-if=mailbox")]
    Simulate {
        /// The outage's id
        #[arg(long)]
        outage: String,
        /// Policies by id, separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        policies: Vec<String>,
        /// Applies policies as if they had been written for this outage, and says what is assumed for that; with
        /// components, as in --as-if=mailbox, those stand for what a policy knows, and others are left out
        #[arg(long, value_name = "COMPONENTS", value_delimiter = ',', num_args = 0.., require_equals = true)]
        as_if: Option<Vec<String>>,
        #[command(flatten)]
        payment: Payment,
        /// Writes the distributions of amounts as a picture, in SVG
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Proposes an assessment
    #[command(
        after_help = "Example: ristoro assessment propose --outage libero-2023-01 --policy libero-2023"
    )]
    Propose {
        /// The outage's id
        #[arg(long)]
        outage: String,
        /// The policy's id
        #[arg(long)]
        policy: String,
        /// Subscriptions a chunk, 1 to 10000; the service's own choice unless given
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        chunk_size: Option<u32>,
        #[command(flatten)]
        payment: Payment,
    },
    /// Approves a proposal of somebody else
    #[command(
        after_help = "Example: ristoro assessment approve 0f0e... --digest 9a41... --cap 30000.00"
    )]
    Approve {
        /// The assessment
        assessment: String,
        /// The digest that was seen
        #[arg(long)]
        digest: String,
        /// The most that may be given, such as 30000.00
        #[arg(long)]
        cap: String,
        /// The cap's currency
        #[arg(long, default_value = "EUR")]
        currency: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Follows an assessment until all are decided, paid and queued; exits with 1 where it is not completed
    #[command(after_help = "Example: ristoro assessment watch 0f0e...

Paid are those whose payouts are ordered, queued those for whom a notice waits; both are released once all are decided.
Rates are those of the last five seconds, and the time left follows from them: it is unknown where nothing moved. In JSON
it is an object a second, on a line each; what has no address in --endpoint is left out.")]
    Watch {
        /// The assessment
        assessment: String,
    },
}

/// When what is owed is to be paid.
#[derive(Clone, Debug, Default, Args)]
pub struct Payment {
    /// The day to which legal interest runs, YYYY-MM-DD in the policy's zone; without it no interest is counted
    #[arg(long, value_name = "DAY")]
    payment_day: Option<Date>,
}

impl Payment {
    fn text(&self) -> String {
        date_out(self.payment_day)
    }
}

/// The assessments of a caller.
pub type Assessments = AssessmentServiceClient<Channel>;

const STATE: &str = "ASSESSMENT_STATE_";

impl Assessment {
    /// Runs the verb.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let caller = self.connection.open().await?;
        match self.verb {
            Verb::List { outage, paging } => {
                let found = list(&caller, outage.as_deref(), paging).await?;
                let columns = [
                    ("assessment", "name"),
                    ("policy", "policy"),
                    ("state", "state"),
                    ("people", "totals.entitled"),
                    ("cap", "cap"),
                    ("proposed", "proposed_at"),
                ];
                print_list(output, &found.iter().map(value).collect::<Vec<_>>(), &columns)?;
            }
            Verb::Get { assessment } => print(output, &get(&caller, &assessment).await?)?,
            Verb::Simulate { outage, policies, as_if, payment, svg } => {
                let simulated = simulate(&caller, &outage, (&policies, as_if), &payment).await?;
                if let Some(file) = svg {
                    let picture = simulation::svg(&simulated.simulations);
                    std::fs::write(&file, picture)
                        .with_context(|| format!("{} cannot be written", file.display()))?;
                }
                simulation::print(output, &simulated)?;
            }
            Verb::Propose { outage, policy, chunk_size, payment } => {
                let proposed = propose(&caller, (&outage, &policy), chunk_size, &payment).await?;
                print(output, &proposed)?;
            }
            Verb::Approve { assessment, digest, cap, currency, sending } => {
                let currency: Currency = currency.parse()?;
                let id = sending.id();
                let request = api::ApproveAssessmentRequest {
                    request_id: id.clone(),
                    validate_only: sending.validate_only,
                    name: name("assessments", &assessment),
                    digest,
                    cap: Some(money_message(Money::parse(&cap, currency)?)),
                    ..api::ApproveAssessmentRequest::default()
                };
                let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
                let answer = client.approve_assessment(caller.request(request)).await;
                let answer = outcome(answer, &id)?.into_inner();
                done(&sending, "it is approved and being decided");
                answer.assessment.map_or(Ok(()), |assessment| print(output, &assessment))?;
            }
            Verb::Watch { assessment } => {
                return watch::run(&caller, &name("assessments", &assessment), output).await;
            }
        }
        Ok(Answer::Yes)
    }
}

async fn list(
    caller: &Caller,
    outage: Option<&str>,
    paging: Paging,
) -> Result<Vec<api::Assessment>> {
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let outage = outage.map(|outage| name("outages", outage)).unwrap_or_default();
    let fetch = async |page_size, page_token| {
        let request = api::ListAssessmentsRequest {
            page_size,
            page_token,
            outage: outage.clone(),
            ..api::ListAssessmentsRequest::default()
        };
        let page = client.list_assessments(caller.request(request)).await?.into_inner();
        Ok((page.assessments, page.next_page_token))
    };
    paging.read(fetch).await
}

async fn get(caller: &Caller, assessment: &str) -> Result<api::Assessment> {
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let name = name("assessments", assessment);
    let request = api::GetAssessmentRequest { name, min_position: String::new() };
    let answer = client.get_assessment(caller.request(request)).await?.into_inner();
    answer.assessment.context("the answer has no assessment")
}

/// Prints one assessment; its totals on one line in a table.
fn print(output: Output, assessment: &api::Assessment) -> Result<()> {
    let mut value = value(assessment);
    if output == Output::Table {
        value["totals"] = totals_text(assessment.totals.as_ref()).into();
    }
    print_one(output, &value)
}

fn value(assessment: &api::Assessment) -> Value {
    let pins = assessment.pins.clone().unwrap_or_default();
    let carried_from = pins.leftovers.unwrap_or_default().from_assessment;
    json!({
        "name": assessment.name,
        "outage": assessment.outage,
        "policy": assessment.policy,
        "state": values::word(assessment.state().as_str_name(), STATE),
        "etag": assessment.etag,
        "totals": values::totals(assessment.totals.as_ref()),
        "digest": assessment.digest,
        "decided": assessment.decided,
        "proposed_by": assessment.proposed_by,
        "approved_by": values::optional(&assessment.approved_by),
        "cap": values::money(assessment.cap.as_ref()),
        "note": values::optional(&assessment.note),
        "proposed_at": values::time(assessment.proposed_at.as_ref()),
        "payment_day": values::optional(&pins.payment_day),
        "carried_from": values::optional(&carried_from),
        "after_assessments": assessment.after_assessments,
    })
}

/// Asks what policies would give; as if they had been written for this outage where `as_if` names what stands for the
/// components that they know, or nothing for all of it.
pub async fn simulate(
    caller: &Caller,
    outage: &str,
    (policies, as_if): (&[String], Option<Vec<String>>),
    payment: &Payment,
) -> Result<api::SimulateAssessmentResponse, tonic::Status> {
    let request = api::SimulateAssessmentRequest {
        outage: format!("outages/{outage}"),
        policies: policies.iter().map(|policy| format!("policies/{policy}")).collect(),
        as_if: as_if.map(|components| api::AsIf { components }),
        payment_day: payment.text(),
        ..api::SimulateAssessmentRequest::default()
    };
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let answer = client.simulate_assessment(caller.request(request)).await?;
    Ok(answer.into_inner())
}

/// Proposes an assessment.
pub async fn propose(
    caller: &Caller,
    (outage, policy): (&str, &str),
    chunk_size: Option<u32>,
    payment: &Payment,
) -> Result<api::Assessment, tonic::Status> {
    let request = api::ProposeAssessmentRequest {
        request_id: request_id(),
        // Zero is the service's choice.
        chunk_size: chunk_size.unwrap_or_default(),
        outage: format!("outages/{outage}"),
        policy: format!("policies/{policy}"),
        payment_day: payment.text(),
        ..api::ProposeAssessmentRequest::default()
    };
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let answer = client.propose_assessment(caller.request(request)).await?.into_inner();
    answer.assessment.ok_or_else(|| tonic::Status::internal("the answer has no assessment"))
}

/// Follows an assessment until everybody is decided.
pub async fn until_decided(
    caller: &Caller,
    name: &str,
    progress: impl Fn(u64, u64),
) -> Result<api::Assessment> {
    let request = api::WatchAssessmentRequest { name: name.to_owned() };
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let mut updates = client.watch_assessment(caller.request(request)).await?.into_inner();
    let mut last = None;
    while let Some(update) = updates.message().await? {
        if let Some(assessment) = update.assessment {
            progress(assessment.decided, update.total);
            last = Some(assessment);
        }
    }
    last.ok_or_else(|| anyhow::anyhow!("the watch ended without an answer"))
}

/// Writes totals on one line.
pub fn totals_text(totals: Option<&Totals>) -> String {
    let Some(totals) = totals.and_then(|totals| totals_in(totals).ok()) else {
        return "no totals".to_owned();
    };
    let mut text = format!("{} of {} people", totals.entitled, totals.count);
    for (key, sum) in &totals.grants {
        let what = match key.currency {
            Some(currency) => Money::new(sum.minor, currency).to_string(),
            None => key.grant.to_owned(),
        };
        text.push_str(&format!("; {} {what} to {}", key.kind.name(), sum.count));
    }
    text
}
