//! Assessments: proposed by one person, approved by two others who race, followed to their end.

use std::time::Duration;

use ristoro_domain::policy::shipped;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use ristoro_proto::google::r#type::Money;
use tonic::{Code, Status};

use super::super::client::{Caller, Command, Person, Told, tolerated};

/// The policy that gives money per day.
pub const MONEY: &str = "agcom-347-18";
/// The policy that gives storage and time.
pub const GRANTS: &str = "libero-2023";
/// How often an assessment is looked at.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often a proposal is made anew that something outdated.
const PROPOSALS: usize = 10;

/// What an assessment came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Its id.
    pub assessment: String,
    /// Whether it is completed; else it was cancelled.
    pub completed: bool,
}

/// Publishes both policies.
///
/// # Errors
/// A refusal, or no answer at all.
pub async fn publish(ada: &Person) -> Result<(), Status> {
    let caller = &ada.eligibility;
    for policy in shipped() {
        let command = Command::new("PublishPolicy");
        let message = api::PublishPolicyRequest {
            request_id: command.id(),
            validate_only: false,
            file: policy.file.to_owned(),
            text: policy.text.to_owned(),
        };
        let told = |answer: &api::PublishPolicyResponse| Told::token(&answer.consistency_token);
        let call = |channel| {
            let mut client = PolicyServiceClient::new(channel);
            let request = caller.request(message.clone());
            async move { client.publish_policy(request).await }
        };
        caller.command(command, told, call).await?;
    }
    Ok(())
}

/// Takes a policy through its assessment of an outage; some are cancelled while they are being decided.
///
/// # Errors
/// A refusal that no race explains, or no answer at all.
pub async fn settle(
    people: &[Person; 3],
    (outage, token): (&str, &str),
    (policy, chunk_size): (&str, u32),
    cancelled: bool,
) -> Result<Settled, Status> {
    let [ada, bruno, carla] = people;
    for _ in 0..PROPOSALS {
        let Some(proposal) = propose(&ada.eligibility, (outage, token), policy, chunk_size).await?
        else {
            continue;
        };
        let (first, second) = tokio::join!(
            approve(&bruno.eligibility, &proposal),
            approve(&carla.eligibility, &proposal)
        );
        if !(first? || second?) {
            continue;
        }
        if cancelled {
            cancel(&bruno.eligibility, &proposal.name).await?;
        }
        return follow(&ada.eligibility, &proposal.name).await;
    }
    Err(Status::aborted(format!("{policy} on {outage} was never approved")))
}

async fn propose(
    caller: &Caller,
    (outage, token): (&str, &str),
    policy: &str,
    chunk_size: u32,
) -> Result<Option<api::Assessment>, Status> {
    let command = Command::new("ProposeAssessment");
    let message = api::ProposeAssessmentRequest {
        request_id: command.id(),
        outage: format!("outages/{outage}"),
        policy: format!("policies/{policy}"),
        chunk_size,
        min_position: token.to_owned(),
        ..api::ProposeAssessmentRequest::default()
    };
    let told = |answer: &api::ProposeAssessmentResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = AssessmentServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.propose_assessment(request).await }
    };
    let answer = tolerated(caller.command(command, told, call).await)?;
    Ok(answer.and_then(|answer| answer.assessment))
}

/// Approves; tells whether this approval was taken. The other approver may have been first.
async fn approve(caller: &Caller, proposal: &api::Assessment) -> Result<bool, Status> {
    let command = Command::new("ApproveAssessment");
    let cap = Money { currency_code: "EUR".to_owned(), units: 100_000_000, nanos: 0 };
    let message = api::ApproveAssessmentRequest {
        request_id: command.id(),
        name: proposal.name.clone(),
        digest: proposal.digest.clone(),
        cap: Some(cap),
        ..api::ApproveAssessmentRequest::default()
    };
    let told = |answer: &api::ApproveAssessmentResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = AssessmentServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.approve_assessment(request).await }
    };
    match caller.command(command, told, call).await {
        Err(status) if status.code() == Code::FailedPrecondition => Ok(false),
        outcome => tolerated(outcome).map(|answer| answer.is_some()),
    }
}

/// Cancels; a completion may have been first.
async fn cancel(caller: &Caller, name: &str) -> Result<(), Status> {
    let command = Command::new("CancelAssessment");
    let message = api::CancelAssessmentRequest {
        request_id: command.id(),
        name: name.to_owned(),
        note: "a drill".to_owned(),
        ..api::CancelAssessmentRequest::default()
    };
    let told = |answer: &api::CancelAssessmentResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = AssessmentServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.cancel_assessment(request).await }
    };
    match caller.command(command, told, call).await {
        Err(status) if status.code() == Code::FailedPrecondition => Ok(()),
        outcome => tolerated(outcome).map(|_| ()),
    }
}

async fn follow(caller: &Caller, name: &str) -> Result<Settled, Status> {
    let asked = api::GetAssessmentRequest { name: name.to_owned(), ..Default::default() };
    loop {
        let answer = caller
            .ask(|channel| {
                let mut client = AssessmentServiceClient::new(channel);
                let request = caller.request(asked.clone());
                async move { client.get_assessment(request).await }
            })
            .await?;
        let found = answer.assessment.unwrap_or_default();
        let assessment = name.trim_start_matches("assessments/").to_owned();
        match found.state() {
            api::AssessmentState::Completed => return Ok(Settled { assessment, completed: true }),
            api::AssessmentState::Cancelled => return Ok(Settled { assessment, completed: false }),
            api::AssessmentState::Proposed | api::AssessmentState::Deciding => {}
            api::AssessmentState::Unspecified
            | api::AssessmentState::Rejected
            | api::AssessmentState::Stopped => {
                let state = found.state().as_str_name();
                return Err(Status::internal(format!("{name} ended as {state}: {}", found.note)));
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
