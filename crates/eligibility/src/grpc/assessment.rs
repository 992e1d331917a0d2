//! `AssessmentService`: simulate, propose, approve and follow.

use std::sync::Arc;
use std::time::Duration;

use ristoro_domain::settlement::{Command, Proposal, Settlement, State, Status as Stage};
use ristoro_log::Topic;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_server::AssessmentService;
use ristoro_runtime::command::{CommandRequest, Commands, Done, StreamRef};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, command_request, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::refused::command_status;
use ristoro_runtime::status;
use ristoro_runtime::views::{self, Views};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::assessment_message::{
    ASSESSMENT, assess_status, assessment_message, outage_id, policy_name, refused, stated,
};
use super::leftovers::take_over;
use super::simulation;
use crate::assess::simulate::{Purpose, simulate};
use crate::assess::{Inputs, Stated};
use crate::projections::assessment::{self, AssessmentRow};
use crate::projections::decision;

/// How long a read waits for `min_position`.
const WAIT: Duration = Duration::from_secs(5);
/// How often a watch looks.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);
/// Subscriptions a chunk unless the proposal says otherwise.
const CHUNK_SIZE: u32 = 4_000;

/// Serves assessments.
#[derive(Debug)]
pub struct Assessments {
    views: Views,
    commands: Commands,
    shutdown: CancellationToken,
}

impl Assessments {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, commands: Commands, shutdown: CancellationToken) -> Self {
        Self { views, commands, shutdown }
    }

    fn stream(&self, outage: &str) -> StreamRef {
        let count = self.commands.partition_count();
        StreamRef::keyed(Topic::Settlement, format!("settlement/{outage}"), outage, count)
    }

    async fn inputs(&self, outage: &str, policy: &str, stated: Stated) -> Result<Inputs, Status> {
        let outage = outage_id("outage", outage)?;
        let name = policy_name("policy", policy)?;
        let count = self.commands.partition_count();
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let inputs = Inputs::now(&mut view, &outage, &name, stated, count).await;
        inputs.map_err(|error| assess_status(&error))
    }

    async fn find(&self, name: &str) -> Result<AssessmentRow, Status> {
        let [id] = edge::parse_name("name", ASSESSMENT, name)?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let found = assessment::find(&mut view, &id).await;
        let found = found.map_err(|error| status::database(&error))?;
        found.ok_or_else(|| status::not_found("Assessment", name))
    }

    async fn message(&self, row: &AssessmentRow) -> Result<api::Assessment, Status> {
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let scans = decision::scans(&mut view, &row.assessment).await;
        let scans = scans.map_err(|error| status::database(&error))?;
        Ok(assessment_message(row, scans.iter().map(|scan| scan.decided).sum()))
    }

    async fn settle(
        &self,
        outage: &str,
        request: &CommandRequest,
        command: &Command,
    ) -> Result<Done<State>, Status> {
        let stream = self.stream(outage);
        let done = self.commands.execute::<Settlement>(&stream, request, command).await;
        done.map_err(|error| command_status(error, refused))
    }

    /// Gives the assessment as it is after a command, and the token with which it can be read again.
    async fn after(
        &self,
        name: &str,
        done: &Done<State>,
    ) -> Result<(Option<api::Assessment>, String), Status> {
        self.views.wait(&done.token, WAIT).await?;
        let row = self.find(name).await?;
        Ok((Some(self.message(&row).await?), edge::consistency_token(&done.token)))
    }
}

#[tonic::async_trait]
impl AssessmentService for Assessments {
    async fn simulate_assessment(
        &self,
        request: Request<api::SimulateAssessmentRequest>,
    ) -> Result<Response<api::SimulateAssessmentResponse>, Status> {
        require(&request, &[Role::Proposer, Role::Approver, Role::Analyst])?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let count = self.commands.partition_count();
        let (simulations, comparisons) = simulation::run(&self.views, count, &request).await?;
        let as_of = Some(self.views.as_of().await?);
        Ok(Response::new(api::SimulateAssessmentResponse { simulations, as_of, comparisons }))
    }

