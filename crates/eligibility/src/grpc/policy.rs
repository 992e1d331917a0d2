//! `PolicyService`: publish, retire, read and try out policies.

use std::time::Duration;

use ristoro_domain::policy::Policy;
use ristoro_domain::policy::case::{self, CaseOutcome};
use ristoro_domain::policy_registry::{PolicyCommand, PolicyRegistry, PolicyRejection};
use ristoro_log::Topic;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::policy_service_server::PolicyService;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::types::{reason_out, timestamp};
use ristoro_runtime::command::{Commands, StreamRef};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, command_request, principal, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::refused::{Refused, command_status};
use ristoro_runtime::status;
use ristoro_runtime::views::{self, Views};
use tonic::{Code, Request, Response, Status};

use super::assessment_message::{POLICY, POLICY_VERSION, policy_name};
use crate::projections::policy::{self, PolicyRow};

/// How long a read waits for `min_position`.
const WAIT: Duration = Duration::from_secs(5);
/// Characters of a policy file at most.
const MAXIMUM_TEXT: usize = 262_144;
/// Bytes of a case at most.
const MAXIMUM_CASE: usize = 262_144;

/// Serves policies.
#[derive(Debug)]
pub struct Policies {
    views: Views,
    commands: Commands,
}

impl Policies {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, commands: Commands) -> Self {
        Self { views, commands }
    }

    fn stream(&self, policy: &str) -> StreamRef {
        let count = self.commands.partition_count();
        StreamRef::keyed(Topic::Policy, format!("policy/{policy}"), policy, count)
    }

    async fn find(&self, name: &str) -> Result<PolicyRow, Status> {
        let asked = policy_name("name", name)?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let found = policy::find(&mut view, &asked.policy, asked.version.as_deref()).await;
        let found = found.map_err(|error| status::database(&error))?;
        found.ok_or_else(|| status::not_found("Policy", name))
    }
}

/// Reads a policy's file; every fault is a field violation with its line and column.
fn parse(file: &str, text: &str) -> Result<Policy, Status> {
    Policy::parse(file, text).map_err(|errors| {
        let violation = |error: &_| ("text".to_owned(), format!("{error}"));
        status::invalid_fields(errors.iter().map(violation).collect())
    })
}

fn message(row: &PolicyRow, with_text: bool) -> Result<api::Policy, Status> {
    let read = parse(&format!("{}.toml", row.policy), &row.text)?;
    let state = match row.retired {
        None => api::PolicyState::Published,
        Some(_) => api::PolicyState::Retired,
    };
    Ok(api::Policy {
        name: edge::format_name(POLICY_VERSION, &[&row.policy, &row.version]),
        title: read.title().to_owned(),
        source: read.source().to_owned(),
        valid_from: read.valid_from().to_string(),
        valid_to: read.valid_to().map_or_else(String::new, |date| date.to_string()),
        zone: read.zone().iana_name().unwrap_or_default().to_owned(),
        currency: read.currency().code().to_owned(),
        state: state.into(),
        note: row.retired.clone().unwrap_or_default(),
        sha256: edge::hex(&row.sha256),
        position: row.position.to_string(),
        published_at: Some(timestamp(row.published_at)),
        published_by: row.published_by.clone(),
        text: if with_text { row.text.clone() } else { String::new() },
        etag: row.stream_version.to_string(),
    })
}

fn refused(rejection: &PolicyRejection) -> Refused {
    match rejection {
        PolicyRejection::VersionTaken { policy_version } => {
            Refused::new(Code::AlreadyExists, ErrorReason::ResourceExists)
                .with("version", policy_version)
        }
        PolicyRejection::UnknownVersion { policy_version } => {
            Refused::new(Code::NotFound, ErrorReason::ResourceNotFound)
                .with("version", policy_version)
        }
        PolicyRejection::Retired { policy_version } => {
            Refused::precondition(ErrorReason::WrongState).with("version", policy_version)
        }
    }
}

