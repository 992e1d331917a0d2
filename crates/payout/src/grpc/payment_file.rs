//! `PaymentFileService`: creates, approves, submits and cancels payment files, and gives their bytes.

use ristoro_domain::payment_file::{Command, PaymentFile, Submission};
use ristoro_domain::time::Instant;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::payment_file_service_server::PaymentFileService;
use ristoro_runtime::command::{CommandRequest, Commands};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, command_request, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::refused::command_status;
use ristoro_runtime::status::{self, invalid};
use ristoro_runtime::views::{self, Views};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::names::{self, WAIT, file_id, file_name};
use super::payment_file_message::{content_status, file_message, refused, wrong_status};
use crate::files::content;
use crate::projections::payment_file::{self, FileRow};
use crate::projections::{payout_switch, reservation};
use crate::sepa::identifier::message_id;
use crate::streams::file_stream;

/// Who may read files.
const READERS: [Role; 4] = [Role::Proposer, Role::Approver, Role::Treasury, Role::Analyst];
/// The namespace of files' ids.
const FILES: Uuid = Uuid::from_u128(0x5a77_1c0e_d9b3_4f2c_8e46_20f8_91ab_6d35);
/// Bytes of one part of a download.
const PART: usize = 64 << 10;

/// Serves payment files.
#[derive(Clone, Debug)]
pub struct PaymentFiles {
    pub(super) views: Views,
    pub(super) commands: Commands,
}

/// Derives a file's id from the request that creates it.
pub(super) fn file_of(request_id: Uuid) -> String {
    Uuid::new_v5(&FILES, request_id.as_bytes()).to_string()
}

impl PaymentFiles {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, commands: Commands) -> Self {
        Self { views, commands }
    }

    /// Finds a file by its name.
    async fn find(&self, name: &str) -> Result<FileRow, Status> {
        let file = file_id(name)?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let row = payment_file::find(&mut view, &file).await;
        let row = row.map_err(|error| status::database(&error))?;
        row.ok_or_else(|| status::not_found("ristoro.dev/PaymentFile", name))
    }

    /// Executes a command on a file, and gives it as it is then; nothing where a dry run created none.
    pub(super) async fn execute(
        &self,
        file: &str,
        request: &CommandRequest,
        command: &Command,
    ) -> Result<(Option<api::PaymentFile>, String), Status> {
        let stream = file_stream(file, self.commands.partition_count());
        let done = self.commands.execute::<PaymentFile>(&stream, request, command).await;
        let done = done.map_err(|error| command_status(error, refused))?;
        self.views.wait(&done.token, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let row = payment_file::find(&mut view, file).await.map_err(database)?;
        let message = match row {
            Some(row) => {
                let streams = reservation::streams(&mut view, file).await.map_err(database)?;
                Some(file_message(&row, &streams))
            }
            None => None,
        };
        Ok((message, edge::consistency_token(&done.token)))
    }

    /// Writes what would go to the bank, and says whether payouts are stopped.
    async fn submission(&self, row: &FileRow, at: Instant) -> Result<Command, Status> {
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let stopped = payout_switch::stopped(&mut view).await.map_err(database)?.is_some();
        let held = content::content(&mut view, row).await.map_err(content_status)?;
        let held = held.ok_or_else(|| wrong_status(row.status))?;
        // The file tells whole seconds.
        let created_at = Instant::new(at.as_second(), 0).unwrap_or(at);
        let bytes = content::bytes(&mut view, row, created_at).await.map_err(content_status)?;
        let file = Uuid::try_parse(&row.file).map_err(|error| status::internal(&error))?;
        let (message_id, sha256) = (message_id(file), content::sha256(&bytes));
        let submission = Submission { message_id, created_at, sha256 };
        Ok(Command::Submit { submission, digest: held.digest, stopped })
    }
}

