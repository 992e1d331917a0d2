//! What is asked of the system while it is hurt.

pub mod assessments;
pub mod files;
pub mod grants;
pub mod holds;
pub mod outages;
pub mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::Person;
use super::random::Random;
use super::{Error, Scale};
use assessments::{GRANTS, MONEY, Settled};
use files::Bank;
use grants::{Made, Workshop};
use holds::Holds;

/// Subscriptions a chunk where people are told and paid: several blocks of notices now and then.
const CHUNK: u32 = 60;
/// Of so many outages that go on, one is cancelled while it is being decided.
const CANCELLED: u64 = 4;
/// Callers that race with one another.
const RACERS: usize = 3;
/// Provisioning clients of one assessment.
const CLIENTS: u64 = 2;

/// What came of it, as the callers remember it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// Assessments whose money was paid.
    pub paid: Vec<String>,
    /// Assessments whose grants were pulled.
    pub granted: Vec<String>,
    /// Completed assessments of which nobody hears yet.
    pub silent: Vec<String>,
    /// Cancelled ones.
    pub cancelled: Vec<String>,
    /// What the bank got.
    pub bank: Bank,
    /// What was held.
    pub holds: Holds,
    /// What provisioning made.
    pub made: BTreeMap<String, Made>,
}

/// Everything at once; the racers go on until the rest is through.
///
/// # Errors
/// The first refusal that no race explains.
pub async fn run(people: &[Person; 3], scale: Scale, say: fn(&str)) -> Result<Outcome, Error> {
    assessments::publish(&people[0]).await?;
    people::import(&people[0], scale.people()).await?;
    say(&format!("{} people are imported, twice", scale.people()));
    let end = CancellationToken::new();
    let mut racers = race(people, scale, &end).await?;
    let (main, silent) = tokio::try_join!(told(people, scale, say), silent(people, scale, say))?;
    end.cancel();
    while let Some(ended) = racers.join_next().await {
        ended??;
    }
    let mut outcome = main;
    for Settled { assessment, completed } in silent {
        let list = if completed { &mut outcome.silent } else { &mut outcome.cancelled };
        list.push(assessment);
    }
    Ok(outcome)
}

async fn race(
    people: &[Person; 3],
    scale: Scale,
    end: &CancellationToken,
) -> Result<JoinSet<Result<(), tonic::Status>>, Error> {
    let raced: Vec<String> = (0..2).map(|number| format!("raced-{number}")).collect();
    outages::to_race_on(&people[0], &raced).await?;
    let mut racers = JoinSet::new();
    for number in 0..RACERS {
        let person = &people[number % people.len()];
        let random = Random::new(scale.seed, &format!("racer {number}"));
        let outages = raced.clone();
        racers.spawn(outages::race(person.clone(), outages, random.clone(), end.clone()));
        racers.spawn(people::bother(person.clone(), random, end.clone()));
    }
    Ok(racers)
}

/// Outages of which people hear, are paid and given: each through both policies.
async fn told(people: &[Person; 3], scale: Scale, say: fn(&str)) -> Result<Outcome, Error> {
    let mut outages = JoinSet::new();
    for number in 0..scale.told_outages() {
        let (people, outage) = (people.clone(), format!("ended-{number}"));
        outages.spawn(async move {
            let token = outages::ended(&people[0], &outage).await?;
            let outage = (outage.as_str(), token.as_str());
            let money = assessments::settle(&people, outage, (MONEY, CHUNK), false).await?;
            let grants = assessments::settle(&people, outage, (GRANTS, CHUNK), false).await?;
            Ok::<_, tonic::Status>((money.assessment, grants.assessment))
        });
    }
    let mut outcome = Outcome::default();
    while let Some(ended) = outages.join_next().await {
        let (money, grants) = ended??;
        outcome.paid.push(money);
        outcome.granted.push(grants);
    }
    for assessment in outcome.paid.iter().chain(&outcome.granted) {
        holds::released(&people[2], assessment, scale.people()).await?;
    }
    say("the outages of which people hear are decided");
    let workshop = Arc::new(Workshop::default());
    let mut clients = JoinSet::new();
    for assessment in &outcome.granted {
        for number in 0..CLIENTS {
            let place = usize::try_from(number).expect("clients are few");
            let random = Random::new(scale.seed, &format!("client {number} of {assessment}"));
            let workshop = Arc::clone(&workshop);
            let person = people[place].clone();
            clients.spawn(grants::provision(person, assessment.clone(), workshop, random));
        }
    }
    (outcome.bank, outcome.holds) = money(people, &outcome.paid, scale).await?;
    say("everybody is paid who is not held");
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    say("every grant is made");
    outcome.made = workshop.made();
    Ok(outcome)
}

/// Pays while payouts are held; what is left is paid when nothing is held any more.
async fn money(
    people: &[Person; 3],
    assessments: &[String],
    scale: Scale,
) -> Result<(Bank, Holds), Error> {
    let end = CancellationToken::new();
    let random = |purpose| Random::new(scale.seed, purpose);
    let held = holds::hold(
        people[1].clone(),
        assessments.to_vec(),
        scale.people(),
        random("holds"),
        end.clone(),
    );
    let held = tokio::spawn(held);
    let bank = files::pay_some(people, assessments, random("files")).await;
    end.cancel();
    let holds = held.await??;
    let mut bank = bank?;
    files::pay_rest(people, assessments, &mut bank).await?;
    Ok((bank, holds))
}

/// Outages that go on: few people are owed something, everybody is decided one by one, and nobody hears of it.
async fn silent(people: &[Person; 3], scale: Scale, say: fn(&str)) -> Result<Vec<Settled>, Error> {
    let mut settled = Vec::new();
    let mut running = JoinSet::new();
    for number in 0..scale.silent_outages() {
        if running.len() >= scale.at_once()
            && let Some(ended) = running.join_next().await
        {
            settled.extend(ended??);
            say(&format!("{} silent assessments are decided", settled.len()));
        }
        let (people, outage) = (people.clone(), format!("going-on-{number}"));
        running.spawn(async move {
            let token = outages::going_on(&people[0], &outage).await?;
            let outage = (outage.as_str(), token.as_str());
            let cancelled = number % CANCELLED == CANCELLED - 1;
            let money = assessments::settle(&people, outage, (MONEY, 1), cancelled).await?;
            let grants = assessments::settle(&people, outage, (GRANTS, 1), false).await?;
            Ok::<_, tonic::Status>([money, grants])
        });
    }
    while let Some(ended) = running.join_next().await {
        settled.extend(ended??);
    }
    say(&format!("all {} silent assessments are decided", settled.len()));
    Ok(settled)
}
