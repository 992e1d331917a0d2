//! Calls by those who may not make them, and reads of what is not there yet.

use ristoro_proto::outage::v1 as outage;

use super::world::declaration;
use super::{Case, Outcome, World, answered};
use crate::stack::Caller;

async fn declares(world: &World, caller: &Caller) -> Outcome {
    let request = caller.request(declaration("bad", "2024-05-06T09:00:00", ""));
    answered(world.outages().declare_outage(request).await)
}

async fn lists(world: &World, request: tonic::Request<outage::ListOutagesRequest>) -> Outcome {
    answered(world.outages().list_outages(request).await)
}

/// Gives the cases.
pub fn cases() -> Vec<Case> {
    let class = "caller";
    vec![
        Case {
            class,
            sent: "no token",
            refused: ("Unauthenticated", "TOKEN_MISSING"),
            words: &["no token", "send `authorization: Bearer TOKEN`"],
            run: |world| Box::pin(lists(world, tonic::Request::new(Default::default()))),
        },
        Case {
            class,
            sent: "a token that nobody has",
            refused: ("Unauthenticated", "TOKEN_UNKNOWN"),
            words: &["token", "operator"],
            run: |world| {
                Box::pin(async {
                    let endpoint = &world.stack.service("outage").endpoint;
                    let nobody = Caller::connect(endpoint, "nobody-has-this-one").await?;
                    let refused = lists(world, nobody.request(Default::default())).await?;
                    assert!(!refused.message.contains("nobody-has-this-one"));
                    Ok(refused)
                })
            },
        },
        Case {
            class,
            sent: "a declaration by a feed",
            refused: ("PermissionDenied", "ROLE_MISSING"),
            words: &["feed may not do this", "the role declarer", "principals file"],
            run: |world| Box::pin(declares(world, &world.feed)),
        },
        Case {
            class,
            sent: "an approval of the caller's own proposal",
            refused: ("PermissionDenied", "SAME_PERSON"),
            words: &["ada proposed", "somebody else has to approve"],
            run: |world| {
                Box::pin(async {
                    let request = world.ada.request(world.approval(super::contents::euros(1, 0)));
                    answered(world.assessments().approve_assessment(request).await)
                })
            },
        },
        Case {
            class,
            sent: "a position that is none",
            refused: ("InvalidArgument", "INVALID_FIELD"),
            words: &["min_position", "TOPIC/PARTITION/OFFSET"],
            run: |world| {
                let min_position = "yesterday".to_owned();
                let request = outage::ListOutagesRequest { min_position, ..Default::default() };
                Box::pin(lists(world, world.outage.request(request)))
            },
        },
        Case {
            class,
            sent: "a position that nobody has reached",
            refused: ("Unavailable", "NOT_YET_VISIBLE"),
            words: &["ristoro.outage.v1/0/99", "try again"],
            run: |world| {
                let min_position = "ristoro.outage.v1/0/99".to_owned();
                let request = outage::ListOutagesRequest { min_position, ..Default::default() };
                Box::pin(lists(world, world.outage.request(request)))
            },
        },
    ]
}
