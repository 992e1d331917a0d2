//! Outages: those that are assessed, and those on whose streams several callers race with the versions that they saw.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ristoro_proto::outage::v1 as api;
use ristoro_proto::outage::v1::outage_service_client::OutageServiceClient;
use ristoro_proto::outage::v1::point_in_time::At;
use ristoro_proto::outage::v1::restore_impact_request::Whom;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::super::client::{Command, Person, Told, tolerated};
use super::super::random::Random;
use super::people::FEW;

const MAILBOX: &str = "mailbox-down";
/// When everything failed.
const BEGIN: &str = "2023-01-23T00:00:00";
/// When each cohort's mailboxes were back; everybody else's later.
const COHORTS: [(&str, &str); 2] = [("c1", "2023-01-26T14:45:00"), ("c2", "2023-01-27T11:00:00")];
const END: &str = "2023-01-28T19:00:00";
/// How long an outage that goes on has lasted, and how long it will: longer than any test.
const LASTS_S: i64 = 10 * 86_400;

/// Gives an instant so many seconds from now.
fn from_now(seconds: i64) -> Option<api::PointInTime> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    let now = i64::try_from(now.as_secs()).expect("seconds fit for a long time");
    let time = prost_types::Timestamp { seconds: now + seconds, nanos: 0 };
    Some(api::PointInTime { at: Some(At::Time(time)) })
}

fn at(local: &str) -> Option<api::PointInTime> {
    Some(api::PointInTime { at: Some(At::LocalTime(local.to_owned())) })
}

fn window(from: &str, to: Option<&str>) -> Option<api::WindowInput> {
    Some(api::WindowInput { from: at(from), to: to.and_then(at) })
}

fn impact(id: &str, cohort: &str, window: Option<api::WindowInput>) -> api::ImpactInput {
    api::ImpactInput {
        impact: id.to_owned(),
        service: "libero-mail".to_owned(),
        component: "mailbox".to_owned(),
        severity: api::Severity::Total.into(),
        cohort: cohort.to_owned(),
        window,
    }
}

/// An outage over which everybody has been told when their mailbox was back; gives the token of the last word.
///
/// # Errors
/// A refusal, or no answer at all.
pub async fn ended(ada: &Person, outage: &str) -> Result<String, Status> {
    let down = window(BEGIN, None);
    declare(ada, outage, down.clone(), vec![impact(MAILBOX, "", down)]).await?;
    for (cohort, when) in COHORTS {
        restore(ada, outage, when, Whom::Cohort(cohort.to_owned())).await?;
    }
    restore(ada, outage, END, Whom::Everyone(api::Everyone {})).await
}

/// An outage that hit few people, whose mailboxes are not back yet: they are owed something and hear nothing.
///
/// # Errors
/// A refusal, or no answer at all.
pub async fn going_on(ada: &Person, outage: &str) -> Result<String, Status> {
    let down = Some(api::WindowInput { from: from_now(-LASTS_S), to: from_now(LASTS_S) });
    declare(ada, outage, down.clone(), vec![impact(MAILBOX, FEW, down)]).await
}

async fn declare(
    ada: &Person,
    outage: &str,
    declared: Option<api::WindowInput>,
    impacts: Vec<api::ImpactInput>,
) -> Result<String, Status> {
    let command = Command::new("DeclareOutage");
    let caller = &ada.outage;
    let message = api::DeclareOutageRequest {
        request_id: command.id(),
        outage: outage.to_owned(),
        provider: "provider".to_owned(),
        title: "mailboxes unreachable".to_owned(),
        time_zone: "Europe/Rome".to_owned(),
        declared,
        impacts,
        ..api::DeclareOutageRequest::default()
    };
    let told = |answer: &api::DeclareOutageResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = OutageServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.declare_outage(request).await }
    };
    Ok(caller.command(command, told, call).await?.consistency_token)
}

async fn restore(ada: &Person, outage: &str, when: &str, whom: Whom) -> Result<String, Status> {
    let command = Command::new("RestoreImpact");
    let caller = &ada.outage;
    let message = api::RestoreImpactRequest {
        request_id: command.id(),
        name: format!("outages/{outage}"),
        impact: MAILBOX.to_owned(),
        restored_at: at(when),
        whom: Some(whom),
        ..api::RestoreImpactRequest::default()
    };
    let told = |answer: &api::RestoreImpactResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = OutageServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.restore_impact(request).await }
    };
    Ok(caller.command(command, told, call).await?.consistency_token)
}

