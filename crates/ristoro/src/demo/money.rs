//! Money on its way: a payment file from its creation to its bytes, payouts stopped and resumed, the ledger compared.

use std::time::Duration;

use anyhow::{Result, bail};
use ristoro_domain::money::Money;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::ledger_service_client::LedgerServiceClient;
use ristoro_proto::payout::v1::payment_file_service_client::PaymentFileServiceClient;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use ristoro_runtime::edge;
use tonic::Status;
use tonic::transport::Channel;

use super::People;
use super::libero::refused;
use crate::client::{Service, request_id};

/// How long the releases and the reservations may take.
const BOUND: Duration = Duration::from_secs(60);
/// The account of what compensation costs.
const EXPENSE: &str = "compensation-expense";
/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(200);

/// Plays the way of the money; `owed` is what the assessments owe in all.
pub async fn play(people: &People, owed: Money) -> Result<()> {
    let mut client = PaymentFileServiceClient::new(people.ada.channel(Service::Payout)?);
    check_ledger(people, owed).await?;
    let file = created(people, &mut client).await?;
    let total = file.total.as_ref().map(|total| edge::money("total", Some(total)));
    let total = total.transpose()?.map_or_else(String::new, |money| money.to_string());
    println!("  {} holds {} transfers, {total}", file.name, file.transfers);
    let approve = |digest: &str| api::ApprovePaymentFileRequest {
        request_id: request_id(),
        name: file.name.clone(),
        digest: digest.to_owned(),
        ..api::ApprovePaymentFileRequest::default()
    };
    let own = client.approve_payment_file(people.ada.request(approve(&file.digest))).await;
    refused(own.map(|_| ()), "ada approves the file that she created")?;
    client.approve_payment_file(people.bruno.request(approve(&file.digest))).await?;
    println!("  bruno approves it");
    switch(people, true).await?;
    let early = submit(people, &mut client, &file.name).await;
    refused(early, "bruno submits it while payouts are stopped")?;
    switch(people, false).await?;
    submit(people, &mut client, &file.name).await?;
    let request = api::DownloadPaymentFileRequest { name: file.name.clone() };
    let mut parts = client.download_payment_file(people.bruno.request(request)).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(part) = parts.message().await? {
        bytes.extend_from_slice(&part.data);
    }
    println!("  submitted after the resumption: {} bytes of pain.001.001.09", bytes.len());
    check_ledger(people, owed).await
}

/// Waits until all that is owed is posted, and compares the ledger with the orders.
async fn check_ledger(people: &People, owed: Money) -> Result<()> {
    let mut client = LedgerServiceClient::new(people.carla.channel(Service::Payout)?);
    let deadline = tokio::time::Instant::now() + BOUND;
    loop {
        let request = api::GetTrialBalanceRequest { check: true, min_position: String::new() };
        let answer = client.get_trial_balance(people.carla.request(request)).await?.into_inner();
        if !answer.differences.is_empty() {
            bail!("the ledger differs from the orders: {:?}", answer.differences);
        }
        let expense = answer.balances.iter().find(|one| one.account == EXPENSE);
        let posted = expense.map(|one| edge::money("debit", one.debit.as_ref())).transpose()?;
        if posted == Some(owed) {
            let chunks = answer.compared;
            println!(
                "  {owed} is posted, and the ledger agrees with the orders of {chunks} chunks"
            );
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            bail!("{posted:?} of {owed} is posted to the ledger after {BOUND:?}");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Creates a file of all that is released, and waits until every partition has reserved its part.
async fn created(
    people: &People,
    client: &mut PaymentFileServiceClient<Channel>,
) -> Result<api::PaymentFile> {
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let request = api::CreatePaymentFileRequest {
        request_id: request_id(),
        execution_date: today.tomorrow()?.to_string(),
        debtor: Some(api::Debtor {
            name: "Italiaonline S.p.A.".to_owned(),
            iban: ristoro::generate::iban::test_iban(ristoro::generate::iban::Country::Italy, 1),
            bic: String::new(),
            town: "Assago".to_owned(),
            country: "IT".to_owned(),
        }),
        ..api::CreatePaymentFileRequest::default()
    };
    let answer = client.create_payment_file(people.ada.request(request)).await?.into_inner();
    let name = answer.payment_file.map(|file| file.name).unwrap_or_default();
    let deadline = tokio::time::Instant::now() + BOUND;
    loop {
        let request =
            api::GetPaymentFileRequest { name: name.clone(), min_position: String::new() };
        let answer = client.get_payment_file(people.bruno.request(request)).await?.into_inner();
        match answer.payment_file {
            Some(file) if file.state() == api::PaymentFileState::Ready => return Ok(file),
            _ if tokio::time::Instant::now() > deadline => bail!("{name} is not full yet"),
            _ => tokio::time::sleep(INTERVAL).await,
        }
    }
}

async fn submit(
    people: &People,
    client: &mut PaymentFileServiceClient<Channel>,
    name: &str,
) -> Result<(), Status> {
    let request = api::SubmitPaymentFileRequest {
        request_id: request_id(),
        name: name.to_owned(),
        ..api::SubmitPaymentFileRequest::default()
    };
    client.submit_payment_file(people.bruno.request(request)).await.map(|_| ())
}

/// Stops or resumes payouts.
async fn switch(people: &People, stop: bool) -> Result<()> {
    let mut client = PayoutServiceClient::new(people.bruno.channel(Service::Payout)?);
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
