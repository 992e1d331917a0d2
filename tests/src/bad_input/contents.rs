//! Requests whose form is right and whose content is not: amounts, times, policies and rows.

use prost_types::Timestamp;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::google::r#type::Money;
use ristoro_proto::outage::v1 as outage;

use super::world::{POLICY, at, declaration, id, row, window};
use super::{Case, Outcome, Refused, World, answered};

/// Writes an amount in euros.
pub fn euros(units: i64, nanos: i32) -> Money {
    Money { currency_code: "EUR".to_owned(), units, nanos }
}

async fn approve(world: &World, cap: Money) -> Outcome {
    let request = world.bruno.request(world.approval(cap));
    answered(world.assessments().approve_assessment(request).await)
}

async fn declare(world: &World, request: outage::DeclareOutageRequest) -> Outcome {
    answered(world.outages().declare_outage(world.outage.request(request)).await)
}

async fn publish(world: &World, text: String) -> Outcome {
    let file = "goodwill.toml".to_owned();
    let request = api::PublishPolicyRequest { request_id: id(), file, text, ..Default::default() };
    answered(world.policies().publish_policy(world.ada.request(request)).await)
}

/// Imports one row; a row is refused in the answer, not by the answer's status.
async fn import(world: &World, row: api::SubscriptionRow) -> Outcome {
    let rows = vec![row];
    let request = api::ImportSubscriptionsRequest { request_id: id(), rows, ..Default::default() };
    let request = world.ada.request(tokio_stream::once(request));
    let answer = world.subscriptions().import_subscriptions(request).await?.into_inner();
    let told =
        answer.rejects.iter().map(|one| format!("{}: {}: {}", one.row, one.column, one.reason));
    let message = told.collect::<Vec<_>>().join("; ");
    Ok(Refused { code: format!("{} rejected", answer.rejected), reason: String::new(), message })
}

/// Gives the cases.
pub fn cases() -> Vec<Case> {
    [amounts(), windows(), local_times(), policies(), rows()].concat()
}

fn amounts() -> Vec<Case> {
    let class = "amount out of range";
    let invalid = ("InvalidArgument", "INVALID_FIELD");
    vec![
        Case {
            class,
            sent: "a cap below zero",
            refused: invalid,
            words: &["cap: is -1.00 EUR", "write zero or more"],
            run: |world| Box::pin(approve(world, euros(-1, 0))),
        },
        Case {
            class,
            sent: "a cap of 2^63-1 euros",
            refused: invalid,
            words: &["cap.units: is 9223372036854775807", "too large"],
            run: |world| Box::pin(approve(world, euros(i64::MAX, 0))),
        },
        Case {
            class,
            sent: "a cap with a thousandth of a euro",
            refused: invalid,
            words: &["cap.nanos: is 1000000", "EUR has 2 decimals", "a multiple of 10000000"],
            run: |world| Box::pin(approve(world, euros(1, 1_000_000))),
        },
        Case {
            class,
            sent: "a cap whose parts have different signs",
            refused: invalid,
            words: &["cap.nanos: is -500000000", "the same sign"],
            run: |world| Box::pin(approve(world, euros(1, -500_000_000))),
        },
        Case {
            class: "unknown currency",
            sent: "a cap in EURO",
            refused: invalid,
            words: &["cap.currency_code", "EURO", "ISO 4217"],
            run: |world| {
                let currency_code = "EURO".to_owned();
                Box::pin(approve(world, Money { currency_code, ..euros(1, 0) }))
            },
        },
    ]
}

fn windows() -> Vec<Case> {
    let class = "window that ends before it begins";
    vec![
        Case {
            class,
            sent: "a declared window",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["declared", "2024-05-06", "after"],
            run: |world| {
                let request = declaration("bad", "2024-05-06T09:00:00", "2024-05-06T08:00:00");
                Box::pin(declare(world, request))
            },
        },
        Case {
            class,
            sent: "an impact's window",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["impacts[0].window", "after"],
            run: |world| {
                let mut request = declaration("bad", "2024-05-06T09:00:00", "");
                request.impacts[0].window = window("2024-05-06T09:00:00", "2024-05-06T09:00:00");
                Box::pin(declare(world, request))
            },
        },
        Case {
            class,
            sent: "a restoration before the impact began",
            refused: ("FailedPrecondition", "CONTRADICTORY_TIME"),
            words: &["mailbox", "2024-05-06"],
            run: |world| {
                Box::pin(async {
                    use outage::restore_impact_request::Whom;
                    let request = outage::RestoreImpactRequest {
                        request_id: id(),
                        name: "outages/known".to_owned(),
                        impact: "mailbox".to_owned(),
                        restored_at: at("2024-05-06T08:00:00"),
                        whom: Some(Whom::Everyone(outage::Everyone {})),
                        ..Default::default()
                    };
                    answered(world.outages().restore_impact(world.outage.request(request)).await)
                })
            },
        },
    ]
}

