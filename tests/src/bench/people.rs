//! Questions about random people, over a few connections, with the answer that each has to get.

use std::sync::atomic::{AtomicU64, Ordering};

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::payout::v1 as payout;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use ristoro_proto::types::{reason_in, remedy_in};
use tonic::Status;

use super::roster::{Row, mixed, row};
use crate::stack::{Caller, Error, PEOPLE, Stack};

/// How many HTTP/2 connections there are to each service.
const CONNECTIONS: u64 = 4;

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Question {
    /// `GetEntitlement`.
    Entitlement,
    /// `ExplainEntitlement`.
    Explanation,
    /// `GetPayout`, of people who are owed something.
    Payout,
}

/// Why a question was not answered as it has to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There was no answer.
    Refused(String),
    /// The answer is about somebody else, or another amount.
    Wrong(String),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Refused(format!("{:?}: {}", status.code(), status.message()))
    }
}

/// Asks about people of one assessment.
#[derive(Debug)]
pub struct People {
    eligibility: Vec<Caller>,
    payout: Vec<Caller>,
    assessment: String,
    subscriptions: u64,
    asked: AtomicU64,
}

/// A question to be asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What.
    pub question: Question,
    person: Row,
    connection: usize,
}

impl Question {
    /// All of them.
    pub const ALL: [Question; 3] = [Question::Entitlement, Question::Explanation, Question::Payout];

    /// The call's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Question::Entitlement => "GetEntitlement",
            Question::Explanation => "ExplainEntitlement",
            Question::Payout => "GetPayout",
        }
    }
}

impl People {
    /// Connects.
    ///
    /// # Errors
    /// Where a service does not answer.
    pub async fn connect(
        stack: &Stack,
        assessment: &str,
        subscriptions: u64,
    ) -> Result<Self, Error> {
        let (mut eligibility, mut payout) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            eligibility.push(stack.caller("eligibility", PEOPLE[0]).await?);
            payout.push(stack.caller("payout", PEOPLE[0]).await?);
        }
        let assessment = assessment.to_owned();
        Ok(Self { eligibility, payout, assessment, subscriptions, asked: AtomicU64::new(0) })
    }

    /// Draws the next question.
    #[must_use]
    pub fn draw(&self) -> Asked {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        drawn(turn, self.subscriptions)
    }

    /// Asks it, and looks whether the answer is the one that it has to be.
    ///
    /// # Errors
    /// No answer, or another.
    pub async fn ask(&self, asked: &Asked) -> Result<(), Fault> {
        let id = asked.person.id;
        let name = format!("assessments/{}/entitlements/s{id}", self.assessment);
        match asked.question {
            Question::Entitlement => {
                let caller = &self.eligibility[asked.connection];
                let get = api::GetEntitlementRequest { name, ..Default::default() };
                let mut client = EntitlementServiceClient::new(caller.channel.clone());
                let answer = client.get_entitlement(caller.request(get)).await?.into_inner();
                owed(&asked.person, answer.entitlement.as_ref())
            }
            Question::Explanation => {
                let caller = &self.eligibility[asked.connection];
                let why = api::ExplainEntitlementRequest { name, ..Default::default() };
                let mut client = EntitlementServiceClient::new(caller.channel.clone());
                let answer = client.explain_entitlement(caller.request(why)).await?.into_inner();
                let one = answer.explanations.first();
                if one.is_none_or(|one| one.chain.is_empty()) {
                    return Err(Fault::Wrong(format!("nothing explains what s{id} is owed")));
                }
                owed(&asked.person, one.and_then(|one| one.entitlement.as_ref()))
            }
            Question::Payout => {
                let caller = &self.payout[asked.connection];
                let name = format!("assessments/{}/payouts/s{id}", self.assessment);
                let get = payout::GetPayoutRequest { name, ..Default::default() };
                let mut client = PayoutServiceClient::new(caller.channel.clone());
                let answer = client.get_payout(caller.request(get)).await?.into_inner();
                paid(&asked.person, answer.payout.as_ref())
            }
        }
    }
}

/// Draws the question of a turn: each sort in turn, of people spread over the roster.
fn drawn(turn: u64, subscriptions: u64) -> Asked {
    let question = Question::ALL[(turn % 3) as usize];
    let mut person = row(1 + mixed(turn) % subscriptions);
    while question == Question::Payout && person.owed_minor() == 0 {
        person = row(1 + person.id % subscriptions);
    }
    Asked { question, person, connection: (turn / 3 % CONNECTIONS) as usize }
}

fn owed(person: &Row, found: Option<&api::Entitlement>) -> Result<(), Fault> {
    let Some(found) = found else { return Err(Fault::Wrong("an empty answer".to_owned())) };
    let reason = found.reason.clone().unwrap_or_default();
    let reason = reason_in(&reason).map_err(|error| Fault::Wrong(error.to_string()))?;
    let amounts = reason.remedies.iter().filter_map(|remedy| remedy.grant.amount());
    right(person, &found.subscription, amounts.map(|money| money.minor).sum())
}

fn paid(person: &Row, found: Option<&payout::Payout>) -> Result<(), Fault> {
    let Some(found) = found else { return Err(Fault::Wrong("an empty answer".to_owned())) };
    let mut amount = 0;
    for remedy in found.lines.iter().filter_map(|line| line.remedy.as_ref()) {
        let remedy = remedy_in(remedy).map_err(|error| Fault::Wrong(error.to_string()))?;
        amount += remedy.grant.amount().map_or(0, |money| money.minor);
    }
    right(person, &found.subscription, amount)
}

fn right(person: &Row, subscription: &str, amount: i64) -> Result<(), Fault> {
    let id = person.id;
    let asked = format!("subscribers/p{id}/subscriptions/s{id}");
    if subscription != asked {
        return Err(Fault::Wrong(format!("asked for {asked}, and the answer is {subscription}")));
    }
    let owed = person.owed_minor();
    if amount != owed {
        return Err(Fault::Wrong(format!("{asked} is owed {owed}, and the answer says {amount}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_asked_of_many_people_over_every_connection() {
        let all: Vec<Asked> = (0..3_000).map(|turn| drawn(turn, 500)).collect();
        for question in Question::ALL {
            let of: Vec<&Asked> = all.iter().filter(|asked| asked.question == question).collect();
            let people: std::collections::BTreeSet<u64> =
                of.iter().map(|one| one.person.id).collect();
            assert!(people.len() > 400 && people.iter().all(|id| (1..=500).contains(id)));
            let used: std::collections::BTreeSet<usize> =
                of.iter().map(|one| one.connection).collect();
            assert_eq!(used.len() as u64, CONNECTIONS);
        }
        let payouts = all.iter().filter(|asked| asked.question == Question::Payout);
        assert!(payouts.into_iter().all(|asked| asked.person.owed_minor() > 0));
    }

    #[test]
    fn another_person_or_amount_is_wrong() {
        let person = row(7);
        let name = "subscribers/p7/subscriptions/s7";
        assert_eq!(right(&person, name, person.owed_minor()), Ok(()));
        assert!(right(&person, name, person.owed_minor() + 1).is_err());
        assert!(right(&person, "subscribers/p8/subscriptions/s8", person.owed_minor()).is_err());
    }
}
