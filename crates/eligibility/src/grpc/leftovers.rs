//! What an approval takes over of what was below the minimum payout before.

use ristoro_domain::carry::{Carry, Command, Rejection};
use ristoro_domain::settlement::{Leftovers, Proposal, Status as Stage};
use ristoro_log::Topic;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_runtime::command::{CommandError, CommandRequest, Commands, StreamRef};
use ristoro_runtime::refused::{Refused, command_status};
use ristoro_runtime::status;
use ristoro_runtime::views::Views;
use tonic::Status;
use uuid::Uuid;

use crate::projections::assessment;

/// The namespace of the request ids of these commands.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d1e_93c4_7a20_4b8f_a6c3_0e4f_9b71_d28a);

/// Takes over for a proposal what it counts as carried over.
///
/// It comes before the approval, so that nothing is decided with amounts that somebody else took. Whoever took them and
/// has ended without being completed gives them back first: its settlement never lets it be decided again.
///
/// # Errors
/// `LEFTOVERS_TAKEN` where they are no longer there, and what a command can fail with.
pub(super) async fn take_over(
    (views, commands): (&Views, &Commands),
    (proposal, leftovers): (&Proposal, &Leftovers),
    request: &CommandRequest,
) -> Result<(), Status> {
    let policy = &proposal.pins.policy;
    let id = format!("carry/{policy}");
    let stream = StreamRef::keyed(Topic::Policy, id, policy, commands.partition_count());
    let (assessment, after) = (proposal.assessment.clone(), leftovers.from.clone());
    let take = Command::Take { assessment, after };
    let taking = named(request, "take", &proposal.assessment);
    let rejection = match commands.execute::<Carry>(&stream, &taking, &take).await {
        Ok(_) => return Ok(()),
        Err(CommandError::Rejected(rejection)) => rejection,
        Err(error) => return Err(command_status(error, refused)),
    };
    let by = match &rejection {
        Rejection::TakenOver { by } if ended_in_vain(views, by).await? => by,
        Rejection::TakenOver { .. } | Rejection::UnknownEnd { .. } => {
            return Err(command_status(CommandError::Rejected(rejection), refused));
        }
    };
    if request.validate_only {
        return Ok(());
    }
    let (giving, assessment) = (named(request, "give back", by), by.clone());
    for (request, command) in [(giving, Command::GiveBack { assessment }), (taking, take)] {
        let done = commands.execute::<Carry>(&stream, &request, &command).await;
        done.map_err(|error| command_status(error, refused))?;
    }
    Ok(())
}

/// Tells whether an assessment ended without being completed. That is final, however old the answer is.
async fn ended_in_vain(views: &Views, assessment: &str) -> Result<bool, Status> {
    let mut view = views.begin().await.map_err(|error| status::database(&error))?;
    let row = assessment::find(&mut view, assessment).await;
    let row = row.map_err(|error| status::database(&error))?;
    Ok(row.is_some_and(|row| match row.status {
        Stage::Rejected | Stage::Cancelled | Stage::Stopped => true,
        Stage::Proposed | Stage::Deciding | Stage::Completed => false,
    }))
}

/// Names the command after the assessment that it is about, whoever sends it.
fn named(request: &CommandRequest, what: &str, assessment: &str) -> CommandRequest {
    let request_id = Uuid::new_v5(&NAMESPACE, format!("{what} {assessment}").as_bytes());
    CommandRequest { request_id, expected_version: None, content: None, ..request.clone() }
}

fn refused(rejection: &Rejection) -> Refused {
    let taken = Refused::precondition(ErrorReason::LeftoversTaken);
    match rejection {
        Rejection::TakenOver { by } => taken.with("assessment", by),
        Rejection::UnknownEnd { after } => taken.with("after", after),
    }
}
