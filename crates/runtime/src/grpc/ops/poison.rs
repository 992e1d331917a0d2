//! `PoisonService`: lists the consumers that stand still, and skips a record where two people agree.

use std::collections::BTreeSet;

use ristoro_domain::ops::{OpsRejection, SkipCommand, Skips};
use ristoro_log::{Position, Topic};
use ristoro_proto::ops::v1::poison_service_server::PoisonService;
use ristoro_proto::ops::v1::{
    ErrorReason, ListPoisonRequest, ListPoisonResponse, Poison, SkipProposal, SkipRecordRequest,
    SkipRecordResponse,
};
use tonic::{Code, Request, Response, Status};

use super::proposals::{self, Proposal};
use super::{All, Operated};
use crate::command::{CommandRequest, StreamRef};
use crate::edge;
use crate::grpc::auth::{Role, require};
use crate::grpc::request::command_request;
use crate::page::Page;
use crate::poison::{self, Poisoned, SKIPS, consumers_that_passed};
use crate::refused::{Refused, command_status};
use crate::status::{database, invalid, not_found, refuse};

/// How many consumers one skip may name.
const MAXIMUM_CONSUMERS: usize = 20;
/// How long the reason may be, in characters.
const MAXIMUM_REASON: usize = 500;

/// The adapter.
pub(super) struct Poisons {
    pub(super) all: All,
}

#[tonic::async_trait]
impl PoisonService for Poisons {
    async fn list_poison(
        &self,
        request: Request<ListPoisonRequest>,
    ) -> Result<Response<ListPoisonResponse>, Status> {
        require(&request, &[Role::Operator])?;
        let request = request.into_inner();
        let page = Page::read(request.page_size, &request.page_token, "ListPoison")?;
        let mut rows = Vec::new();
        for operated in self.all.0.iter() {
            for one in listed(operated).await? {
                rows.push((key(&one), operated, one));
            }
        }
        rows.sort_by(|left, right| left.0.cmp(&right.0));
        if let Some(after) = &page.after {
            rows.retain(|(key, ..)| key > after);
        }
        let next_page_token = page.cut(&mut rows, |(key, ..)| key.clone());
        let mut poison = Vec::with_capacity(rows.len());
        for (_, operated, one) in rows {
            let service = operated.schemas.service();
            let proposal = proposals::find(&operated.schemas.pool, service, one.position).await;
            let proposal = proposal.map_err(|error| database(&error))?;
            poison.push(message(one, proposal.as_ref()));
        }
        // The list itself is not folded from the log; the first service stands for all.
        let as_of = Some(self.all.0[0].views.as_of().await?);
        Ok(Response::new(ListPoisonResponse { poison, next_page_token, as_of }))
    }

    async fn skip_record(
        &self,
        request: Request<SkipRecordRequest>,
    ) -> Result<Response<SkipRecordResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let (metadata, _, request) = request.into_parts();
        let (id, only) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, only, "", &metadata)?;
        let asked = self.read(&request, &principal.name)?;
        if request.digest.is_empty() {
            self.stopped_at(&asked).await?;
            if !only {
                let service = self.keeper(&asked);
                let kept =
                    proposals::keep(&service.schemas.pool, service.schemas.service(), &asked);
                kept.await.map_err(|error| database(&error))?;
                tracing::info!(position = %asked.position, proposer = asked.proposer, "a skip is proposed");
            }
            return Ok(Response::new(answer(&asked, false, String::new())));
        }
        self.approve(&asked, &request.digest, &command).await
    }
}

impl Poisons {
    /// Reads what is asked; `proposer` is who asks.
    fn read(&self, request: &SkipRecordRequest, proposer: &str) -> Result<Proposal, Status> {
        let position: Position =
            request.position.parse().map_err(|problem: String| invalid("position", problem))?;
        edge::count("consumers", request.consumers.len(), 1..=MAXIMUM_CONSUMERS)?;
        let note = edge::text("reason", &request.reason, 1..=MAXIMUM_REASON)?.to_owned();
        edge::optional_text("digest", &request.digest, 64)?;
        for (place, consumer) in request.consumers.iter().enumerate() {
            let field = format!("consumers[{place}]");
            edge::id(&field, consumer)?;
            if self.owner(consumer).is_none() {
                let problem = "is no consumer of the services behind this address";
                return Err(invalid(&field, problem));
            }
        }
        let consumers = request.consumers.iter().cloned().collect();
        Ok(Proposal { position, consumers, note, proposer: proposer.to_owned() })
    }

    /// Finds the service that a consumer belongs to: the part of its name before the point.
    fn owner(&self, consumer: &str) -> Option<&Operated> {
        consumer.split_once('.').and_then(|(service, _)| self.all.find(service))
    }

    /// Gives the service that keeps a proposal and writes the skip: that of the first consumer.
    fn keeper(&self, asked: &Proposal) -> &Operated {
        let first = asked.consumers.iter().find_map(|consumer| self.owner(consumer));
        first.expect("every consumer that was read has an owner, and there is at least one")
    }

