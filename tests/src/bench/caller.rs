//! What a user does to settle an outage, through the public API and the program's own verbs.

use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use ristoro_proto::google::r#type::Money;
use ristoro_proto::outage::v1 as outage;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_proto::payout::v1::StopPayoutsRequest;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use serde_json::Value;
use tokio::process::Command;
use tonic::transport::Channel;

use super::cpu;
use super::roster::FEW;
use crate::stack::prepare::{id, window};
use crate::stack::{Caller, Error, PEOPLE, SERVICES, Stack, binary, token};

/// The policy that is settled by.
const POLICY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/domain/policies/agcom-347-18.toml"
));
/// How often it is looked how much memory a program holds.
const LOOK: Duration = Duration::from_millis(50);
/// When each cohort was back.
const BACK: [(&str, &str); 4] = [
    ("c1", "2023-01-26T14:45:00"),
    ("c2", "2023-01-27T11:00:00"),
    ("c3", "2023-01-27T21:30:00"),
    ("c4", "2023-01-28T19:00:00"),
];

/// Whom an outage hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hit {
    /// Everybody but those with certified mail.
    Nearly,
    /// Some hundreds of those with certified mail.
    Few,
}

impl Hit {
    /// Gives each service and cohort that was down, and until when.
    fn whom(self) -> Vec<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Nearly => {
                let brands = ["libero-mail", "virgilio-mail"].into_iter();
                brands.flat_map(|brand| BACK.map(|(cohort, back)| (brand, cohort, back))).collect()
            }
            Self::Few => vec![("pec", FEW, BACK[0].1)],
        }
    }
}

/// The people who settle, and their connections.
#[derive(Debug)]
pub struct Users {
    outage: Caller,
    ada: Caller,
    bruno: Caller,
}

impl Users {
    /// Connects, publishes the policy, and stops payouts, so that notices are queued and not sent.
    ///
    /// # Errors
    /// A refusal.
    pub async fn new(stack: &Stack) -> Result<Self, Error> {
        let [ada, bruno] = PEOPLE;
        let users = Self {
            outage: stack.caller("outage", ada).await?,
            ada: stack.caller("eligibility", ada).await?,
            bruno: stack.caller("eligibility", bruno).await?,
        };
        let publish = api::PublishPolicyRequest {
            request_id: id(),
            text: POLICY.to_owned(),
            ..api::PublishPolicyRequest::default()
        };
        let mut policies = PolicyServiceClient::new(users.ada.channel.clone());
        policies.publish_policy(users.ada.request(publish)).await?;
        let payout = stack.caller("payout", bruno).await?;
        let stop = StopPayoutsRequest {
            request_id: id(),
            note: "only what is queued is measured".to_owned(),
            ..StopPayoutsRequest::default()
        };
        let mut payouts = PayoutServiceClient::new(payout.channel.clone());
        payouts.stop_payouts(payout.request(stop)).await?;
        Ok(users)
    }

    /// Declares an outage that is over.
    ///
    /// # Errors
    /// A refusal.
    pub async fn declare(&self, name: &str, hit: Hit) -> Result<String, Error> {
        let begin = "2023-01-23T00:00:00";
        let impact = |(service, cohort, back): (&str, &str, &str)| outage::ImpactInput {
            impact: format!("{service}-{cohort}"),
            service: service.to_owned(),
            component: "mailbox".to_owned(),
            severity: outage::Severity::Total.into(),
            cohort: cohort.to_owned(),
            window: Some(window(begin, back)),
        };
        let declare = outage::DeclareOutageRequest {
            request_id: id(),
            outage: name.to_owned(),
            provider: "provider".to_owned(),
            title: "Mail was down".to_owned(),
            time_zone: "Europe/Rome".to_owned(),
            declared: Some(window(begin, BACK[3].1)),
            impacts: hit.whom().into_iter().map(impact).collect(),
            ..outage::DeclareOutageRequest::default()
        };
        let mut outages = OutageServiceClient::new(self.outage.channel.clone());
        let declared = outages.declare_outage(self.outage.request(declare)).await?.into_inner();
        Ok(declared.consistency_token)
    }

    /// Proposes to settle an outage; the simulation is within it.
    ///
    /// # Errors
    /// A refusal.
    pub async fn propose(&self, outage: &str, token: String) -> Result<api::Assessment, Error> {
        let propose = api::ProposeAssessmentRequest {
            request_id: id(),
            outage: format!("outages/{outage}"),
            policy: "policies/agcom-347-18".to_owned(),
            min_position: token,
            ..api::ProposeAssessmentRequest::default()
        };
        let answer = self.assessments().propose_assessment(self.ada.request(propose)).await?;
        answer.into_inner().assessment.ok_or_else(|| "the answer has no assessment".into())
    }

    /// Approves what was proposed.
    ///
    /// # Errors
    /// A refusal.
    pub async fn approve(&self, proposed: &api::Assessment) -> Result<(), Error> {
        let cap = Money { currency_code: "EUR".to_owned(), units: 1 << 40, ..Money::default() };
        let approve = api::ApproveAssessmentRequest {
            request_id: id(),
            name: proposed.name.clone(),
            digest: proposed.digest.clone(),
            cap: Some(cap),
            ..api::ApproveAssessmentRequest::default()
        };
        self.assessments().approve_assessment(self.bruno.request(approve)).await?;
        Ok(())
    }

    fn assessments(&self) -> AssessmentServiceClient<Channel> {
        AssessmentServiceClient::new(self.ada.channel.clone())
    }
}

/// What the program used that somebody called the services by.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Client {
    /// Its CPU-seconds.
    pub cpu: f64,
    /// The most memory that it held, in MiB, as of the last look.
    pub peak_mebibytes: u64,
    /// How long it ran.
    pub wall: Duration,
}

/// Runs one of the program's own verbs; gives what it printed, and what it used.
///
/// # Errors
/// Where it fails; with what it said.
pub async fn verb(stack: &Stack, arguments: &[&str]) -> Result<(Value, Client), Error> {
    let endpoint = |name: &&str| format!("{name}={}", stack.service(name).endpoint);
    let endpoints = SERVICES.iter().map(endpoint).collect::<Vec<_>>().join(",");
    let mut command = Command::new(binary()?);
    command.args(arguments).args(["--endpoint", &endpoints, "--output", "json"]);
    command.env("RISTORO_TOKEN", token(PEOPLE[0])).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (begun, before) = (Instant::now(), cpu::of_ended_children());
    let child = command.spawn()?;
    let process = child.id().map(|id| ("client", id)).into_iter().collect();
    let mut ended = pin!(child.wait_with_output());
    let mut peak_mebibytes = 0;
    let output = loop {
        tokio::select! {
            output = &mut ended => break output?,
            () = tokio::time::sleep(LOOK) => {
                let peaks = cpu::peaks(&process);
                peak_mebibytes = peak_mebibytes.max(peaks.get("client").copied().unwrap_or(0));
            }
        }
    };
    let (wall, cpu) = (begun.elapsed(), cpu::of_ended_children() - before);
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`ristoro {}` failed: {said}{printed}", arguments.join(" ")).into());
    }
    Ok((serde_json::from_str(&printed)?, Client { cpu, peak_mebibytes, wall }))
}
