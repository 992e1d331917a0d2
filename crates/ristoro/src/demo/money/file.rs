//! A payment file from its creation to its bytes: one person makes it, another approves what is in it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use ristoro::generate::iban::{Country, test_iban};
use ristoro_domain::money::Money;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payment_file_service_client::PaymentFileServiceClient;
use ristoro_runtime::edge;
use tonic::Status;
use tonic::transport::Channel;

use super::super::People;
use super::super::libero::refused;
use super::payout::switch;
use crate::client::{Caller, Service, request_id};

/// How long the reservations may take.
const BOUND: Duration = Duration::from_secs(60);
/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(100);

type Files = PaymentFileServiceClient<Channel>;

fn client(caller: &Caller) -> Result<Files> {
    Ok(Files::new(caller.channel(Service::Payout)?))
}

/// Gives what a file pays in all.
pub fn total(file: &api::PaymentFile) -> Result<Money> {
    Ok(edge::money("total", file.total.as_ref())?)
}

/// Says how many transfers pay how much.
pub fn contents(transfers: u64, total: Money) -> String {
    let word = if transfers == 1 { "transfer" } else { "transfers" };
    format!("{transfers} {word}, {total}")
}

/// Creates a file of all that is free, and waits until every partition has reserved its part.
pub async fn created(people: &People) -> Result<api::PaymentFile> {
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let request = api::CreatePaymentFileRequest {
        request_id: request_id(),
        execution_date: today.tomorrow()?.to_string(),
        debtor: Some(api::Debtor {
            name: "Italiaonline S.p.A.".to_owned(),
            iban: test_iban(Country::Italy, 1),
            bic: String::new(),
            town: "Assago".to_owned(),
            country: "IT".to_owned(),
        }),
        ..api::CreatePaymentFileRequest::default()
    };
    let mut client = client(&people.ada)?;
    let answer = client.create_payment_file(people.ada.request(request)).await?.into_inner();
    let name = answer.payment_file.context("the answer has a file")?.name;
    let deadline = tokio::time::Instant::now() + BOUND;
    loop {
        let request = api::GetPaymentFileRequest { name: name.clone(), ..Default::default() };
        let answer = client.get_payment_file(people.ada.request(request)).await?.into_inner();
        match answer.payment_file {
            Some(file) if file.state() == api::PaymentFileState::Ready => {
                let held = contents(file.transfers, total(&file)?);
                println!("  ada creates a payment file of all that is free: {held}");
                return Ok(file);
            }
            _ if tokio::time::Instant::now() > deadline => bail!("{name} is not full yet"),
            _ => tokio::time::sleep(INTERVAL).await,
        }
    }
}

/// Approves and submits a file, not without being refused twice; gives its bytes.
pub async fn brought_to_bank(people: &People, file: &api::PaymentFile) -> Result<Vec<u8>> {
    let approve = api::ApprovePaymentFileRequest {
        name: file.name.clone(),
        digest: file.digest.clone(),
        ..api::ApprovePaymentFileRequest::default()
    };
    let approve = || api::ApprovePaymentFileRequest { request_id: request_id(), ..approve.clone() };
    let mut client = client(&people.bruno)?;
    let own = client.approve_payment_file(people.ada.request(approve())).await;
    refused(own.map(|_| ()), "ada approves the file that she created")?;
    client.approve_payment_file(people.bruno.request(approve())).await?;
    println!("  bruno approves it, bound to the digest {}...", &file.digest[..12]);
    switch(people, true).await?;
    println!("  bruno stops all payouts");
    let early = submit(people, &mut client, &file.name).await;
    refused(early, "bruno submits it while payouts are stopped")?;
    switch(people, false).await?;
    submit(people, &mut client, &file.name).await?;
    println!("  bruno resumes them and submits it");
    let request = api::DownloadPaymentFileRequest { name: file.name.clone() };
    let mut parts = client.download_payment_file(people.bruno.request(request)).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(part) = parts.message().await? {
        bytes.extend_from_slice(&part.data);
    }
    Ok(bytes)
}

async fn submit(people: &People, client: &mut Files, name: &str) -> Result<(), Status> {
    let request = api::SubmitPaymentFileRequest {
        request_id: request_id(),
        name: name.to_owned(),
        ..api::SubmitPaymentFileRequest::default()
    };
    client.submit_payment_file(people.bruno.request(request)).await.map(|_| ())
}
