//! The calls that the tests make, each as somebody.

use std::fmt::Debug;

use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::grant_service_client::GrantServiceClient;
use ristoro_proto::payout::v1::ledger_service_client::LedgerServiceClient;
use ristoro_proto::payout::v1::payment_file_service_client::PaymentFileServiceClient;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::support::{Running, until};
use crate::world::IBAN;

/// The assessment of most tests.
pub const PARENT: &str = "assessments/a1";

/// Names the payout of `mail-{id}`.
pub fn payout_of(id: &str) -> String {
    format!("{PARENT}/payouts/mail-{id}")
}

/// A call of anna's.
pub fn as_anna<T>(message: T) -> Request<T> {
    with_token(message, "secret")
}

/// A call of bo's.
pub fn as_bo<T>(message: T) -> Request<T> {
    with_token(message, "hello")
}

/// A call of cleo's.
pub fn as_cleo<T>(message: T) -> Request<T> {
    with_token(message, "masked")
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

pub fn fresh_id() -> String {
    Uuid::new_v4().to_string()
}

/// Expects a refusal with this code and reason; gives its message.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, Status>, code: Code, reason: &str) -> String {
    let status = result.expect_err("it has to be refused");
    let told = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    assert_eq!((status.code(), told.as_str()), (code, reason), "{}", status.message());
    status.message().to_owned()
}

/// Reads a stream of answers to its end.
async fn all<T>(mut stream: Streaming<T>) -> Result<Vec<T>, Status> {
    let mut answers = Vec::new();
    while let Some(answer) = stream.message().await? {
        answers.push(answer);
    }
    Ok(answers)
}

/// A file of all that is released, to be executed long after the tests.
pub fn creation(max_transfers: u32) -> api::CreatePaymentFileRequest {
    api::CreatePaymentFileRequest {
        request_id: fresh_id(),
        execution_date: "2999-01-02".to_owned(),
        debtor: Some(api::Debtor {
            name: "Italiaonline S.p.A.".to_owned(),
            iban: IBAN.to_owned(),
            ..api::Debtor::default()
        }),
        max_transfers,
        ..api::CreatePaymentFileRequest::default()
    }
}

impl Running {
    pub fn payouts(&self) -> PayoutServiceClient<Channel> {
        PayoutServiceClient::new(self.channel.clone())
    }

    pub fn files(&self) -> PaymentFileServiceClient<Channel> {
        PaymentFileServiceClient::new(self.channel.clone())
    }

    pub fn grants(&self) -> GrantServiceClient<Channel> {
        GrantServiceClient::new(self.channel.clone())
    }

    pub fn ledger(&self) -> LedgerServiceClient<Channel> {
        LedgerServiceClient::new(self.channel.clone())
    }

    pub async fn hold(&self, name: &str) -> Result<api::Payout, Status> {
        let request = api::HoldPayoutRequest {
            request_id: fresh_id(),
            name: name.to_owned(),
            note: "looks like fraud".to_owned(),
            ..api::HoldPayoutRequest::default()
        };
        let answer = self.payouts().hold_payout(as_anna(request)).await?;
        Ok(answer.into_inner().payout.unwrap())
    }

    pub async fn let_go(&self, name: &str) -> api::Payout {
        let request = api::ReleasePayoutRequest {
            request_id: fresh_id(),
            name: name.to_owned(),
            note: "checked".to_owned(),
            ..api::ReleasePayoutRequest::default()
        };
        let answer = self.payouts().release_payout(as_anna(request)).await.unwrap();
        answer.into_inner().payout.unwrap()
    }

    pub async fn retry(&self, name: &str) -> Result<api::Payout, Status> {
        let request = api::RetryPayoutRequest {
            request_id: fresh_id(),
            name: name.to_owned(),
            ..api::RetryPayoutRequest::default()
        };
        let answer = self.payouts().retry_payout(as_anna(request)).await?;
        Ok(answer.into_inner().payout.unwrap())
    }

    pub async fn payout(&self, name: &str) -> api::Payout {
        let request =
            api::GetPayoutRequest { name: name.to_owned(), ..api::GetPayoutRequest::default() };
        let answer = self.payouts().get_payout(as_cleo(request)).await.unwrap();
        answer.into_inner().payout.unwrap()
    }

    /// Gives how far each line of a payout is.
    pub async fn states(&self, name: &str) -> Vec<api::PayoutState> {
        self.payout(name).await.lines.iter().map(api::PayoutLine::state).collect()
    }

    /// Creates a file, and waits until every partition has reserved its part.
    pub async fn ready_file(&self, max_transfers: u32) -> api::PaymentFile {
        let request = as_anna(creation(max_transfers));
        let answer = self.files().create_payment_file(request).await.unwrap();
        self.filled(&answer.into_inner().payment_file.unwrap().name).await
    }

    /// Waits until a file is ready.
    pub async fn filled(&self, name: &str) -> api::PaymentFile {
        let ready = api::PaymentFileState::Ready;
        until(ready, async || self.file(name).await.state()).await;
        self.file(name).await
    }

    pub async fn file(&self, name: &str) -> api::PaymentFile {
        let (name, min_position) = (name.to_owned(), String::new());
        let request = as_cleo(api::GetPaymentFileRequest { name, min_position });
        let answer = self.files().get_payment_file(request).await.unwrap();
        answer.into_inner().payment_file.unwrap()
    }