#[tonic::async_trait]
impl PaymentFileService for PaymentFiles {
    async fn create_payment_file(
        &self,
        request: Request<api::CreatePaymentFileRequest>,
    ) -> Result<Response<api::CreatePaymentFileResponse>, Status> {
        let principal = require(&request, &[Role::Proposer, Role::Treasury])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, "", &metadata)?;
        let (payment_file, consistency_token) =
            self.create(&principal.name, &command, &request).await?;
        Ok(Response::new(api::CreatePaymentFileResponse { payment_file, consistency_token }))
    }

    async fn approve_payment_file(
        &self,
        request: Request<api::ApprovePaymentFileRequest>,
    ) -> Result<Response<api::ApprovePaymentFileResponse>, Status> {
        let principal = require(&request, &[Role::Approver])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let digest = edge::digest("digest", &request.digest)?;
        let row = self.find(&request.name).await?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let content = content::content(&mut view, &row).await.map_err(content_status)?;
        view.rollback().await.map_err(|error| status::database(&error))?;
        let approve = Command::Approve { digest, approver: principal.name.clone(), content };
        let (payment_file, consistency_token) = self.execute(&row.file, &command, &approve).await?;
        Ok(Response::new(api::ApprovePaymentFileResponse { payment_file, consistency_token }))
    }

    async fn submit_payment_file(
        &self,
        request: Request<api::SubmitPaymentFileRequest>,
    ) -> Result<Response<api::SubmitPaymentFileResponse>, Status> {
        let principal = require(&request, &[Role::Treasury])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let row = self.find(&request.name).await?;
        let submit = match (&row.submission, row.approved) {
            // The same call again: nothing new is written, so nothing has to be made.
            (Some(submission), Some(approved)) => Command::Submit {
                submission: submission.clone(),
                digest: approved.digest,
                stopped: false,
            },
            (None, Some(_)) => self.submission(&row, command.occurred_at).await?,
            (_, None) => return Err(wrong_status(row.status)),
        };
        let (payment_file, consistency_token) = self.execute(&row.file, &command, &submit).await?;
        Ok(Response::new(api::SubmitPaymentFileResponse { payment_file, consistency_token }))
    }

    async fn cancel_payment_file(
        &self,
        request: Request<api::CancelPaymentFileRequest>,
    ) -> Result<Response<api::CancelPaymentFileResponse>, Status> {
        let roles = [Role::Proposer, Role::Approver, Role::Treasury];
        let principal = require(&request, &roles)?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let cancel = Command::Cancel { note: names::note(&request.note)? };
        let file = self.find(&request.name).await?.file;
        let (payment_file, consistency_token) = self.execute(&file, &command, &cancel).await?;
        Ok(Response::new(api::CancelPaymentFileResponse { payment_file, consistency_token }))
    }

    async fn get_payment_file(
        &self,
        request: Request<api::GetPaymentFileRequest>,
    ) -> Result<Response<api::GetPaymentFileResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let file = file_id(&request.name)?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let row = payment_file::find(&mut view, &file).await.map_err(database)?;
        let missing = || status::not_found("ristoro.dev/PaymentFile", &request.name);
        let row = row.ok_or_else(missing)?;
        let streams = reservation::streams(&mut view, &file).await.map_err(database)?;
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let payment_file = Some(file_message(&row, &streams));
        Ok(Response::new(api::GetPaymentFileResponse { payment_file, as_of }))
    }

    async fn list_payment_files(
        &self,
        request: Request<api::ListPaymentFilesRequest>,
    ) -> Result<Response<api::ListPaymentFilesResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        let page = Page::read(request.page_size, &request.page_token, "ListPaymentFiles")?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let after = page.after.as_deref().and_then(|key| key.split_once(' '));
        let after = after.and_then(|(at, file)| Some((at.parse().ok()?, file)));
        let after = after.unwrap_or((i64::MIN, ""));
        let rows = payment_file::list(&mut view, after, page.fetch()).await;
        let mut rows = rows.map_err(database)?;
        let key = |row: &FileRow| format!("{} {}", row.created_at.as_microsecond(), row.file);
        let next_page_token = page.cut(&mut rows, key);
        let mut payment_files = Vec::with_capacity(rows.len());
        for row in &rows {
            let streams = reservation::streams(&mut view, &row.file).await.map_err(database)?;
            payment_files.push(file_message(row, &streams));
        }
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        Ok(Response::new(api::ListPaymentFilesResponse { payment_files, next_page_token, as_of }))
    }

    type DownloadPaymentFileStream =
        ReceiverStream<Result<api::DownloadPaymentFileResponse, Status>>;

    async fn download_payment_file(
        &self,
        request: Request<api::DownloadPaymentFileRequest>,
    ) -> Result<Response<Self::DownloadPaymentFileStream>, Status> {
        require(&request, &[Role::Treasury])?;
        let row = self.find(&request.into_inner().name).await?;
        let Some(submission) = &row.submission else { return Err(wrong_status(row.status)) };
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let bytes = content::bytes(&mut view, &row, submission.created_at).await;
        let bytes = bytes.map_err(content_status)?;
        if content::sha256(&bytes) != submission.sha256 {
            // The bank must never get two versions of one file.
            tracing::error!(file = row.file, "the bytes of a payment file are not those submitted");
            let message = format!("{} gives other bytes than were submitted", file_name(&row.file));
            return Err(status::internal(&std::io::Error::other(message)));
        }
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            for part in bytes.chunks(PART) {
                let data = part.to_vec().into();
                if sender.send(Ok(api::DownloadPaymentFileResponse { data })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Reads the number of transfers that a file may hold.
pub(super) fn max_transfers(given: u32) -> Result<u64, Status> {
    const MOST: u32 = crate::sepa::rules::TRANSFERS_LIMIT as u32;
    match given {
        0 => Ok(u64::from(MOST)),
        given if given <= MOST => Ok(u64::from(given)),
        more => Err(invalid("max_transfers", format!("is {more}: write 1 to {MOST}"))),
    }
}
