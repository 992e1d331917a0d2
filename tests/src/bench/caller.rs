//! What a user does to settle an outage, through the public API and the program's own verbs.

use std::path::Path;
use std::process::Stdio;

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use ristoro_proto::google::r#type::Money;
use ristoro_proto::outage::v1 as outage;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_proto::payout::v1::StopPayoutsRequest;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use tokio::process::Command;
use tonic::transport::Channel;

use crate::stack::prepare::{id, window};
use crate::stack::{Caller, Error, PEOPLE, SERVICES, Stack, binary, token};

/// The policy that is settled by.
const POLICY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/domain/policies/agcom-347-18.toml"
));
/// When each cohort was back.
const BACK: [(&str, &str); 4] = [
    ("c1", "2023-01-26T14:45:00"),
    ("c2", "2023-01-27T11:00:00"),
    ("c3", "2023-01-27T21:30:00"),
    ("c4", "2023-01-28T19:00:00"),
];

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
    pub async fn declare(&self, name: &str) -> Result<String, Error> {
        let begin = "2023-01-23T00:00:00";
        let impact = |(service, (cohort, back)): (&str, (&str, &str))| outage::ImpactInput {
            impact: format!("{service}-{cohort}"),
            service: service.to_owned(),
            component: "mailbox".to_owned(),
            severity: outage::Severity::Total.into(),
            cohort: cohort.to_owned(),
            window: Some(window(begin, back)),
        };
        let brands = ["libero-mail", "virgilio-mail"];
        let impacts = brands.into_iter().flat_map(|brand| BACK.map(|cohort| (brand, cohort)));
        let declare = outage::DeclareOutageRequest {
            request_id: id(),
            outage: name.to_owned(),
            provider: "provider".to_owned(),
            title: "Mail was down".to_owned(),
            time_zone: "Europe/Rome".to_owned(),
            declared: Some(window(begin, BACK[3].1)),
            impacts: impacts.map(impact).collect(),
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

/// Imports a file by the program's own verb.
///
/// # Errors
/// Where it fails, or refuses a row.
pub async fn import(stack: &Stack, file: &Path) -> Result<(), Error> {
    let endpoint = |name: &&str| format!("{name}={}", stack.service(name).endpoint);
    let endpoints = SERVICES.iter().map(endpoint).collect::<Vec<_>>().join(",");
    let mut command = Command::new(binary()?);
    command.args(["subscriptions", "import", "--endpoint", &endpoints, "--output", "json"]);
    command.arg(file).env("RISTORO_TOKEN", token(PEOPLE[0])).stdout(Stdio::null());
    match command.status().await?.success() {
        true => Ok(()),
        false => Err("the roster was not imported".into()),
    }
}