    /// Refuses to skip a record at which none of the named consumers stands still.
    async fn stopped_at(&self, asked: &Proposal) -> Result<(), Status> {
        for operated in self.all.0.iter() {
            let stopped = |one: &Poisoned| {
                one.position == asked.position && asked.consumers.contains(&one.consumer)
            };
            if listed(operated).await?.iter().any(stopped) {
                return Ok(());
            }
        }
        let message = format!("none of these consumers stands still at {}", asked.position);
        let metadata = [("resource", asked.position.to_string())];
        Err(refuse(Code::FailedPrecondition, ErrorReason::NotSkippable, message, &metadata))
    }

    async fn approve(
        &self,
        asked: &Proposal,
        digest: &str,
        command: &CommandRequest,
    ) -> Result<Response<SkipRecordResponse>, Status> {
        let keeper = self.keeper(asked);
        let (pool, service) = (&keeper.schemas.pool, keeper.schemas.service());
        let found = proposals::find(pool, service, asked.position).await;
        let proposal = found.map_err(|error| database(&error))?.ok_or_else(|| {
            not_found("ristoro.dev/SkipProposal", &format!("proposal to skip {}", asked.position))
        })?;
        let same = proposal.consumers == asked.consumers && proposal.note == asked.note;
        if proposal.digest() != digest || !same {
            let message = "this is not what was proposed last: look at the proposal again";
            let metadata = [("digest", proposal.digest())];
            return Err(refuse(Code::Aborted, ErrorReason::DigestMismatch, message, &metadata));
        }
        let skip = SkipCommand {
            position: proposal.position.to_string(),
            consumers: proposal.consumers.clone(),
            note: proposal.note.clone(),
            proposer: proposal.proposer.clone(),
            approver: command.actor.clone(),
            passed: self.passed(&proposal).await.map_err(|error| database(&error))?,
        };
        let count = keeper.commands.partition_count();
        let stream = StreamRef::keyed(Topic::Ops, SKIPS.to_owned(), SKIPS, count);
        let done = keeper.commands.execute::<Skips>(&stream, command, &skip).await;
        let done = done.map_err(|error| command_status(error, refused))?;
        let token = edge::consistency_token(&done.token);
        Ok(Response::new(answer(&proposal, !command.validate_only, token)))
    }

    /// Gives those of the consumers that have acted on the record already.
    async fn passed(&self, proposal: &Proposal) -> Result<BTreeSet<String>, sqlx::Error> {
        let consumers: Vec<String> = proposal.consumers.iter().cloned().collect();
        let mut passed = BTreeSet::new();
        for operated in self.all.0.iter() {
            let (pool, service) = (&operated.schemas.pool, operated.schemas.service());
            let of_service = consumers_that_passed(pool, service, proposal.position, &consumers);
            passed.extend(of_service.await?);
        }
        Ok(passed)
    }
}

async fn listed(operated: &Operated) -> Result<Vec<Poisoned>, Status> {
    let listed = poison::list(&operated.schemas.pool, operated.schemas.service()).await;
    listed.map_err(|error| database(&error))
}

/// The order of the list, and what a page token holds.
fn key(one: &Poisoned) -> String {
    format!("{} {} {}", one.consumer, one.schema, one.position)
}

fn message(one: Poisoned, proposal: Option<&Proposal>) -> Poison {
    Poison {
        consumer: one.consumer,
        position: one.position.to_string(),
        stream: one.stream,
        kind: one.kind,
        problem: one.problem,
        stopped_at: Some(edge::timestamp(one.stopped_at)),
        proposal: proposal.map(proposal_message),
    }
}

fn proposal_message(proposal: &Proposal) -> SkipProposal {
    SkipProposal {
        position: proposal.position.to_string(),
        consumers: proposal.consumers.iter().cloned().collect(),
        reason: proposal.note.clone(),
        proposer: proposal.proposer.clone(),
        digest: proposal.digest(),
    }
}

fn answer(proposal: &Proposal, skipped: bool, token: String) -> SkipRecordResponse {
    let proposal = Some(proposal_message(proposal));
    SkipRecordResponse { proposal, skipped, consistency_token: token }
}

fn refused(rejection: &OpsRejection) -> Refused {
    match rejection {
        OpsRejection::NoNote | OpsRejection::NoConsumer { .. } => {
            Refused::new(Code::InvalidArgument, ErrorReason::InvalidField)
        }
        OpsRejection::SamePerson { person, position } => {
            Refused::new(Code::PermissionDenied, ErrorReason::SamePerson)
                .with("principal", person)
                .with("resource", position)
        }
        OpsRejection::AlreadyPassed { position, consumer } => {
            Refused::precondition(ErrorReason::NotSkippable)
                .with("consumer", consumer)
                .with("resource", position)
        }
    }
}