/// Changes one of a few outages, each time for the version that was seen last: of several callers one wins.
///
/// # Errors
/// A refusal that is none of a lost race.
pub async fn race(
    person: Person,
    outages: Vec<String>,
    mut random: Random,
    end: CancellationToken,
) -> Result<(), Status> {
    let mut seen = vec![0; outages.len()];
    while !end.is_cancelled() {
        let place = random.place(outages.len());
        let persistent = random.chance(800);
        let outage = &outages[place];
        // An outage with thousands of impacts is nothing that anybody has.
        let changed = match random.chance(100) {
            true => add_impact(&person, outage, seen[place], persistent).await,
            false => amend(&person, outage, seen[place], persistent).await,
        };
        seen[place] = match tolerated(changed)?.flatten() {
            Some(version) => version,
            None => version(&person, &outages[place]).await?,
        };
        tokio::time::sleep(Duration::from_millis(random.below(200))).await;
    }
    Ok(())
}

/// Declares the outages that callers race on.
///
/// # Errors
/// A refusal, or no answer at all.
pub async fn to_race_on(ada: &Person, outages: &[String]) -> Result<(), Status> {
    for outage in outages {
        declare(ada, outage, window(BEGIN, None), Vec::new()).await?;
    }
    Ok(())
}

async fn version(person: &Person, outage: &str) -> Result<u64, Status> {
    let caller = &person.outage;
    let asked = api::GetOutageRequest { name: format!("outages/{outage}"), ..Default::default() };
    let answer = caller
        .ask(|channel| {
            let mut client = OutageServiceClient::new(channel);
            let request = caller.request(asked.clone());
            async move { client.get_outage(request).await }
        })
        .await?;
    Ok(answer.outage.unwrap_or_default().etag.parse().unwrap_or(0))
}

/// Adds an impact; gives the version that the outage then has.
async fn add_impact(
    person: &Person,
    outage: &str,
    seen: u64,
    persistent: bool,
) -> Result<Option<u64>, Status> {
    let command = Command { persistent, ..Command::new("AddImpact").on(seen) };
    let caller = &person.outage;
    let id = format!("i-{}", command.request_id);
    let message = api::AddImpactRequest {
        request_id: command.id(),
        name: format!("outages/{outage}"),
        etag: command.etag(),
        impact: Some(impact(&id, "nobody", window(BEGIN, None))),
        ..api::AddImpactRequest::default()
    };
    // The outage in the answer is read afterwards and may be ahead of the command's own record.
    let told = |answer: &api::AddImpactResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = OutageServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.add_impact(request).await }
    };
    let answer = caller.command(command, told, call).await?;
    Ok(answer.outage.and_then(|outage| outage.etag.parse().ok()))
}

/// Corrects the window to one that follows from the version seen, so that no correction says what is so already; gives
/// the version that the outage then has.
async fn amend(
    person: &Person,
    outage: &str,
    seen: u64,
    persistent: bool,
) -> Result<Option<u64>, Status> {
    let command = Command { persistent, ..Command::new("AmendOutage").on(seen) };
    let caller = &person.outage;
    let begin = format!("2023-01-22T{:02}:{:02}:00", seen / 60 % 24, seen % 60);
    let windows = api::OwnWindows { declared: window(&begin, None), observed: None };
    let message = api::AmendOutageRequest {
        request_id: command.id(),
        name: format!("outages/{outage}"),
        etag: command.etag(),
        note: "it began at another time".to_owned(),
        amendment: Some(api::amend_outage_request::Amendment::Windows(windows)),
        ..api::AmendOutageRequest::default()
    };
    let told = |answer: &api::AmendOutageResponse| Told::token(&answer.consistency_token);
    let call = |channel| {
        let mut client = OutageServiceClient::new(channel);
        let request = caller.request(message.clone());
        async move { client.amend_outage(request).await }
    };
    let answer = caller.command(command, told, call).await?;
    Ok(answer.outage.and_then(|outage| outage.etag.parse().ok()))
}
