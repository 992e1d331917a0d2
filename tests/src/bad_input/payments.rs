//! Bad input to the services of money and of notices, and to those who operate them.

use ristoro_proto::notifier::v1 as notice;
use ristoro_proto::notifier::v1::notice_service_client::NoticeServiceClient;
use ristoro_proto::ops::v1 as ops;
use ristoro_proto::ops::v1::poison_service_client::PoisonServiceClient;
use ristoro_proto::ops::v1::projection_service_client::ProjectionServiceClient;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payment_file_service_client::PaymentFileServiceClient;
use ristoro_proto::payout::v1::payout_service_client::PayoutServiceClient;

use super::world::id;
use super::{Case, Outcome, World, answered};
use crate::stack::PEOPLE;

/// An account at a bank that is none; its check digits are right.
const ACCOUNT: &str = "IT60X0542811101000000123456";

/// Creates a payment file out of an account.
async fn create(world: &World, iban: &str, execution_date: &str) -> Outcome {
    let debtor = api::Debtor {
        name: "Italiaonline S.p.A.".to_owned(),
        iban: iban.to_owned(),
        ..api::Debtor::default()
    };
    let request = api::CreatePaymentFileRequest {
        request_id: id(),
        execution_date: execution_date.to_owned(),
        debtor: Some(debtor),
        ..api::CreatePaymentFileRequest::default()
    };
    let caller = world.stack.caller("payout", PEOPLE[0]).await?;
    let mut files = PaymentFileServiceClient::new(caller.channel.clone());
    answered(files.create_payment_file(caller.request(request)).await)
}

/// Gives the cases.
pub fn cases() -> Vec<Case> {
    [files(), unknown()].concat()
}

fn files() -> Vec<Case> {
    let class = "payment file";
    vec![
        Case {
            class,
            sent: "an account with swapped digits that pays",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["debtor.iban", "IBAN"],
            run: |world| Box::pin(create(world, "IT60X0542811101000000123465", "2099-01-05")),
        },
        Case {
            class,
            sent: "30 February as the day of execution",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["execution_date: is no date", "write YYYY-MM-DD"],
            run: |world| Box::pin(create(world, ACCOUNT, "2099-02-30")),
        },
        Case {
            class,
            sent: "a day of execution that is over",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["execution_date", "2023-01-23"],
            run: |world| Box::pin(create(world, ACCOUNT, "2023-01-23")),
        },
        Case {
            class,
            sent: "a file for which nothing was released",
            refused: ("FailedPrecondition", "NOTHING_TO_PAY"),
            words: &["no released transfer is free", "see ListPayouts"],
            run: |world| Box::pin(create(world, ACCOUNT, "2099-01-05")),
        },
    ]
}

fn unknown() -> Vec<Case> {
    let class = "unknown id";
    vec![
        Case {
            class,
            sent: "a payout to hold",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["there is no assessments/none/payouts/s", "check the name, or list"],
            run: |world| {
                Box::pin(async {
                    let request = api::HoldPayoutRequest {
                        request_id: id(),
                        name: "assessments/none/payouts/s".to_owned(),
                        note: "a check".to_owned(),
                        ..Default::default()
                    };
                    let caller = world.stack.caller("payout", PEOPLE[0]).await?;
                    let mut payouts = PayoutServiceClient::new(caller.channel.clone());
                    answered(payouts.hold_payout(caller.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "a notice",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["there is no assessments/none/notices/s", "check the name, or list"],
            run: |world| {
                Box::pin(async {
                    let name = "assessments/none/notices/s".to_owned();
                    let request = notice::GetNoticeRequest { name, ..Default::default() };
                    let caller = world.stack.caller("notifier", PEOPLE[0]).await?;
                    let mut notices = NoticeServiceClient::new(caller.channel.clone());
                    answered(notices.get_notice(caller.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "a schema to switch to",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["projections/outage/schemas/99", "check the name, or list"],
            run: |world| {
                Box::pin(async {
                    let request = ops::SwitchProjectionRequest {
                        request_id: id(),
                        name: "projections/outage/schemas/99".to_owned(),
                        ..Default::default()
                    };
                    let caller = &world.outage;
                    let mut schemas = ProjectionServiceClient::new(caller.channel.clone());
                    answered(schemas.switch_projection(caller.request(request)).await)
                })
            },
        },
        Case {
            class: "undecodable record",
            sent: "the skip of a record that stops nobody",
            refused: ("FailedPrecondition", "NOT_SKIPPABLE"),
            words: &["none of these consumers stands still at ristoro.outage.v1/0/1"],
            run: |world| {
                Box::pin(async {
                    let request = ops::SkipRecordRequest {
                        request_id: id(),
                        position: "ristoro.outage.v1/0/1".to_owned(),
                        consumers: vec!["outage.outages".to_owned()],
                        reason: "a try".to_owned(),
                        ..Default::default()
                    };
                    let caller = &world.outage;
                    let mut poison = PoisonServiceClient::new(caller.channel.clone());
                    answered(poison.skip_record(caller.request(request)).await)
                })
            },
        },
    ]
}