fn local_times() -> Vec<Case> {
    vec![
        Case {
            class: "ambiguous local time",
            sent: "02:30 of the night in which the clock is set back",
            refused: ("InvalidArgument", "AMBIGUOUS_LOCAL_TIME"),
            words: &["declared.from", "2023-10-29T02:30:00", "Europe/Rome", "+01:00"],
            run: |world| Box::pin(declare(world, declaration("bad", "2023-10-29T02:30:00", ""))),
        },
        Case {
            class: "absent local time",
            sent: "02:30 of the night in which the clock is set forward",
            refused: ("InvalidArgument", "ABSENT_LOCAL_TIME"),
            words: &["declared.from", "2023-03-26T02:30:00", "Europe/Rome"],
            run: |world| Box::pin(declare(world, declaration("bad", "2023-03-26T02:30:00", ""))),
        },
        Case {
            class: "malformed time",
            sent: "a word",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["declared.from", "yesterday", "RFC 3339 such as 2023-01-23T09:00:00+01:00"],
            run: |world| Box::pin(declare(world, declaration("bad", "yesterday", ""))),
        },
        Case {
            class: "malformed time",
            sent: "a zone that is none",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["time_zone", "Europe/Roma", "Europe/Rome"],
            run: |world| {
                let mut request = declaration("bad", "2024-05-06T09:00:00", "");
                request.time_zone = "Europe/Roma".to_owned();
                Box::pin(declare(world, request))
            },
        },
        Case {
            class: "malformed time",
            sent: "an instant of the year 10000",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["open_at.seconds: is 253402300800", "the years 1 to 9999"],
            run: |world| {
                Box::pin(async {
                    let open_at = Some(Timestamp { seconds: 253_402_300_800, nanos: 0 });
                    let request = outage::ListOutagesRequest { open_at, ..Default::default() };
                    answered(world.outages().list_outages(world.outage.request(request)).await)
                })
            },
        },
    ]
}

fn policies() -> Vec<Case> {
    vec![
        Case {
            class: "unknown policy key",
            sent: "percnt for percent, published",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["goodwill.toml:71:1", "percnt", "percent"],
            run: |world| Box::pin(publish(world, POLICY.replace("percent = ", "percnt = "))),
        },
        Case {
            class: "unknown policy key",
            sent: "text that is no TOML",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["goodwill.toml:1:"],
            run: |world| Box::pin(publish(world, "id = \n".to_owned())),
        },
        Case {
            class: "wrong version",
            sent: "another text under a published version",
            refused: ("AlreadyExists", "RESOURCE_EXISTS"),
            words: &["version \"1\" is published with another text", "a new version"],
            run: |world| Box::pin(publish(world, POLICY.replace("months = 6", "months = 7"))),
        },
    ]
}

fn rows() -> Vec<Case> {
    let class = "row of a roster";
    vec![
        Case {
            class,
            sent: "an account with swapped digits",
            refused: ("1 rejected", ""),
            words: &["2: iban: is no IBAN", "check digits"],
            run: |world| {
                let iban = "IT60X0542811101000000123465".to_owned();
                let payee = Some(api::Payee { iban, name: "Ada Neri".to_owned() });
                Box::pin(import(world, api::SubscriptionRow { payee, ..row() }))
            },
        },
        Case {
            class,
            sent: "a fee on a free plan",
            refused: ("1 rejected", ""),
            words: &["2: fee: stands on a row of class free", "leave it empty"],
            run: |world| {
                let fee = Some(euros(1, 0));
                Box::pin(import(world, api::SubscriptionRow { fee, ..row() }))
            },
        },
        Case {
            class,
            sent: "an end before the begin",
            refused: ("1 rejected", ""),
            words: &["2: valid_to:", "is not after valid_from"],
            run: |world| {
                let valid_to = Some(Timestamp { seconds: 0, nanos: 0 });
                Box::pin(import(world, api::SubscriptionRow { valid_to, ..row() }))
            },
        },
    ]
}
