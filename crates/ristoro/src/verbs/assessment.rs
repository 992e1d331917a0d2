//! `ristoro assessment`: simulate, propose, approve and follow.

use anyhow::Result;
use clap::{Args, Subcommand};
use ristoro_domain::money::{Currency, Money};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::log::v1::Totals;
use ristoro_proto::types::totals_in;
use ristoro_runtime::edge::money_message;
use tonic::transport::Channel;

use crate::Answer;
use crate::client::{Caller, Connection, Service, request_id};
use crate::output::table;

/// Works on assessments.
#[derive(Debug, Args)]
pub struct Assessment {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows side by side what policies would give, and writes nothing
    Simulate {
        /// The outage's id
        #[arg(long)]
        outage: String,
        /// Policies by id, separated by commas
        #[arg(long, value_delimiter = ',', required = true)]
        policies: Vec<String>,
    },
    /// Proposes an assessment
    Propose {
        /// The outage's id
        #[arg(long)]
        outage: String,
        /// The policy's id
        #[arg(long)]
        policy: String,
    },
    /// Approves a proposal of somebody else
    Approve {
        /// The assessment's id
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
    },
    /// Follows an assessment until it ends
    Watch {
        /// The assessment's id
        assessment: String,
    },
}

/// The assessments of a caller.
pub type Assessments = AssessmentServiceClient<Channel>;

impl Assessment {
    /// Runs the verb.
    pub async fn run(self) -> Result<Answer> {
        let caller = self.connection.open().await?;
        let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
        match self.verb {
            Verb::Simulate { outage, policies } => {
                print_simulations(&simulate(&caller, &outage, &policies).await?);
            }
            Verb::Propose { outage, policy } => {
                let proposed = propose(&caller, &outage, &policy).await?;
                println!("{} with digest {}", proposed.name, proposed.digest);
                println!("{}", totals_text(proposed.totals.as_ref()));
            }
            Verb::Approve { assessment, digest, cap, currency } => {
                let currency: Currency = currency.parse()?;
                let request = api::ApproveAssessmentRequest {
                    request_id: request_id(),
                    name: format!("assessments/{assessment}"),
                    digest,
                    cap: Some(money_message(Money::parse(&cap, currency)?)),
                    ..api::ApproveAssessmentRequest::default()
                };
                client.approve_assessment(caller.request(request)).await?;
                println!("assessments/{assessment} is approved and being decided");
            }
            Verb::Watch { assessment } => {
                let name = format!("assessments/{assessment}");
                let progress = |decided, total| eprintln!("{decided} of {total} decided");
                let ended = watch(&caller, &name, progress).await?;
                let completed = api::AssessmentState::Completed;
                println!("{}", ended.state().as_str_name());
                return Ok(if ended.state() == completed { Answer::Yes } else { Answer::No });
            }
        }
        Ok(Answer::Yes)
    }
}

/// Asks what policies would give.
pub async fn simulate(
    caller: &Caller,
    outage: &str,
    policies: &[String],
) -> Result<Vec<api::Simulation>, tonic::Status> {
    let request = api::SimulateAssessmentRequest {
        outage: format!("outages/{outage}"),
        policies: policies.iter().map(|policy| format!("policies/{policy}")).collect(),
        ..api::SimulateAssessmentRequest::default()
    };
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let answer = client.simulate_assessment(caller.request(request)).await?;
    Ok(answer.into_inner().simulations)
}

/// Proposes an assessment.
pub async fn propose(
    caller: &Caller,
    outage: &str,
    policy: &str,
) -> Result<api::Assessment, tonic::Status> {
    let request = api::ProposeAssessmentRequest {
        request_id: request_id(),
        outage: format!("outages/{outage}"),
        policy: format!("policies/{policy}"),
        ..api::ProposeAssessmentRequest::default()
    };
    let mut client = Assessments::new(caller.channel(Service::Eligibility)?);
    let answer = client.propose_assessment(caller.request(request)).await?.into_inner();
    answer.assessment.ok_or_else(|| tonic::Status::internal("the answer has no assessment"))
}

/// Follows an assessment to its end.
pub async fn watch(
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

/// Prints simulations side by side: totals, people by plan, and the distribution of amounts.
pub fn print_simulations(simulations: &[api::Simulation]) {
    for simulation in simulations {
        println!("{}\n  {}", simulation.policy, totals_text(simulation.totals.as_ref()));
        let mut groups = table(&["by", "group", "gives"]);
        for group in &simulation.groups {
            let totals = totals_text(group.totals.as_ref());
            groups.add_row([group.dimension.as_str(), group.value.as_str(), totals.as_str()]);
        }
        println!("{groups}");
        let most = simulation.amounts.iter().map(|bucket| bucket.count).max().unwrap_or(1);
        for bucket in &simulation.amounts {
            let amount = ristoro_runtime::edge::money("amount", bucket.amount.as_ref());
            let amount = amount.map_or_else(|_| String::new(), |money| money.to_string());
            let bar = usize::try_from(bucket.count * 40 / most).unwrap_or(40).max(1);
            println!("  {amount:>14}  {:<40}  {} people", "#".repeat(bar), bucket.count);
        }
        for zero in &simulation.zeros {
            println!("  nothing because of {}: {} people", zero.reason, zero.count);
        }
        println!();
    }
}