    async fn propose_assessment(
        &self,
        request: Request<api::ProposeAssessmentRequest>,
    ) -> Result<Response<api::ProposeAssessmentResponse>, Status> {
        let principal = require(&request, &[Role::Proposer])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, "", &metadata)?;
        let chunk_size = match request.chunk_size {
            0 => CHUNK_SIZE,
            size @ 1..=10_000 => size,
            size => {
                return Err(status::invalid("chunk_size", format!("is {size}: write 1 to 10000")));
            }
        };
        let stated = stated(request.known_at.as_ref(), &request.payment_day)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let assessment = assessment_id(command.request_id);
        let name = edge::format_name(ASSESSMENT, &[&assessment]);
        let outage = outage_id("outage", &request.outage)?;
        // A retry must be the same command, though the world has moved on since: the proposal stands as it was made.
        let proposal = match self.stored(&assessment).await? {
            Some(row) if row.proposal.outage == outage => row.proposal,
            Some(_) | None => {
                let inputs = self.inputs(&request.outage, &request.policy, stated).await?;
                let policies = Arc::new(vec![inputs]);
                let simulated = simulate(&self.views, &policies, Purpose::Propose).await;
                let mut simulated = simulated.map_err(|error| assess_status(&error))?;
                let simulation = simulated.simulations.swap_remove(0);
                let inputs = &policies[0];
                Proposal {
                    assessment,
                    outage: outage.clone(),
                    pins: inputs.pins.clone(),
                    totals: simulation.totals,
                    digests: simulation.digests,
                    chunk_size,
                    after_assessments: inputs
                        .earlier
                        .iter()
                        .map(|e| e.assessment.clone())
                        .collect(),
                    proposed_by: principal.name.clone(),
                }
            }
        };
        let propose = Command::Propose(Box::new(proposal));
        let done = self.settle(&outage, &command, &propose).await?;
        if command.validate_only {
            return Ok(Response::new(api::ProposeAssessmentResponse::default()));
        }
        let (assessment, consistency_token) = self.after(&name, &done).await?;
        Ok(Response::new(api::ProposeAssessmentResponse { assessment, consistency_token }))
    }

    async fn approve_assessment(
        &self,
        request: Request<api::ApproveAssessmentRequest>,
    ) -> Result<Response<api::ApproveAssessmentResponse>, Status> {
        let principal = require(&request, &[Role::Approver])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let digest = edge::digest("digest", &request.digest)?;
        let cap = edge::non_negative_money("cap", request.cap.as_ref())?;
        let row = self.find(&request.name).await?;
        let (assessment, approver) = (row.assessment.clone(), principal.name.clone());
        let approve = Command::Approve { assessment, digest, cap, approver };
        if let Some(leftovers) = &row.proposal.pins.leftovers {
            // What would be refused anyhow takes nothing over.
            let check = CommandRequest { validate_only: true, ..command.clone() };
            self.settle(&row.proposal.outage, &check, &approve).await?;
            let by = (&row.proposal, leftovers);
            take_over((&self.views, &self.commands), by, &command).await?;
        }
        let done = self.settle(&row.proposal.outage, &command, &approve).await?;
        let (assessment, consistency_token) = self.after(&request.name, &done).await?;
        Ok(Response::new(api::ApproveAssessmentResponse { assessment, consistency_token }))
    }

    async fn reject_assessment(
        &self,
        request: Request<api::RejectAssessmentRequest>,
    ) -> Result<Response<api::RejectAssessmentResponse>, Status> {
        let principal = require(&request, &[Role::Approver])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let note = edge::text("note", &request.note, 0..=1_000)?.to_owned();
        let row = self.find(&request.name).await?;
        let reject = Command::Reject { assessment: row.assessment.clone(), note };
        let done = self.settle(&row.proposal.outage, &command, &reject).await?;
        let (assessment, consistency_token) = self.after(&request.name, &done).await?;
        Ok(Response::new(api::RejectAssessmentResponse { assessment, consistency_token }))
    }

    async fn cancel_assessment(
        &self,
        request: Request<api::CancelAssessmentRequest>,
    ) -> Result<Response<api::CancelAssessmentResponse>, Status> {
        let principal = require(&request, &[Role::Approver])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let note = edge::text("note", &request.note, 0..=1_000)?.to_owned();
        let row = self.find(&request.name).await?;
        let cancel = Command::Cancel { assessment: row.assessment.clone(), note };
        let done = self.settle(&row.proposal.outage, &command, &cancel).await?;
        let (assessment, consistency_token) = self.after(&request.name, &done).await?;
        Ok(Response::new(api::CancelAssessmentResponse { assessment, consistency_token }))
    }

    async fn get_assessment(
        &self,
        request: Request<api::GetAssessmentRequest>,
    ) -> Result<Response<api::GetAssessmentResponse>, Status> {
        require(&request, &Role::FOLLOWERS)?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let row = self.find(&request.name).await?;
        let assessment = Some(self.message(&row).await?);
        let as_of = Some(self.views.as_of().await?);
        Ok(Response::new(api::GetAssessmentResponse { assessment, as_of }))
    }

    async fn list_assessments(
        &self,
        request: Request<api::ListAssessmentsRequest>,
    ) -> Result<Response<api::ListAssessmentsResponse>, Status> {
        require(&request, &Role::FOLLOWERS)?;
        let request = request.into_inner();
        let outage = match request.outage.is_empty() {
            true => None,
            false => Some(outage_id("outage", &request.outage)?),
        };
        let scope = format!("ListAssessments {}", request.outage);
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let after = page.after.as_deref().and_then(|key| key.split_once(' '));
        let after = after.and_then(|(at, id)| Some((at.parse().ok()?, id)));
        let after = after.unwrap_or((i64::MIN, ""));
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let rows = assessment::list(&mut view, outage.as_deref(), after, page.fetch()).await;
        let mut rows = rows.map_err(|error| status::database(&error))?;
        let key = |row: &AssessmentRow| {
            format!("{} {}", row.proposed_at.as_microsecond(), row.assessment)
        };
        let next_page_token = page.cut(&mut rows, key);
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        view.rollback().await.map_err(|error| status::database(&error))?;
        let mut assessments = Vec::with_capacity(rows.len());
        for row in &rows {
            assessments.push(self.message(row).await?);
        }
        let as_of = Some(as_of);
        Ok(Response::new(api::ListAssessmentsResponse { assessments, next_page_token, as_of }))
    }

    type WatchAssessmentStream = ReceiverStream<Result<api::WatchAssessmentResponse, Status>>;

    async fn watch_assessment(
        &self,
        request: Request<api::WatchAssessmentRequest>,
    ) -> Result<Response<Self::WatchAssessmentStream>, Status> {
        require(&request, &Role::FOLLOWERS)?;
        let name = request.into_inner().name;
        self.find(&name).await?;
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let watcher = Self::new(self.views.clone(), self.commands.clone(), self.shutdown.clone());
        tokio::spawn(async move { watcher.watch(&name, &sender).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

type Watcher = tokio::sync::mpsc::Sender<Result<api::WatchAssessmentResponse, Status>>;

impl Assessments {
    async fn stored(&self, assessment: &str) -> Result<Option<AssessmentRow>, Status> {
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let found = assessment::find(&mut view, assessment).await;
        found.map_err(|error| status::database(&error))
    }

    /// Sends what changes until the assessment has ended, the caller is gone or the server ends.
    async fn watch(&self, name: &str, sender: &Watcher) {
        let mut last = None;
        loop {
            let (update, ended) = match self.progress(name).await {
                Ok((update, ended)) => (Ok(update), ended),
                Err(status) => (Err(status), true),
            };
            if update.as_ref().ok() != last.as_ref() {
                last = update.as_ref().ok().cloned();
                if sender.send(update).await.is_err() {
                    return;
                }
            }
            if ended {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                () = sender.closed() => return,
                () = self.shutdown.cancelled() => {
                    // Whether the caller is still there to hear it makes no difference.
                    drop(sender.send(Err(status::shutting_down())).await);
                    return;
                }
            }
        }
    }

    async fn progress(&self, name: &str) -> Result<(api::WatchAssessmentResponse, bool), Status> {
        let row = self.find(name).await?;
        let ended = match row.status {
            Stage::Proposed | Stage::Deciding => false,
            Stage::Completed | Stage::Rejected | Stage::Cancelled | Stage::Stopped => true,
        };
        let assessment = Some(self.message(&row).await?);
        let total = row.proposal.totals.count;
        Ok((api::WatchAssessmentResponse { assessment, total }, ended))
    }
}

/// Derives an assessment's id from the request that proposes it.
fn assessment_id(request_id: Uuid) -> String {
    const NAMESPACE: Uuid = Uuid::from_u128(0x7c3e_52aa_0f4d_4a43_9e2b_1f60_94c8_2d17);
    Uuid::new_v5(&NAMESPACE, request_id.as_bytes()).to_string()
}
