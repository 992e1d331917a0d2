//! Requests whose form is wrong, and what names something that is not there or is not as it was.

use prost_types::Timestamp;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::outage::v1 as outage;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_prost::ProstCodec;

use super::world::{DECLARED_UNDER, declaration, id, row, window};
use super::{Case, Outcome, World, answered};
use crate::stack::Caller;

/// A request id that no case shares.
fn amendment(etag: &str) -> outage::AmendOutageRequest {
    use outage::amend_outage_request::Amendment;
    let declared = window("2024-05-06T10:00:00", "");
    outage::AmendOutageRequest {
        request_id: id(),
        name: "outages/known".to_owned(),
        etag: etag.to_owned(),
        note: "looked again".to_owned(),
        amendment: Some(Amendment::Windows(outage::OwnWindows { declared, observed: None })),
        ..outage::AmendOutageRequest::default()
    }
}

/// Sends a message of another type to a method.
async fn raw(caller: &Caller, path: &'static str) -> Outcome {
    let mut client = Grpc::new(caller.channel.clone());
    client.ready().await?;
    let codec = ProstCodec::<Timestamp, Timestamp>::default();
    let message = Timestamp { seconds: 1, nanos: 1 };
    answered(client.unary(caller.request(message), PathAndQuery::from_static(path), codec).await)
}

async fn get_outage(world: &World, name: &str) -> Outcome {
    let request = outage::GetOutageRequest { name: name.to_owned(), ..Default::default() };
    answered(world.outages().get_outage(world.outage.request(request)).await)
}

async fn import(world: &World, rows: Vec<api::SubscriptionRow>) -> Outcome {
    let request = api::ImportSubscriptionsRequest { request_id: id(), rows, ..Default::default() };
    let request = world.ada.request(tokio_stream::once(request));
    answered(world.subscriptions().import_subscriptions(request).await)
}

/// Gives the cases.
pub fn cases() -> Vec<Case> {
    [malformed(), oversized(), unknown(), versions(), reused()].concat()
}