#[tonic::async_trait]
impl PolicyService for Policies {
    async fn publish_policy(
        &self,
        request: Request<api::PublishPolicyRequest>,
    ) -> Result<Response<api::PublishPolicyResponse>, Status> {
        let principal = require(&request, &[Role::PolicyAuthor])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, "", &metadata)?;
        let file = edge::text("file", &request.file, 0..=200)?;
        if request.text.len() > MAXIMUM_TEXT {
            let problem = format!("has {} bytes: at most {MAXIMUM_TEXT}", request.text.len());
            return Err(status::invalid("text", problem));
        }
        let read = parse(if file.is_empty() { "policy.toml" } else { file }, &request.text)?;
        let publish = PolicyCommand::Publish {
            policy_version: read.version().to_owned(),
            text: request.text,
        };
        let stream = self.stream(read.id());
        let done = self.commands.execute::<PolicyRegistry>(&stream, &command, &publish).await;
        let done = done.map_err(|error| command_status(error, refused))?;
        if dry {
            return Ok(Response::new(api::PublishPolicyResponse::default()));
        }
        self.views.wait(&done.token, WAIT).await?;
        let name = edge::format_name(POLICY_VERSION, &[read.id(), read.version()]);
        let policy = Some(message(&self.find(&name).await?, false)?);
        let consistency_token = edge::consistency_token(&done.token);
        Ok(Response::new(api::PublishPolicyResponse { policy, consistency_token }))
    }

    async fn retire_policy(
        &self,
        request: Request<api::RetirePolicyRequest>,
    ) -> Result<Response<api::RetirePolicyResponse>, Status> {
        let principal = require(&request, &[Role::PolicyAuthor])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let [policy, policy_version] = edge::parse_name("name", POLICY_VERSION, &request.name)?;
        let note = edge::text("note", &request.note, 1..=500)?.to_owned();
        let retire = PolicyCommand::Retire { policy_version, note };
        let stream = self.stream(&policy);
        let done = self.commands.execute::<PolicyRegistry>(&stream, &command, &retire).await;
        let done = done.map_err(|error| command_status(error, refused))?;
        Ok(Response::new(api::RetirePolicyResponse {
            etag: done.version.to_string(),
            consistency_token: edge::consistency_token(&done.token),
        }))
    }

    async fn get_policy(
        &self,
        request: Request<api::GetPolicyRequest>,
    ) -> Result<Response<api::GetPolicyResponse>, Status> {
        principal(&request)?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let policy = Some(message(&self.find(&request.name).await?, true)?);
        let as_of = Some(self.views.as_of().await?);
        Ok(Response::new(api::GetPolicyResponse { policy, as_of }))
    }

    async fn list_policies(
        &self,
        request: Request<api::ListPoliciesRequest>,
    ) -> Result<Response<api::ListPoliciesResponse>, Status> {
        principal(&request)?;
        let request = request.into_inner();
        let only = match request.policy.is_empty() {
            true => None,
            false => Some(edge::parse_name::<1>("policy", POLICY, &request.policy)?),
        };
        let scope = format!("ListPolicies {} {}", request.policy, request.show_retired);
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let after = page.after.as_deref().and_then(|key| key.split_once('\n')).unwrap_or_default();
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let only = only.as_ref().map(|[id]| id.as_str());
        let rows = policy::list(&mut view, only, request.show_retired, after, page.fetch()).await;
        let mut rows = rows.map_err(|error| status::database(&error))?;
        let next_page_token = page.cut(&mut rows, |row| format!("{}\n{}", row.policy, row.version));
        let policies = rows.iter().map(|row| message(row, false)).collect::<Result<_, _>>()?;
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        let as_of = Some(as_of);
        Ok(Response::new(api::ListPoliciesResponse { policies, next_page_token, as_of }))
    }

    async fn assess_case(
        &self,
        request: Request<api::AssessCaseRequest>,
    ) -> Result<Response<api::AssessCaseResponse>, Status> {
        principal(&request)?;
        let request = request.into_inner();
        edge::count("policies", request.policies.len(), 1..=10)?;
        if request.case_json.len() > MAXIMUM_CASE {
            return Err(status::invalid("case_json", format!("at most {MAXIMUM_CASE} bytes")));
        }
        let cases = case::parse_cases(&request.case_json)
            .map_err(|error| status::invalid("case_json", error.to_string()))?;
        let [input] = cases.as_slice() else {
            return Err(status::invalid(
                "case_json",
                format!("holds {} cases: send one", cases.len()),
            ));
        };
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let mut policies = Vec::with_capacity(request.policies.len());
        for name in &request.policies {
            let row = self.find(name).await?;
            policies.push(parse(&format!("{}.toml", row.policy), &row.text)?);
        }
        let outcome = case::run(&policies, input);
        let as_of = Some(self.views.as_of().await?);
        Ok(Response::new(case_message(outcome, as_of)))
    }
}

fn case_message(
    outcome: CaseOutcome,
    as_of: Option<ristoro_proto::ops::v1::AsOf>,
) -> api::AssessCaseResponse {
    let (reason, refusal) = match &outcome.decision {
        Ok(reason) => (Some(reason_out(reason)), None),
        Err(refusal) => (None, Some(refusal.clone())),
    };
    let (refused, message) =
        refusal.map_or_else(Default::default, |found| (found.reason, found.message));
    let differences = outcome.difference.into_iter().collect();
    api::AssessCaseResponse {
        name: outcome.name,
        reason,
        refused: refused.to_owned(),
        message,
        differences,
        as_of,
    }
}
