//! `PayoutService`: holds, releases, retries, the stop of everything, and how far each payout is.

use std::pin::Pin;

use futures::Stream;
use ristoro_domain::ops::{OpsRejection, PayoutSwitch, PayoutSwitchCommand};
use ristoro_domain::payment_file::Status as FileStatus;
use ristoro_domain::payout::{Command, Motion, Payout, Rejection};
use ristoro_domain::time::Instant;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payout_service_server::PayoutService;
use ristoro_runtime::command::{CommandRequest, Commands};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, command_request, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::refused::{Refused, command_status};
use ristoro_runtime::status::{self, invalid, refuse};
use ristoro_runtime::views::{self, Views};
use sqlx::PgConnection;
use tonic::{Request, Response, Status};

use super::export::Exports;
use super::names::{self, FoundPayout, WAIT, assessment_id, file_name, find_payout, wrong_state};
use super::payout_list::{self, Filter};
use super::payout_message::{Context, hold_notes};
use crate::projections::{difference, order, payment_file};
use crate::streams::{payout_stream, switch_stream};

/// Who may read one payout.
const READERS: [Role; 4] = [Role::Support, Role::Claims, Role::Treasury, Role::Analyst];
/// Who may stop and resume everything.
const STOPPERS: [Role; 2] = [Role::Treasury, Role::Operator];

/// Serves payouts.
#[derive(Clone, Debug)]
pub struct Payouts {
    views: Views,
    commands: Commands,
    exports: Exports,
}

/// What rejections are on the wire.
fn refused(rejection: &Rejection) -> Refused {
    match rejection {
        Rejection::InMotion { motion } => in_motion(motion),
        Rejection::NotFailed { .. }
        | Rejection::OtherAttempt { .. }
        | Rejection::AttemptsExhausted => wrong_state(),
    }
}

fn in_motion(motion: &Motion) -> Refused {
    let refused = Refused::precondition(ErrorReason::PayoutInMotion);
    match motion {
        Motion::File { file } | Motion::Bank { file } => refused.with("resource", file_name(file)),
        Motion::Lease { lease } => refused.with("lease", lease),
        Motion::Done => refused,
    }
}

/// Tells a file that can still be cancelled from one that is at the bank. What is folded does not know: the file's own
/// stream is on another partition than its payouts.
async fn as_of_now(view: &mut PgConnection, motion: Motion) -> Result<Motion, Status> {
    let Motion::File { file } = motion else { return Ok(motion) };
    let row = payment_file::find(view, &file).await.map_err(|error| status::database(&error))?;
    let submitted = row.is_some_and(|row| row.status == FileStatus::Submitted);
    Ok(if submitted { Motion::Bank { file } } else { Motion::File { file } })
}

fn switch_refused(rejection: &OpsRejection) -> Refused {
    match rejection {
        OpsRejection::NoNote
        | OpsRejection::NoConsumer { .. }
        | OpsRejection::SamePerson { .. }
        | OpsRejection::AlreadyPassed { .. } => wrong_state(),
    }
}

