//! `NoticeService`: what people are told, and what became of it.

use std::time::Duration;

use lettre::message::Mailbox;
use ristoro_domain::notice::{Command, Notice, Rejection};
use ristoro_domain::recipient::{self, Recipient, Suppress};
use ristoro_proto::notifier::v1 as api;
use ristoro_proto::notifier::v1::notice_service_server::NoticeService;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_runtime::command::{CommandRequest, Commands};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, command_request, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::refused::{Refused, command_status};
use ristoro_runtime::status;
use ristoro_runtime::views::{self, Views};
use sqlx::{Postgres, Transaction};
use tonic::{Code, Request, Response, Status};

use super::read::{self, ASSESSMENT, Found};
use crate::dispatch::{Seen, content, sender_name};
use crate::letter::{self, Language};
use crate::projections::chunk::QueueState;
use crate::projections::{chunk, contact, outage_event};
use crate::streams::{notice_stream, recipient_stream};

/// How long a read waits for `min_position`.
const WAIT: Duration = Duration::from_secs(5);
/// Who may read one notice.
const READERS: [Role; 3] = [Role::Support, Role::Analyst, Role::Operator];
/// The longest note, in characters.
const NOTE: std::ops::RangeInclusive<usize> = 1..=500;

/// Serves notices.
#[derive(Clone, Debug)]
pub struct Notices {
    views: Views,
    commands: Commands,
    from: Mailbox,
}

impl Notices {
    /// Makes the service; `from` signs the previews as it signs the notices.
    #[must_use]
    pub fn new(views: Views, commands: Commands, from: Mailbox) -> Self {
        Self { views, commands, from }
    }

    async fn view(&self, min_position: &str) -> Result<Transaction<'static, Postgres>, Status> {
        self.views.wait(&edge::min_position(min_position)?, WAIT).await?;
        self.views.begin().await.map_err(|error| status::database(&error))
    }

    async fn find(&self, name: &str) -> Result<Found, Status> {
        let mut view = self.view("").await?;
        read::find(&mut view, name).await
    }

    /// Executes a command on one notice and gives the notice after it.
    async fn execute(
        &self,
        name: &str,
        by: &CommandRequest,
        command: impl FnOnce(&Found) -> Command,
    ) -> Result<(Option<api::Notice>, String), Status> {
        let found = self.find(name).await?;
        let stream = notice_stream(&found.chunk.key.assessment, found.member.number);
        let done = self.commands.execute::<Notice>(&stream, by, &command(&found)).await;
        let done = done.map_err(|error| command_status(error, refused))?;
        self.views.wait(&done.token, WAIT).await?;
        let notice = self.find(name).await?.message()?;
        Ok((Some(notice), edge::consistency_token(&done.token)))
    }

    async fn preview(
        &self,
        view: &mut Transaction<'static, Postgres>,
        name: &str,
        language: &str,
    ) -> Result<api::PreviewNoticeResponse, Status> {
        let found = read::find(view, name).await?;
        let QueueState::Released { outage } = &found.queue else {
            let message = "the assessment is not completed: nobody is told anything yet";
            let metadata = [("resource", name.to_owned())];
            let code = Code::FailedPrecondition;
            return Err(status::refuse(code, ErrorReason::WrongState, message, &metadata));
        };
        let now = outage_event::read(view, outage).await.map_err(|e| status::database(&e))?;
        let now = now.ok_or_else(|| status::not_found("ristoro.dev/Outage", outage))?;
        let seen = Seen::new(outage, now);
        let remedies = found.chunk.told(found.place).map_err(|error| status::database(&error))?;
        let signed = (found.order().reference(), sender_name(&self.from));
        let content = content(&seen, &found.member, remedies, signed);
        let content = content.map_err(|error| status::internal(&error))?;
        let wanted = Some(language).filter(|tag| !tag.is_empty());
        let language = Language::of(wanted.or(found.member.locale.as_deref()));
        let letter = letter::write(&content, language);
        let as_of = views::as_of(view).await.map_err(|error| status::database(&error))?;
        Ok(api::PreviewNoticeResponse {
            subject: letter.subject,
            body: letter.body,
            language: language.tag().to_owned(),
            has_address: found.member.email.is_some(),
            as_of: Some(as_of),
        })
    }
}