    pub async fn approve(&self, file: &api::PaymentFile) -> Result<api::PaymentFile, Status> {
        let answer = self.files().approve_payment_file(as_bo(approval(file))).await?;
        Ok(answer.into_inner().payment_file.unwrap())
    }

    pub async fn submit(&self, name: &str) -> Result<api::PaymentFile, Status> {
        let request = api::SubmitPaymentFileRequest {
            request_id: fresh_id(),
            name: name.to_owned(),
            ..api::SubmitPaymentFileRequest::default()
        };
        let answer = self.files().submit_payment_file(as_anna(request)).await?;
        Ok(answer.into_inner().payment_file.unwrap())
    }

    /// Brings a file of all that is free to the bank.
    pub async fn pay_all(&self) -> api::PaymentFile {
        let file = self.ready_file(0).await;
        self.approve(&file).await.unwrap();
        self.submit(&file.name).await.unwrap()
    }

    pub async fn cancel(&self, name: &str) -> Result<api::PaymentFile, Status> {
        let request = api::CancelPaymentFileRequest {
            request_id: fresh_id(),
            name: name.to_owned(),
            note: "wrong account".to_owned(),
            ..api::CancelPaymentFileRequest::default()
        };
        let answer = self.files().cancel_payment_file(as_anna(request)).await?;
        Ok(answer.into_inner().payment_file.unwrap())
    }

    pub async fn download(&self, name: &str) -> Result<Vec<u8>, Status> {
        let request = as_anna(api::DownloadPaymentFileRequest { name: name.to_owned() });
        let parts = all(self.files().download_payment_file(request).await?.into_inner()).await?;
        Ok(parts.into_iter().flat_map(|part| part.data).collect())
    }

    /// Pulls grants for so many seconds.
    pub async fn pull(&self, lease_seconds: u32) -> Result<Vec<api::Grant>, Status> {
        let parent = PARENT.to_owned();
        let request = api::PullGrantsRequest { parent, lease_seconds, ..Default::default() };
        let leases = all(self.grants().pull_grants(as_anna(request)).await?.into_inner()).await?;
        Ok(leases.into_iter().flat_map(|lease| lease.grants).collect())
    }

    /// Reports outcomes: each payout, and why its grant failed; empty where it did not. Gives how many were new.
    pub async fn report(&self, outcomes: &[(&str, &str)]) -> Result<(u32, u32), Status> {
        let outcome = |(payout, failure): &(&str, &str)| api::GrantOutcome {
            payout: (*payout).to_owned(),
            failure: (*failure).to_owned(),
        };
        let (parent, outcomes) = (PARENT.to_owned(), outcomes.iter().map(outcome).collect());
        let request = as_anna(api::ReportGrantOutcomesRequest { parent, outcomes });
        let answer = self.grants().report_grant_outcomes(request).await?.into_inner();
        Ok((answer.delivered, answer.failed))
    }

    pub async fn export(&self, request_id: &str) -> Result<Vec<api::InvoiceCredit>, Status> {
        let (request_id, parent) = (request_id.to_owned(), PARENT.to_owned());
        let request = api::ExportInvoiceCreditsRequest { request_id, parent, max_credits: 0 };
        let parts = self.payouts().export_invoice_credits(as_anna(request)).await?.into_inner();
        Ok(all(parts).await?.into_iter().flat_map(|part| part.credits).collect())
    }

    pub async fn stop_payouts(&self) {
        let (request_id, note) = (fresh_id(), "a drill".to_owned());
        let request = api::StopPayoutsRequest { request_id, note, validate_only: false };
        self.payouts().stop_payouts(as_anna(request)).await.unwrap();
    }

    pub async fn resume_payouts(&self) {
        let (request_id, note) = (fresh_id(), "over".to_owned());
        let request = api::ResumePayoutsRequest { request_id, note, validate_only: false };
        self.payouts().resume_payouts(as_anna(request)).await.unwrap();
    }

    /// Compares the ledger with the payouts.
    pub async fn check_ledger(&self) -> api::GetTrialBalanceResponse {
        let request = api::GetTrialBalanceRequest { check: true, min_position: String::new() };
        self.ledger().get_trial_balance(as_cleo(request)).await.unwrap().into_inner()
    }

    /// Gives debits less credits of each account, in cents, once everything agrees.
    pub async fn balances(&self) -> Vec<(String, i64)> {
        let answer = self.check_ledger().await;
        assert_eq!(answer.differences, []);
        let cents = |money: &Option<ristoro_proto::google::r#type::Money>| {
            money.as_ref().map_or(0, |it| it.units * 100 + i64::from(it.nanos / 10_000_000))
        };
        let net = |one: &api::Balance| {
            let net = cents(&one.debit) - cents(&one.credit);
            (one.account.clone(), net)
        };
        answer.balances.iter().map(net).filter(|(_, net)| *net != 0).collect()
    }
}

/// The approval of what a file holds.
pub fn approval(file: &api::PaymentFile) -> api::ApprovePaymentFileRequest {
    api::ApprovePaymentFileRequest {
        request_id: fresh_id(),
        name: file.name.clone(),
        digest: file.digest.clone(),
        ..api::ApprovePaymentFileRequest::default()
    }
}