fn malformed() -> Vec<Case> {
    let class = "malformed request";
    vec![
        Case {
            class,
            sent: "bytes of another message",
            refused: ("InvalidArgument", "MALFORMED_REQUEST"),
            words: &["OutageService/GetOutage", "failed to decode", "this version's protos"],
            run: |world| Box::pin(raw(&world.outage, "/ristoro.outage.v1.OutageService/GetOutage")),
        },
        Case {
            class,
            sent: "a method that is not there",
            refused: ("Unimplemented", "METHOD_UNKNOWN"),
            words: &["OutageService/ForgetOutage", "no method", "reflection"],
            run: |world| {
                Box::pin(raw(&world.outage, "/ristoro.outage.v1.OutageService/ForgetOutage"))
            },
        },
        Case {
            class,
            sent: "a request_id that is no UUID",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["request_id: is no UUID", "write one such as"],
            run: |world| {
                Box::pin(async {
                    let mut request = declaration("bad", "2024-05-06T09:00:00", "");
                    request.request_id = "1".to_owned();
                    answered(world.outages().declare_outage(world.outage.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "a name of another resource",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["name: is ", "outages/{outage}"],
            run: |world| Box::pin(get_outage(world, "policies/known")),
        },
        Case {
            class,
            sent: "an enumeration's number that is none",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["impacts[0].severity: is 99"],
            run: |world| {
                Box::pin(async {
                    let mut request = declaration("bad", "2024-05-06T09:00:00", "");
                    request.impacts[0].severity = 99;
                    answered(world.outages().declare_outage(world.outage.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "a page of -1 outages",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["page_size: is -1", "write 1 to 1000"],
            run: |world| {
                Box::pin(async {
                    let request =
                        outage::ListOutagesRequest { page_size: -1, ..Default::default() };
                    answered(world.outages().list_outages(world.outage.request(request)).await)
                })
            },
        },
    ]
}

fn oversized() -> Vec<Case> {
    let class = "oversized request";
    vec![
        Case {
            class,
            sent: "5 MiB in one request",
            refused: ("OutOfRange", "REQUEST_TOO_LARGE"),
            words: &["more than 4194304 bytes", "several requests"],
            run: |world| {
                Box::pin(async {
                    let mut request = declaration("bad", "2024-05-06T09:00:00", "");
                    request.title = "x".repeat(5 << 20);
                    answered(world.outages().declare_outage(world.outage.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "5 MiB in one message of a stream",
            refused: ("OutOfRange", "REQUEST_TOO_LARGE"),
            words: &["more than 4194304 bytes"],
            run: |world| {
                let huge = api::SubscriptionRow { cohort: "x".repeat(5 << 20), ..row() };
                Box::pin(import(world, vec![huge]))
            },
        },
        Case {
            class,
            sent: "1,001 rows in one message",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["rows: has 1001 items", "1000"],
            run: |world| Box::pin(import(world, vec![row(); 1001])),
        },
        Case {
            class,
            sent: "a title of 501 characters",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["title: has 501 characters", "write 1 to 500"],
            run: |world| {
                Box::pin(async {
                    let mut request = declaration("bad", "2024-05-06T09:00:00", "");
                    request.title = "x".repeat(501);
                    answered(world.outages().declare_outage(world.outage.request(request)).await)
                })
            },
        },
    ]
}

fn unknown() -> Vec<Case> {
    let class = "unknown id";
    vec![
        Case {
            class,
            sent: "an outage",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["there is no outages/none", "check the name, or list"],
            run: |world| Box::pin(get_outage(world, "outages/none")),
        },
        Case {
            class,
            sent: "an amendment of an unknown outage",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["there is no outages/none", "check the name, or list"],
            run: |world| {
                Box::pin(async {
                    let name = "outages/none".to_owned();
                    let request = outage::AmendOutageRequest { name, ..amendment("") };
                    answered(world.outages().amend_outage(world.outage.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "an assessment to approve",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["there is no assessments/none", "check the name, or list"],
            run: |world| {
                Box::pin(async {
                    let mut request = world.approval(Default::default());
                    request.cap = Some(super::contents::euros(1, 0));
                    request.name = "assessments/none".to_owned();
                    let request = world.bruno.request(request);
                    answered(world.assessments().approve_assessment(request).await)
                })
            },
        },
        Case {
            class,
            sent: "a policy to simulate",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["policies/none", "check the name, or list"],
            run: |world| {
                Box::pin(async {
                    let request = api::SimulateAssessmentRequest {
                        outage: "outages/over".to_owned(),
                        policies: vec!["policies/none".to_owned()],
                        ..Default::default()
                    };
                    let request = world.ada.request(request);
                    answered(world.assessments().simulate_assessment(request).await)
                })
            },
        },
        Case {
            class,
            sent: "an impact of a known outage",
            refused: ("FailedPrecondition", "IMPACT_UNKNOWN"),
            words: &["webmail", "mailbox"],
            run: |world| {
                Box::pin(async {
                    use outage::restore_impact_request::Whom;
                    let request = outage::RestoreImpactRequest {
                        request_id: id(),
                        name: "outages/known".to_owned(),
                        impact: "webmail".to_owned(),
                        restored_at: super::world::at("2024-05-06T10:00:00"),
                        whom: Some(Whom::Everyone(outage::Everyone {})),
                        ..Default::default()
                    };
                    answered(world.outages().restore_impact(world.outage.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "a subscription",
            refused: ("NotFound", "RESOURCE_NOT_FOUND"),
            words: &["there is no subscribers/nobody/subscriptions/s", "check the name, or list"],
            run: |world| {
                Box::pin(async {
                    let name = "subscribers/nobody/subscriptions/s".to_owned();
                    let request = api::GetSubscriptionRequest { name, ..Default::default() };
                    let request = world.ada.request(request);
                    answered(world.subscriptions().get_subscription(request).await)
                })
            },
        },
    ]
}

fn versions() -> Vec<Case> {
    let class = "wrong version";
    vec![
        Case {
            class,
            sent: "an etag that is not the current one",
            refused: ("Aborted", "VERSION_CONFLICT"),
            words: &["somebody else was first", "the etag is 1 now", "read again"],
            run: |world| {
                Box::pin(async {
                    let request = world.outage.request(amendment("7"));
                    answered(world.outages().amend_outage(request).await)
                })
            },
        },
        Case {
            class,
            sent: "an etag that is none",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["etag: is none of ours", "send the one"],
            run: |world| {
                Box::pin(async {
                    let request = world.outage.request(amendment("W/\"7\""));
                    answered(world.outages().amend_outage(request).await)
                })
            },
        },
        Case {
            class,
            sent: "a digest that is not the proposal's",
            refused: ("Aborted", "DIGEST_MISMATCH"),
            words: &["digest"],
            run: |world| {
                Box::pin(async {
                    let mut request = world.approval(super::contents::euros(1, 0));
                    request.digest = "0".repeat(64);
                    let request = world.bruno.request(request);
                    answered(world.assessments().approve_assessment(request).await)
                })
            },
        },
    ]
}

fn reused() -> Vec<Case> {
    let class = "reused request_id";
    vec![
        Case {
            class,
            sent: "the same id with another title",
            refused: ("InvalidArgument", "REQUEST_ID_REUSED"),
            words: &["request_id: was used for something else", "make a new one"],
            run: |world| {
                Box::pin(async {
                    let mut request = declaration("known", "2024-05-06T09:00:00", "");
                    request.request_id = DECLARED_UNDER.to_owned();
                    request.title = "Something else".to_owned();
                    answered(world.outages().declare_outage(world.outage.request(request)).await)
                })
            },
        },
        Case {
            class,
            sent: "the same id for another outage",
            refused: ("InvalidArgument", "REQUEST_ID_REUSED"),
            words: &["request_id: was used for something else", "make a new one"],
            run: |world| {
                Box::pin(async {
                    let mut request = declaration("other", "2024-05-06T09:00:00", "");
                    request.request_id = DECLARED_UNDER.to_owned();
                    answered(world.outages().declare_outage(world.outage.request(request)).await)
                })
            },
        },
    ]
}
