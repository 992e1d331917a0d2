//! Single payouts: one is held before it goes anywhere, another too late.

use anyhow::{Context, Result, bail};
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use tonic::Status;
use tonic::transport::Channel;

use super::super::People;
use super::super::libero::refused;
use crate::client::{Caller, Service, request_id};
use crate::values;

/// Calls about payouts.
pub type Payouts = PayoutServiceClient<Channel>;

/// The largest page that the service gives.
const PAGE: i32 = 1000;

/// Gives the subscription that a payout's name ends with.
pub fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Opens a caller's connection.
pub fn client(caller: &Caller) -> Result<Payouts> {
    Ok(Payouts::new(caller.channel(Service::Payout)?))
}

/// Lists payouts on a channel, all of them or the first few.
pub async fn list(
    caller: &Caller,
    parent: &str,
    channel: api::Channel,
    most: usize,
) -> Result<Vec<api::Payout>> {
    let mut client = client(caller)?;
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::ListPayoutsRequest {
            parent: parent.to_owned(),
            channel: channel.into(),
            page_size: i32::try_from(most).unwrap_or(PAGE).min(PAGE),
            page_token,
            ..api::ListPayoutsRequest::default()
        };
        let page = client.list_payouts(caller.request(request)).await?.into_inner();
        found.extend(page.payouts);
        page_token = page.next_page_token;
        if page_token.is_empty() || found.len() >= most {
            return Ok(found);
        }
    }
}

/// Finds two payouts that go by transfer.
pub async fn two_transfers(
    people: &People,
    assessment: &str,
) -> Result<(api::Payout, api::Payout)> {
    let found = list(&people.carla, assessment, api::Channel::Transfer, 2).await?;
    let mut found = found.into_iter();
    found.next().zip(found.next()).context("the assessment pays two people by transfer")
}

/// Holds a payout back.
pub async fn hold(people: &People, payout: &api::Payout) -> Result<()> {
    let held = held(people, &payout.name).await?;
    let gets = payout.lines.first().and_then(|line| line.remedy.as_ref());
    println!(
        "  bruno holds the payout of {}, {}: {}",
        short(&payout.name),
        values::remedy_text(gets),
        held.hold_note
    );
    Ok(())
}

async fn held(people: &People, name: &str) -> Result<api::Payout, Status> {
    let mut client =
        client(&people.bruno).map_err(|error| Status::unavailable(error.to_string()))?;
    let request = api::HoldPayoutRequest {
        request_id: request_id(),
        name: name.to_owned(),
        note: "the account is being checked".to_owned(),
        ..api::HoldPayoutRequest::default()
    };
    let answer = client.hold_payout(people.bruno.request(request)).await?.into_inner();
    answer.payout.ok_or_else(|| Status::internal("the answer has no payout"))
}

/// Makes sure that a held payout is in no file.
pub async fn is_left_out(people: &People, payout: &api::Payout) -> Result<()> {
    let request = api::GetPayoutRequest { name: payout.name.clone(), ..Default::default() };
    let answer = client(&people.carla)?.get_payout(people.carla.request(request)).await?;
    let payout = answer.into_inner().payout.context("the answer has a payout")?;
    let states = payout.lines.iter().map(api::PayoutLine::state).collect::<Vec<_>>();
    if !payout.payment_file.is_empty() || states != [api::PayoutState::Held] {
        bail!("{} was held and is {states:?} in {:?}", payout.name, payout.payment_file);
    }
    println!("  the held payout of {} is not in it", short(&payout.name));
    Ok(())
}

/// Holds what is under way, and is refused.
pub async fn held_too_late(people: &People, payout: &api::Payout) -> Result<()> {
    let late = held(people, &payout.name).await;
    refused(late.map(|_| ()), &format!("bruno holds the payout of {}", short(&payout.name)))
}

/// Lets what failed be tried again; gives the attempt.
pub async fn retry(people: &People, name: &str) -> Result<u32> {
    let request = api::RetryPayoutRequest {
        request_id: request_id(),
        name: name.to_owned(),
        ..api::RetryPayoutRequest::default()
    };
    let answer = client(&people.bruno)?.retry_payout(people.bruno.request(request)).await?;
    Ok(answer.into_inner().payout.context("the answer has a payout")?.attempt)
}

/// Stops or resumes all payouts.
pub async fn switch(people: &People, stop: bool) -> Result<()> {
    let mut client = client(&people.bruno)?;
    let (request_id, note) = (request_id(), "a drill".to_owned());
    if stop {
        let request = api::StopPayoutsRequest { request_id, note, ..Default::default() };
        client.stop_payouts(people.bruno.request(request)).await?;
    } else {
        let request = api::ResumePayoutsRequest { request_id, note, ..Default::default() };
        client.resume_payouts(people.bruno.request(request)).await?;
    }
    Ok(())
}