#[tonic::async_trait]
impl NoticeService for Notices {
    async fn get_notice(
        &self,
        request: Request<api::GetNoticeRequest>,
    ) -> Result<Response<api::GetNoticeResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        let mut view = self.view(&request.min_position).await?;
        let notice = Some(read::find(&mut view, &request.name).await?.message()?);
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        Ok(Response::new(api::GetNoticeResponse { notice, as_of: Some(as_of) }))
    }

    async fn list_notices(
        &self,
        request: Request<api::ListNoticesRequest>,
    ) -> Result<Response<api::ListNoticesResponse>, Status> {
        require(&request, &[Role::Analyst, Role::Operator])?;
        let request = request.into_inner();
        let [assessment] = edge::parse_name("parent", ASSESSMENT, &request.parent)?;
        let only = api::NoticeState::try_from(request.state)
            .map_err(|_| status::invalid("state", "is none of the states"))?;
        let scope = format!("ListNotices {assessment} {}", request.state);
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        let after = page.after.as_deref().and_then(|key| key.parse().ok()).unwrap_or(0);
        let mut view = self.view(&request.min_position).await?;
        let known = chunk::is_known(&mut view, &assessment).await;
        if !known.map_err(|error| status::database(&error))? {
            return Err(status::not_found("ristoro.dev/Assessment", &request.parent));
        }
        let listed = read::list(&mut view, &assessment, after, only, page.size as usize).await;
        let listed = listed.map_err(|error| status::database(&error))?;
        let more = listed.more_after.map(|number| page.token(&number.to_string()));
        let next_page_token = more.unwrap_or_default();
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        let (notices, as_of) = (listed.notices, Some(as_of));
        Ok(Response::new(api::ListNoticesResponse { notices, next_page_token, as_of }))
    }

    async fn preview_notice(
        &self,
        request: Request<api::PreviewNoticeRequest>,
    ) -> Result<Response<api::PreviewNoticeResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        edge::optional_text("language", &request.language, 35)?;
        let mut view = self.view(&request.min_position).await?;
        self.preview(&mut view, &request.name, &request.language).await.map(Response::new)
    }

    async fn retry_notice(
        &self,
        request: Request<api::RetryNoticeRequest>,
    ) -> Result<Response<api::RetryNoticeResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let message = request.get_ref();
        let (id, only) = (&message.request_id, message.validate_only);
        let by = command_request(&principal, id, only, "", request.metadata())?;
        let of_attempt = message.of_attempt;
        let command = |found: &Found| Command::Retry {
            of_attempt: or_last(of_attempt, found),
            outcome: found.standing.outcome,
        };
        let (notice, consistency_token) = self.execute(&message.name, &by, command).await?;
        Ok(Response::new(api::RetryNoticeResponse { notice, consistency_token }))
    }

    async fn report_bounce(
        &self,
        request: Request<api::ReportBounceRequest>,
    ) -> Result<Response<api::ReportBounceResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let message = request.get_ref();
        let (id, only) = (&message.request_id, message.validate_only);
        let by = command_request(&principal, id, only, "", request.metadata())?;
        let (attempt, status_code) = (message.attempt, message.status_code.clone());
        let command = |found: &Found| Command::Bounce {
            attempt: or_last(attempt, found),
            outcome: found.standing.outcome,
            status_code,
        };
        let (notice, consistency_token) = self.execute(&message.name, &by, command).await?;
        Ok(Response::new(api::ReportBounceResponse { notice, consistency_token }))
    }

    async fn suppress_recipient(
        &self,
        request: Request<api::SuppressRecipientRequest>,
    ) -> Result<Response<api::SuppressRecipientResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let message = request.get_ref();
        let (id, only) = (&message.request_id, message.validate_only);
        let by = command_request(&principal, id, only, "", request.metadata())?;
        let [subscriber] = edge::parse_name("name", "subscribers/{subscriber}", &message.name)?;
        edge::text("note", &message.note, NOTE)?;
        let mut view = self.view("").await?;
        let known = contact::is_known(&mut view, &subscriber).await;
        if !known.map_err(|error| status::database(&error))? {
            return Err(status::not_found("ristoro.dev/Subscriber", &message.name));
        }
        let stream = recipient_stream(&subscriber, self.commands.partition_count());
        let command = Suppress { note: message.note.clone() };
        let done = self.commands.execute::<Recipient>(&stream, &by, &command).await;
        let done = done.map_err(|error| command_status(error, recipient_refused))?;
        let consistency_token = edge::consistency_token(&done.token);
        Ok(Response::new(api::SuppressRecipientResponse { consistency_token }))
    }

    async fn get_queue_progress(
        &self,
        request: Request<api::GetQueueProgressRequest>,
    ) -> Result<Response<api::GetQueueProgressResponse>, Status> {
        require(&request, &Role::FOLLOWERS)?;
        let [assessment] = edge::parse_name("name", ASSESSMENT, &request.get_ref().name)?;
        let mut view = self.view("").await?;
        let progress = chunk::progress(&mut view, &assessment).await;
        let progress = progress.map_err(|error| status::database(&error))?;
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        Ok(Response::new(api::GetQueueProgressResponse {
            queued: progress.queued,
            released_partitions: progress.released_partitions,
            voided_partitions: progress.voided_partitions,
            as_of: Some(as_of),
        }))
    }
}

/// Zero names the last attempt.
fn or_last(attempt: u32, found: &Found) -> u32 {
    if attempt == 0 { found.standing.attempt } else { attempt }
}

fn refused(rejection: &Rejection) -> Refused {
    match rejection {
        Rejection::NotLastAttempt { attempt, last } => {
            let refused = Refused::precondition(ErrorReason::WrongState);
            refused.with("attempt", attempt).with("last_attempt", last)
        }
        Rejection::UnderWay { attempt }
        | Rejection::Delivered { attempt }
        | Rejection::NeverTaken { attempt } => {
            Refused::precondition(ErrorReason::WrongState).with("attempt", attempt)
        }
        Rejection::StatusCode { .. } => {
            let refused = Refused::new(Code::InvalidArgument, ErrorReason::InvalidField);
            refused.with("field", "status_code")
        }
    }
}

fn recipient_refused(rejection: &recipient::Rejection) -> Refused {
    match rejection {
        recipient::Rejection::NoNote => {
            let refused = Refused::new(Code::InvalidArgument, ErrorReason::InvalidField);
            refused.with("field", "note")
        }
    }
}
