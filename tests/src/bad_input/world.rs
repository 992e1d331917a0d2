//! What bad input is sent to: a system that knows a little, so that there is something to get wrong.

use std::process::{Output, Stdio};

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;
use ristoro_proto::google::r#type::Money;
use ristoro_proto::outage::v1 as outage;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_runtime::edge::timestamp;
use tokio::process::Command;
use tonic::transport::Channel;

use super::{Outcome, Refused};
use crate::stack::prepare::{self, import_and_publish};
pub use crate::stack::prepare::{POLICY, id};
use crate::stack::{Caller, Error, FEED, PEOPLE, Stack, binary, token};

/// The request id that the known outage was declared under.
pub const DECLARED_UNDER: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";

/// A system with an outage that goes on, `outages/known`, one that is over, `outages/over`, and a proposal to settle it.
pub struct World {
    /// The system.
    pub stack: Stack,
    /// May do everything; calls the outage service.
    pub outage: Caller,
    /// The same person; calls the eligibility service.
    pub ada: Caller,
    /// Another person.
    pub bruno: Caller,
    /// May only submit signals.
    pub feed: Caller,
    /// What ada proposed.
    pub proposal: api::Assessment,
}

/// Writes a local time.
#[expect(clippy::unnecessary_wraps, reason = "fields of messages are optional")]
pub fn at(text: &str) -> Option<outage::PointInTime> {
    Some(prepare::at(text))
}

/// Writes a window; an empty end leaves it open.
#[expect(clippy::unnecessary_wraps, reason = "fields of messages are optional")]
pub fn window(from: &str, to: &str) -> Option<outage::WindowInput> {
    Some(prepare::window(from, to))
}

/// Writes the declaration of an outage of the mailbox from this time on.
pub fn declaration(name: &str, from: &str, to: &str) -> outage::DeclareOutageRequest {
    let impact = outage::ImpactInput {
        impact: "mailbox".to_owned(),
        component: "mailbox".to_owned(),
        severity: outage::Severity::Total.into(),
        window: window(from, to),
        ..outage::ImpactInput::default()
    };
    outage::DeclareOutageRequest {
        request_id: id(),
        outage: name.to_owned(),
        provider: "provider".to_owned(),
        title: "Mail is down".to_owned(),
        time_zone: "Europe/Rome".to_owned(),
        declared: window(from, to),
        impacts: vec![impact],
        ..outage::DeclareOutageRequest::default()
    }
}

/// Writes a row that can be taken.
pub fn row() -> api::SubscriptionRow {
    api::SubscriptionRow {
        row: 2,
        subscription_id: "mailbox-1".to_owned(),
        subscriber_id: "person-1".to_owned(),
        service: "libero-mail".to_owned(),
        plan: "free".to_owned(),
        segment: api::Segment::Consumer.into(),
        class: api::Class::Free.into(),
        valid_from: "2022-01-01T00:00:00Z".parse().ok().map(timestamp),
        ..api::SubscriptionRow::default()
    }
}

impl World {
    /// Lets a system know these things.
    ///
    /// # Errors
    /// Where it refuses what is right.
    pub async fn new(stack: Stack) -> Result<Self, Error> {
        let [ada, bruno] = PEOPLE;
        let outage = stack.caller("outage", ada).await?;
        let bruno = stack.caller("eligibility", bruno).await?;
        let feed = stack.caller("outage", FEED).await?;
        let ada = stack.caller("eligibility", ada).await?;
        let mut outages = OutageServiceClient::new(outage.channel.clone());
        let mut known = declaration("known", "2024-05-06T09:00:00", "");
        DECLARED_UNDER.clone_into(&mut known.request_id);
        outages.declare_outage(outage.request(known)).await?;
        let over = declaration("over", "2024-05-06T09:00:00", "2024-05-08T09:00:00");
        let over = outages.declare_outage(outage.request(over)).await?.into_inner();
        let imported = import_and_publish(&ada, row()).await?;
        let propose = api::ProposeAssessmentRequest {
            request_id: id(),
            outage: "outages/over".to_owned(),
            policy: "policies/libero-2023".to_owned(),
            min_position: format!("{imported},{}", over.consistency_token),
            ..api::ProposeAssessmentRequest::default()
        };
        let mut assessments = AssessmentServiceClient::new(ada.channel.clone());
        let proposed = assessments.propose_assessment(ada.request(propose)).await?.into_inner();
        let proposal = proposed.assessment.ok_or("the answer has no assessment")?;
        Ok(Self { stack, outage, ada, bruno, feed, proposal })
    }

    /// Gives the client of outages.
    pub fn outages(&self) -> OutageServiceClient<Channel> {
        OutageServiceClient::new(self.outage.channel.clone())
    }

    /// Gives the client of assessments.
    pub fn assessments(&self) -> AssessmentServiceClient<Channel> {
        AssessmentServiceClient::new(self.ada.channel.clone())
    }

    /// Gives the client of policies.
    pub fn policies(&self) -> PolicyServiceClient<Channel> {
        PolicyServiceClient::new(self.ada.channel.clone())
    }

    /// Gives the client of subscriptions.
    pub fn subscriptions(&self) -> SubscriptionServiceClient<Channel> {
        SubscriptionServiceClient::new(self.ada.channel.clone())
    }

    /// Writes an approval of the proposal up to a cap.
    pub fn approval(&self, cap: Money) -> api::ApproveAssessmentRequest {
        api::ApproveAssessmentRequest {
            request_id: id(),
            name: self.proposal.name.clone(),
            digest: self.proposal.digest.clone(),
            cap: Some(cap),
            ..api::ApproveAssessmentRequest::default()
        }
    }

    /// Writes a file into the system's folder; gives its path.
    ///
    /// # Errors
    /// The file system's.
    pub fn file(&self, name: &str, text: &str) -> Result<String, Error> {
        let path = self.stack.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Runs the binary as ada's program, with these settings beside the system's own.
    ///
    /// # Errors
    /// Where it cannot be run.
    pub async fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(binary()?);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command.current_dir(&self.stack.folder);
        command.envs(self.stack.settings().iter().map(|(key, value)| (key, value)));
        command.env("RISTORO_LISTEN", "127.0.0.1:0").env("RISTORO_METRICS_LISTEN", "127.0.0.1:0");
        let addresses = ["outage", "eligibility", "payout", "notifier"]
            .map(|name| format!("{name}={}", self.stack.service(name).endpoint));
        command.env("RISTORO_ENDPOINT", addresses.join(","));
        command.env("RISTORO_TOKEN", token(PEOPLE[0]));
        command.envs(more.iter().copied());
        let bound = std::time::Duration::from_secs(60);
        let output = tokio::time::timeout(bound, command.output()).await;
        let Output { status, stdout, stderr } = output.map_err(|_| "it does not end")??;
        let code = format!("exit {}", status.code().unwrap_or(-1));
        let text = [String::from_utf8_lossy(&stderr), String::from_utf8_lossy(&stdout)].concat();
        Ok(Refused { code, reason: String::new(), message: text.trim().to_owned() })
    }
}
