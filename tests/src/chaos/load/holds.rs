//! Holds that race with payment files: some for ever, some let go again.

use std::collections::BTreeSet;
use std::time::Duration;

use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::super::client::{Caller, Command, Person, Told, tolerated};
use super::super::random::Random;
use super::people;

/// Of so many people, the first one's hold is never let go again.
const FOR_EVER: u64 = 4;
/// Only so many places are ever held, so that most people are paid.
const HELD: u64 = 60;

/// How often it is looked whether everything is released.
const INTERVAL: Duration = Duration::from_millis(250);

/// A payout: whose it is by place, and of which assessment.
pub type Payout = (String, u64);

/// What became of the holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holds {
    /// Acknowledged, and never let go.
    pub for_ever: BTreeSet<Payout>,
    /// Acknowledged.
    pub held: u64,
    /// Refused because the payout was already in a file.
    pub too_late: u64,
}

/// Holds and releases payouts of people with accounts until told to end.
///
/// # Errors
/// A refusal that no race explains, or no answer at all.
pub async fn hold(
    person: Person,
    assessments: Vec<String>,
    people: u64,
    mut random: Random,
    end: CancellationToken,
) -> Result<Holds, Status> {
    let mut holds = Holds::default();
    let candidates: Vec<u64> = (0..people).filter(|place| people::has_account(*place)).collect();
    while !end.is_cancelled() {
        let assessment = assessments[random.place(assessments.len())].clone();
        let place = candidates[random.place(candidates.len())];
        if place % HELD >= HELD / 3 {
            continue;
        }
        let payout = (assessment, place);
        match place_hold(&person.payout, &payout).await? {
            Some(true) => {
                holds.held += 1;
                if place.is_multiple_of(FOR_EVER) {
                    holds.for_ever.insert(payout);
                } else if random.chance(700) {
                    tokio::time::sleep(Duration::from_millis(random.below(400))).await;
                    release(&person.payout, &payout).await?;
                }
            }
            Some(false) => holds.too_late += 1,
            None => {}
        }
        tokio::time::sleep(Duration::from_millis(random.below(80))).await;
    }
    Ok(holds)
}

/// Waits until everybody's payout of an assessment is released: the payout service follows the others on its own time.
///
/// # Errors
/// A refusal, or no answer at all.
pub async fn released(person: &Person, assessment: &str, people: u64) -> Result<(), Status> {
    loop {
        match count_released(&person.payout, assessment).await {
            Ok(count) if count == people => return Ok(()),
            Ok(_) => {}
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => return Err(status),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn count_released(caller: &Caller, assessment: &str) -> Result<u64, Status> {
    let mut count = 0;
    let mut message = api::ListPayoutsRequest {
        parent: format!("assessments/{assessment}"),
        page_size: 1_000,
        ..api::ListPayoutsRequest::default()
    };
    loop {
        let answer = caller
            .ask(|channel| {
                let mut client = PayoutServiceClient::new(channel);
                let request = caller.request(message.clone());
                async move { client.list_payouts(request).await }
            })
            .await?;
        let is_ordered = |line: &api::PayoutLine| line.state() == api::PayoutState::Ordered;
        let released = answer.payouts.iter().filter(|one| !one.lines.iter().any(is_ordered));
        count += released.count() as u64;
        if answer.next_page_token.is_empty() {
            return Ok(count);
        }
        message.page_token = answer.next_page_token;
    }
}

fn name((assessment, place): &Payout) -> String {
    format!("assessments/{assessment}/payouts/{}", people::subscription(*place))
}

/// Holds; tells whether it is held, and nothing where nobody knows.
async fn place_hold(caller: &Caller, payout: &Payout) -> Result<Option<bool>, Status> {
    let command = Command::new("HoldPayout");
    let message = api::HoldPayoutRequest {
        request_id: command.id(),
        name: name(payout),
        note: "a question".to_owned(),
        ..api::HoldPayoutRequest::default()
    };
    let told = |answer: &api::HoldPayoutResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = PayoutServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.hold_payout(request).await }
    };
    match caller.command(command, told, call).await {
        Err(status) if status.code() == Code::FailedPrecondition => Ok(Some(false)),
        outcome => Ok(tolerated(outcome)?.map(|_| true)),
    }
}

async fn release(caller: &Caller, payout: &Payout) -> Result<(), Status> {
    let command = Command::new("ReleasePayout");
    let message = api::ReleasePayoutRequest {
        request_id: command.id(),
        name: name(payout),
        note: "answered".to_owned(),
        ..api::ReleasePayoutRequest::default()
    };
    let told = |answer: &api::ReleasePayoutResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = PayoutServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.release_payout(request).await }
    };
    tolerated(caller.command(command, told, call).await).map(|_| ())
}
