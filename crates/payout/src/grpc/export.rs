//! Exports of invoice credits: chunk by chunk, each credit once, and the same ones again for the same request.
//!
//! The record that names an export is its claim and its outcome in one: whoever's record was accepted gives the credits.

use futures::Stream;
use ristoro_domain::grant::{Command, Export, Grants, Rejection};
use ristoro_domain::order::Channel;
use ristoro_log::Position;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::types::kind_out;
use ristoro_runtime::command::CommandRequest;
use ristoro_runtime::edge;
use ristoro_runtime::status::{self, invalid};
use ristoro_runtime::views::Views;
use sqlx::PgConnection;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use super::names::{self, members, payout_name, subscription_name};
use crate::claim::{self, Author, Claim, Claims};
use crate::projections::standing::Chunk;
use crate::projections::{draw, grant, standing};
use crate::streams::grant_stream;

/// The namespace of exports.
const EXPORTS: Uuid = Uuid::from_u128(0x3d0b_8f57_92e4_4c1a_b6c8_70a1_5e2d_9b64);
/// Credits of one export where the request names no number.
const CREDITS: u32 = 100_000;
/// Credits of one export at most.
const MAXIMUM_CREDITS: u32 = 1_000_000;
/// Answers that wait for a slow caller.
const BUFFER: usize = 2;

/// Makes exports.
#[derive(Clone, Debug)]
pub struct Exports {
    views: Views,
    claims: Claims,
}

/// One export on its way to its caller.
struct Run {
    exports: Exports,
    assessment: String,
    export: String,
    most: u64,
    given: u64,
    author: Author,
    sender: Sender<Result<api::ExportInvoiceCreditsResponse, Status>>,
}

type Responses = ReceiverStream<Result<api::ExportInvoiceCreditsResponse, Status>>;

impl Exports {
    /// Makes exports on these.
    #[must_use]
    pub fn new(views: Views, claims: Claims) -> Self {
        Self { views, claims }
    }

    /// Begins an export, or goes on with the one of the same request.
    ///
    /// # Errors
    /// NOT_FOUND for an unknown assessment, FAILED_PRECONDITION while payouts are stopped.
    pub async fn export(
        &self,
        assessment: String,
        most: u32,
        request: CommandRequest,
    ) -> Result<impl Stream<Item = Result<api::ExportInvoiceCreditsResponse, Status>> + use<>, Status>
    {
        let most = match most {
            0 => CREDITS,
            1..=MAXIMUM_CREDITS => most,
            more => {
                return Err(invalid(
                    "max_credits",
                    format!("is {more}: write 1 to {MAXIMUM_CREDITS}"),
                ));
            }
        };
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        names::not_stopped(&mut view).await?;
        let known = draw::is_known(&mut view, &assessment).await;
        if !known.map_err(|error| status::database(&error))? {
            return Err(status::not_found("ristoro.dev/Assessment", &assessment));
        }
        let (sender, receiver) = channel(BUFFER);
        let export = Uuid::new_v5(&EXPORTS, request.request_id.as_bytes()).to_string();
        let author = Author {
            actor: request.actor,
            traceparent: request.traceparent,
            occurred_at: request.occurred_at,
        };
        let most = u64::from(most);
        let exports = self.clone();
        let run = Run { exports, assessment, export, most, given: 0, author, sender };
        tokio::spawn(run.run());
        let responses: Responses = ReceiverStream::new(receiver);
        Ok(responses)
    }
}

impl Run {
    async fn run(mut self) {
        if let Err(status) = self.all().await {
            // Whether the caller is still there to hear it makes no difference.
            drop(self.sender.send(Err(status)).await);
        }
    }