impl Payouts {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, commands: Commands, exports: Exports) -> Self {
        Self { views, commands, exports }
    }

    async fn find(&self, name: &str) -> Result<FoundPayout, Status> {
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        find_payout(&mut view, name).await
    }

    async fn message(
        &self,
        name: &str,
    ) -> Result<(api::Payout, ristoro_proto::ops::v1::AsOf), Status> {
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let found = find_payout(&mut view, name).await?;
        let context = Context::of(&mut view, &found.chunk).await?;
        let number = found.member.number;
        let standing = &found.chunk.standing;
        let mut notes = hold_notes(&mut view, &found.assessment, standing, &[number]).await?;
        let note = notes.remove(&number).unwrap_or_default();
        let message = context.message((&found.assessment, &found.member), &found.chunk, note);
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        Ok((message, as_of))
    }

    /// Executes a command on a payout, and gives it as it is then.
    async fn execute(
        &self,
        (name, found): (&str, &FoundPayout),
        request: &CommandRequest,
        command: &Command,
    ) -> Result<(Option<api::Payout>, String), Status> {
        let (assessment, number) = (&found.assessment, found.member.number);
        let stream = payout_stream(assessment, number);
        let done = self.commands.execute::<Payout>(&stream, request, command).await;
        let done = done.map_err(|error| command_status(error, refused))?;
        self.views.wait(&done.token, WAIT).await?;
        let is_hold = matches!(command, Command::Hold { .. });
        if is_hold && !request.validate_only {
            self.took_effect(assessment, number, done.version).await?;
        }
        let (payout, _) = self.message(name).await?;
        Ok((Some(payout), edge::consistency_token(&done.token)))
    }

    /// Refuses a hold that is on the log and came too late on its partition.
    async fn took_effect(&self, assessment: &str, number: u64, version: u64) -> Result<(), Status> {
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let obstacle = difference::obstacle(&mut view, assessment, number, version).await;
        let Some(motion) = obstacle.map_err(|error| status::database(&error))? else {
            return Ok(());
        };
        let motion = as_of_now(&mut view, motion).await?;
        let Refused { code, reason, metadata } = in_motion(&motion);
        Err(refuse(code, reason, motion.to_string(), &metadata))
    }

    async fn switch(
        &self,
        request: &CommandRequest,
        command: &PayoutSwitchCommand,
    ) -> Result<String, Status> {
        let stream = switch_stream(self.commands.partition_count());
        let done = self.commands.execute::<PayoutSwitch>(&stream, request, command).await;
        let done = done.map_err(|error| command_status(error, switch_refused))?;
        // From here on every effect of every replica sees it.
        self.views.wait(&done.token, WAIT).await?;
        Ok(edge::consistency_token(&done.token))
    }
}

#[tonic::async_trait]
impl PayoutService for Payouts {
    async fn hold_payout(
        &self,
        request: Request<api::HoldPayoutRequest>,
    ) -> Result<Response<api::HoldPayoutResponse>, Status> {
        let principal = require(&request, &[Role::Treasury, Role::Claims])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let note = names::note(&request.note)?;
        let found = self.find(&request.name).await?;
        let mut hold = found.chunk.standing.hold(found.member.number, note, Instant::now());
        if let Command::Hold { motion: Some(motion), .. } = &mut hold {
            let view = self.views.begin().await;
            let mut view = view.map_err(|error| status::database(&error))?;
            *motion = as_of_now(&mut view, motion.clone()).await?;
        }
        let place = (request.name.as_str(), &found);
        let (payout, consistency_token) = self.execute(place, &command, &hold).await?;
        Ok(Response::new(api::HoldPayoutResponse { payout, consistency_token }))
    }

    async fn release_payout(
        &self,
        request: Request<api::ReleasePayoutRequest>,
    ) -> Result<Response<api::ReleasePayoutResponse>, Status> {
        let principal = require(&request, &[Role::Treasury])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let release = Command::Release { note: names::note(&request.note)? };
        let found = self.find(&request.name).await?;
        let place = (request.name.as_str(), &found);
        let (payout, consistency_token) = self.execute(place, &command, &release).await?;
        Ok(Response::new(api::ReleasePayoutResponse { payout, consistency_token }))
    }

    async fn retry_payout(
        &self,
        request: Request<api::RetryPayoutRequest>,
    ) -> Result<Response<api::RetryPayoutResponse>, Status> {
        let principal = require(&request, &[Role::Treasury])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let found = self.find(&request.name).await?;
        let (number, standing) = (found.member.number, &found.chunk.standing);
        let failed = standing.given.get(&number).is_some_and(|given| given.place.failed);
        let grant_failed = failed && !standing.is_retried(number);
        let attempt = standing.standing(number).attempt + 1;
        let retry = Command::Retry { attempt, grant_failed };
        let place = (request.name.as_str(), &found);
        let (payout, consistency_token) = self.execute(place, &command, &retry).await?;
        Ok(Response::new(api::RetryPayoutResponse { payout, consistency_token }))
    }

    async fn stop_payouts(
        &self,
        request: Request<api::StopPayoutsRequest>,
    ) -> Result<Response<api::StopPayoutsResponse>, Status> {
        let principal = require(&request, &STOPPERS)?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, "", &metadata)?;
        let stop = PayoutSwitchCommand::Stop { note: names::note(&request.note)? };
        let consistency_token = self.switch(&command, &stop).await?;
        Ok(Response::new(api::StopPayoutsResponse { consistency_token }))
    }

    async fn resume_payouts(
        &self,
        request: Request<api::ResumePayoutsRequest>,
    ) -> Result<Response<api::ResumePayoutsResponse>, Status> {
        let principal = require(&request, &STOPPERS)?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, "", &metadata)?;
        let resume = PayoutSwitchCommand::Resume { note: names::note(&request.note)? };
        let consistency_token = self.switch(&command, &resume).await?;
        Ok(Response::new(api::ResumePayoutsResponse { consistency_token }))
    }

    type ExportInvoiceCreditsStream =
        Pin<Box<dyn Stream<Item = Result<api::ExportInvoiceCreditsResponse, Status>> + Send>>;

    async fn export_invoice_credits(
        &self,
        request: Request<api::ExportInvoiceCreditsRequest>,
    ) -> Result<Response<Self::ExportInvoiceCreditsStream>, Status> {
        let principal = require(&request, &[Role::Treasury])?;
        let (metadata, _, request) = request.into_parts();
        let command = command_request(&principal, &request.request_id, false, "", &metadata)?;
        let assessment = assessment_id("parent", &request.parent)?;
        let credits = self.exports.export(assessment, request.max_credits, command).await?;
        Ok(Response::new(Box::pin(credits)))
    }

    async fn get_payout(
        &self,
        request: Request<api::GetPayoutRequest>,
    ) -> Result<Response<api::GetPayoutResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let (payout, as_of) = self.message(&request.name).await?;
        let (payout, as_of) = (Some(payout), Some(as_of));
        Ok(Response::new(api::GetPayoutResponse { payout, as_of }))
    }

    async fn list_payouts(
        &self,
        request: Request<api::ListPayoutsRequest>,
    ) -> Result<Response<api::ListPayoutsResponse>, Status> {
        require(&request, &[Role::Treasury, Role::Analyst])?;
        let request = request.into_inner();
        let assessment = assessment_id("parent", &request.parent)?;
        let filter = filter(&request)?;
        let scope = format!("ListPayouts {assessment} {} {}", request.channel, request.state);
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let listed = payout_list::list(&mut view, &assessment, filter, &page).await?;
        let (payouts, next_page_token) = listed;
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        let as_of = Some(as_of);
        Ok(Response::new(api::ListPayoutsResponse { payouts, next_page_token, as_of }))
    }

    async fn get_order_progress(
        &self,
        request: Request<api::GetOrderProgressRequest>,
    ) -> Result<Response<api::GetOrderProgressResponse>, Status> {
        require(&request, &Role::FOLLOWERS)?;
        let assessment = assessment_id("name", &request.get_ref().name)?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let progress = order::progress(&mut view, &assessment).await;
        let progress = progress.map_err(|error| status::database(&error))?;
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        Ok(Response::new(api::GetOrderProgressResponse {
            ordered: progress.ordered,
            released_partitions: progress.released_partitions,
            voided_partitions: progress.voided_partitions,
            as_of: Some(as_of),
        }))
    }
}

fn filter(request: &api::ListPayoutsRequest) -> Result<Filter, Status> {
    let channel = api::Channel::try_from(request.channel)
        .map_err(|_| invalid("channel", "is no channel of this version"))?;
    let state = api::PayoutState::try_from(request.state)
        .map_err(|_| invalid("state", "is no state of this version"))?;
    Ok(Filter::new(channel, state))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_late_hold_names_the_file_to_cancel() {
        let refused =
            refused(&Rejection::InMotion { motion: Motion::File { file: "f1".to_owned() } });
        assert_eq!(refused.code, Code::FailedPrecondition);
        assert_eq!(refused.reason, ErrorReason::PayoutInMotion);
        assert_eq!(refused.metadata, [("resource", "paymentFiles/f1".to_owned())]);
    }
}