    async fn all(&mut self) -> Result<(), Status> {
        let database = |error| status::database(&error);
        let mut view = self.exports.views.begin().await.map_err(database)?;
        let earlier = grant::exported(&mut view, &self.assessment, &self.export).await;
        let earlier = earlier.map_err(database)?;
        let partitions = draw::partitions(&mut view, &self.assessment).await.map_err(database)?;
        view.rollback().await.map_err(database)?;
        for (partition, chunk, numbers) in earlier {
            if !self.send(partition, chunk, &numbers, None).await? {
                return Ok(());
            }
        }
        for partition in partitions {
            let mut after = 0;
            while self.given < self.most {
                let mut view = self.exports.views.begin().await.map_err(database)?;
                let place = (self.assessment.as_str(), partition);
                let next = draw::next_with_credits(&mut view, place, after).await;
                let Some(chunk) = next.map_err(database)? else { break };
                view.rollback().await.map_err(database)?;
                after = chunk;
                if !self.chunk(partition, chunk).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Exports what is left of a chunk. Tells whether the caller is still there.
    async fn chunk(&mut self, partition: u32, chunk: u64) -> Result<bool, Status> {
        let database = |error| status::database(&error);
        let stream = grant_stream(&self.assessment, partition);
        loop {
            let mut view = self.exports.views.begin().await.map_err(database)?;
            names::not_stopped(&mut view).await?;
            let head = claim::head(&mut view, &stream).await.map_err(database)?;
            let known = standing::at(&mut view, &self.assessment, partition, chunk).await;
            let Some(known) = known.map_err(database)? else { return Ok(true) };
            view.rollback().await.map_err(database)?;
            let all = known.standing.orders.columns.numbers().iter().copied();
            let numbers: Vec<u64> = all.filter(|it| known.standing.may_export(*it)).collect();
            let wish = Command::Export(Export { export: self.export.clone(), chunk, numbers });
            let state = known.standing.grants();
            let claims = &self.exports.claims;
            let claimed =
                claims.claim::<Grants>((&stream, head), &state, &wish, &self.author).await;
            match claimed.map_err(|error| claim_status(error, never))? {
                Claim::Nothing => return Ok(true),
                // Somebody wrote on this stream meanwhile: what is left may be something else.
                Claim::Lost => {}
                Claim::Won { position, .. } => {
                    let numbers = self.effective(partition, chunk).await?;
                    return self.send(partition, chunk, &numbers, Some(position)).await;
                }
            }
        }
    }

    /// Gives whom the export holds of a chunk: a hold that came before its record leaves somebody out.
    async fn effective(&self, partition: u32, chunk: u64) -> Result<Vec<u64>, Status> {
        let database = |error| status::database(&error);
        let mut view = self.exports.views.begin().await.map_err(database)?;
        let exported = grant::exported(&mut view, &self.assessment, &self.export).await;
        let here = exported.map_err(database)?.into_iter();
        let here = here.filter(|(p, c, _)| (*p, *c) == (partition, chunk));
        Ok(here.flat_map(|(_, _, numbers)| numbers).collect())
    }

    async fn send(
        &mut self,
        partition: u32,
        chunk: u64,
        numbers: &[u64],
        position: Option<Position>,
    ) -> Result<bool, Status> {
        if numbers.is_empty() {
            return Ok(true);
        }
        let database = |error| status::database(&error);
        let mut view = self.exports.views.begin().await.map_err(database)?;
        let known = standing::at(&mut view, &self.assessment, partition, chunk).await;
        let Some(known) = known.map_err(database)? else { return Ok(true) };
        let credits = credits(&mut view, &self.assessment, &known, numbers).await?;
        self.given += credits.len() as u64;
        let response = api::ExportInvoiceCreditsResponse {
            export: self.export.clone(),
            credits,
            consistency_token: edge::consistency_token(position.as_slice()),
        };
        Ok(self.sender.send(Ok(response)).await.is_ok())
    }
}

/// Writes the invoice credits of some people of a chunk.
async fn credits(
    view: &mut PgConnection,
    assessment: &str,
    chunk: &Chunk,
    numbers: &[u64],
) -> Result<Vec<api::InvoiceCredit>, Status> {
    let members = members(view, numbers).await?;
    let mut credits = Vec::with_capacity(numbers.len());
    for number in numbers {
        let order = chunk.standing.orders.order_of(*number);
        let (Some(order), Some(member)) = (order, members.get(number)) else { continue };
        for remedy in order.on(Channel::Invoice) {
            let Some(amount) = remedy.grant.amount() else { continue };
            let (kind, payer) = (remedy.kind.name(), remedy.payer.name());
            let currency = amount.currency;
            credits.push(api::InvoiceCredit {
                key: format!("{assessment}/{number}/{kind}/money/{currency}/{payer}"),
                payout: payout_name(assessment, member),
                subscription: subscription_name(member),
                kind: kind_out(remedy.kind).into(),
                amount: Some(edge::money_message(amount)),
            });
        }
    }
    Ok(credits)
}

/// An export refuses nothing: what cannot be exported is left out.
fn never(rejection: &Rejection) -> Status {
    status::internal(rejection)
}

/// Says why a claim has no result.
pub fn claim_status<R>(error: claim::ClaimError<R>, refused: impl Fn(&R) -> Status) -> Status {
    use ristoro_proto::ops::v1::ErrorReason;
    match error {
        claim::ClaimError::Rejected(rejection) => refused(&rejection),
        claim::ClaimError::Unknown(problem) => {
            tracing::warn!(problem, "the outcome of a claim is not known");
            let message = "whether it took effect is not known: call again";
            status::refuse(tonic::Code::Unavailable, ErrorReason::OutcomeUnknown, message, &[])
        }
        claim::ClaimError::Log(error) => status::log(&error),
    }
}
