//! `OutageService`: declare, amend, restore, resolve, and show.

use std::time::Duration;

use jiff::tz::TimeZone;
use ristoro_domain::outage::{Command, Outage};
use ristoro_proto::outage::v1 as api;
use ristoro_proto::outage::v1::outage_service_server::OutageService;
use ristoro_runtime::command::{CommandRequest, Commands, Done};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, command_request, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::refused::command_status;
use ristoro_runtime::status::{self, invalid};
use ristoro_runtime::views::{self, Views};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::input;
use super::message::{OUTAGE, entry_message, outage_message, outage_name};
use super::refused::outage_refused;
use crate::projections::outage::{self, Filter, OutageKey};
use crate::projections::state::Known;
use crate::projections::timeline;
use crate::streams::outage_stream;

/// How long a read waits for `min_position`.
pub(super) const WAIT: Duration = Duration::from_secs(5);
/// Who may read outages: everybody but feeds.
pub(super) const READERS: [Role; 9] = [
    Role::Declarer,
    Role::PolicyAuthor,
    Role::Proposer,
    Role::Approver,
    Role::Claims,
    Role::Treasury,
    Role::Support,
    Role::Analyst,
    Role::Operator,
];
/// The namespace of the ids of outages whose declarer gives none.
const NAMESPACE: Uuid = Uuid::from_u128(0x7c1b_3f60_19d2_4a55_8e07_b2d6_40f1_95ce);

/// Serves outages.
#[derive(Clone, Debug)]
pub struct Outages {
    views: Views,
    commands: Commands,
}

/// A command on a known outage, before its content is read.
struct Asked {
    id: String,
    zone: TimeZone,
    by: CommandRequest,
}

impl Outages {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, commands: Commands) -> Self {
        Self { views, commands }
    }

    async fn find(&self, id: &str) -> Result<Option<Known>, Status> {
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        outage::find(&mut view, id).await.map_err(|error| status::database(&error))
    }

    /// Reads what all commands on a known outage have in common. Local times are meant in the outage's own zone.
    async fn asked<T>(
        &self,
        request: &Request<T>,
        (request_id, validate_only): (&str, bool),
        (name, etag): (&str, &str),
    ) -> Result<Asked, Status> {
        let principal = require(request, &[Role::Declarer])?;
        let by = command_request(&principal, request_id, validate_only, etag, request.metadata())?;
        let [id] = edge::parse_name("name", OUTAGE, name)?;
        let known = self.find(&id).await?;
        let known = known.ok_or_else(|| status::not_found("ristoro.dev/Outage", name))?;
        let declaration = known.state.declaration;
        let zone = declaration.map_or_else(|| "UTC".to_owned(), |one| one.time_zone);
        Ok(Asked { id, zone: input::zone("time_zone", &zone)?, by })
    }

    async fn execute(
        &self,
        id: &str,
        by: &CommandRequest,
        command: &Command,
    ) -> Result<(Option<api::Outage>, String), Status> {
        let stream = outage_stream(id, self.commands.partition_count());
        let done = self.commands.execute::<Outage>(&stream, by, command).await;
        let done = done.map_err(|error| command_status(error, outage_refused))?;
        let known = self.after(id, by, &done).await?;
        Ok((Some(outage_message(&known)), edge::consistency_token(&done.token)))
    }

    /// Gives the outage as the tables have it after the command, or as it would be.
    async fn after(
        &self,
        id: &str,
        by: &CommandRequest,
        done: &Done<Outage>,
    ) -> Result<Known, Status> {
        self.views.wait(&done.token, WAIT).await?;
        let known = self.find(id).await?;
        match (known, by.validate_only) {
            (Some(known), false) => Ok(known),
            (known, _) => {
                let known = known.unwrap_or_else(|| Known::new(id.to_owned(), by.occurred_at));
                Ok(Known { state: done.state.clone(), ..known })
            }
        }
    }
}

#[tonic::async_trait]
impl OutageService for Outages {
    async fn declare_outage(
        &self,
        request: Request<api::DeclareOutageRequest>,
    ) -> Result<Response<api::DeclareOutageResponse>, Status> {
        let principal = require(&request, &[Role::Declarer])?;
        let message = request.get_ref();
        let (id, only) = (&message.request_id, message.validate_only);
        let by = command_request(&principal, id, only, "", request.metadata())?;
        let id = match message.outage.is_empty() {
            true => Uuid::new_v5(&NAMESPACE, by.request_id.as_bytes()).to_string(),
            false => edge::id("outage", &message.outage)?.to_owned(),
        };
        let command = input::declare(message)?;
        let (outage, consistency_token) = self.execute(&id, &by, &command).await?;
        Ok(Response::new(api::DeclareOutageResponse { outage, consistency_token }))
    }

    async fn amend_outage(
        &self,
        request: Request<api::AmendOutageRequest>,
    ) -> Result<Response<api::AmendOutageResponse>, Status> {
        let message = request.get_ref();
        let command = (message.request_id.as_str(), message.validate_only);
        let resource = (message.name.as_str(), message.etag.as_str());
        let asked = self.asked(&request, command, resource).await?;
        let command = input::amend(message, &asked.zone)?;
        let (outage, consistency_token) = self.execute(&asked.id, &asked.by, &command).await?;
        Ok(Response::new(api::AmendOutageResponse { outage, consistency_token }))
    }

    async fn add_impact(
        &self,
        request: Request<api::AddImpactRequest>,
    ) -> Result<Response<api::AddImpactResponse>, Status> {
        let message = request.get_ref();
        let command = (message.request_id.as_str(), message.validate_only);
        let resource = (message.name.as_str(), message.etag.as_str());
        let asked = self.asked(&request, command, resource).await?;
        let command = input::add_impact(message, &asked.zone)?;
        let (outage, consistency_token) = self.execute(&asked.id, &asked.by, &command).await?;
        Ok(Response::new(api::AddImpactResponse { outage, consistency_token }))
    }

    async fn restore_impact(
        &self,
        request: Request<api::RestoreImpactRequest>,
    ) -> Result<Response<api::RestoreImpactResponse>, Status> {
        let message = request.get_ref();
        let command = (message.request_id.as_str(), message.validate_only);
        let resource = (message.name.as_str(), message.etag.as_str());
        let asked = self.asked(&request, command, resource).await?;
        let command = input::restore(message, &asked.zone)?;
        let (outage, consistency_token) = self.execute(&asked.id, &asked.by, &command).await?;
        Ok(Response::new(api::RestoreImpactResponse { outage, consistency_token }))
    }

    async fn resolve_outage(
        &self,
        request: Request<api::ResolveOutageRequest>,
    ) -> Result<Response<api::ResolveOutageResponse>, Status> {
        let message = request.get_ref();
        let command = (message.request_id.as_str(), message.validate_only);
        let resource = (message.name.as_str(), message.etag.as_str());
        let asked = self.asked(&request, command, resource).await?;
        let command = input::resolve(message, &asked.zone)?;
        let (outage, consistency_token) = self.execute(&asked.id, &asked.by, &command).await?;
        Ok(Response::new(api::ResolveOutageResponse { outage, consistency_token }))
    }

    async fn reopen_outage(
        &self,
        request: Request<api::ReopenOutageRequest>,
    ) -> Result<Response<api::ReopenOutageResponse>, Status> {
        let message = request.get_ref();
        let command = (message.request_id.as_str(), message.validate_only);
        let resource = (message.name.as_str(), message.etag.as_str());
        let asked = self.asked(&request, command, resource).await?;
        let command = input::reopen(message, &asked.zone)?;
        let (outage, consistency_token) = self.execute(&asked.id, &asked.by, &command).await?;
        Ok(Response::new(api::ReopenOutageResponse { outage, consistency_token }))
    }

    async fn withdraw_outage(
        &self,
        request: Request<api::WithdrawOutageRequest>,
    ) -> Result<Response<api::WithdrawOutageResponse>, Status> {
        let message = request.get_ref();
        let command = (message.request_id.as_str(), message.validate_only);
        let resource = (message.name.as_str(), message.etag.as_str());
        let asked = self.asked(&request, command, resource).await?;
        let command = input::withdraw(message)?;
        let (outage, consistency_token) = self.execute(&asked.id, &asked.by, &command).await?;
        Ok(Response::new(api::WithdrawOutageResponse { outage, consistency_token }))
    }

    async fn get_outage(
        &self,
        request: Request<api::GetOutageRequest>,
    ) -> Result<Response<api::GetOutageResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        let [id] = edge::parse_name("name", OUTAGE, &request.name)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let known = outage::find(&mut view, &id).await.map_err(database)?;
        let known = known.ok_or_else(|| status::not_found("ristoro.dev/Outage", &request.name))?;
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let outage = Some(outage_message(&known));
        Ok(Response::new(api::GetOutageResponse { outage, as_of }))
    }

    async fn list_outages(
        &self,
        request: Request<api::ListOutagesRequest>,
    ) -> Result<Response<api::ListOutagesResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        let (filter, scope) = filter(&request)?;
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        let after = page.after.as_deref().map(key).transpose()?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        let rows = outage::list(&mut view, &filter, after.as_ref(), page.fetch()).await;
        let mut rows = rows.map_err(database)?;
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let next_page_token =
            page.cut(&mut rows, |(key, _)| format!("{}/{}", key.began_at, key.outage));
        let outages = rows.iter().map(|(_, known)| outage_message(known)).collect();
        Ok(Response::new(api::ListOutagesResponse { outages, next_page_token, as_of }))
    }

    async fn get_timeline(
        &self,
        request: Request<api::GetTimelineRequest>,
    ) -> Result<Response<api::GetTimelineResponse>, Status> {
        require(&request, &READERS)?;
        let request = request.into_inner();
        let [id] = edge::parse_name("name", OUTAGE, &request.name)?;
        let scope = format!("timeline {}", outage_name(&id));
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        let after = page.after.as_deref().map_or(Ok(0), str::parse::<u64>);
        let after = after.map_err(|_| invalid("page_token", "is none that this query gave"))?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        if !outage::exists(&mut view, &id).await.map_err(database)? {
            return Err(status::not_found("ristoro.dev/Outage", &request.name));
        }
        let entries = timeline::list(&mut view, &id, after, page.fetch()).await;
        let mut entries = entries.map_err(database)?;
        let as_of = Some(views::as_of(&mut view).await.map_err(database)?);
        let next_page_token = page.cut(&mut entries, |entry| entry.version.to_string());
        let entries = entries.into_iter().map(entry_message).collect();
        Ok(Response::new(api::GetTimelineResponse { entries, next_page_token, as_of }))
    }
}

/// Reads a list's filter, and its text, which binds the page tokens to it.
fn filter(request: &api::ListOutagesRequest) -> Result<(Filter, String), Status> {
    let state = match api::OutageState::try_from(request.state) {
        Ok(api::OutageState::Unspecified) => None,
        Ok(api::OutageState::Open) => Some("open"),
        Ok(api::OutageState::Resolved) => Some("resolved"),
        Ok(api::OutageState::Withdrawn) => Some("withdrawn"),
        Err(_) => {
            return Err(invalid("state", format!("is {}, which is no state", request.state)));
        }
    };
    let provider = edge::optional_text("provider", &request.provider, edge::MAXIMUM_ID)?;
    let open_at = edge::optional_instant("open_at", request.open_at.as_ref())?;
    let open_at = open_at.map(input::whole_microseconds);
    let filter = Filter { provider: provider.map(str::to_owned), state, open_at };
    let scope = format!("outages {filter:?}");
    Ok((filter, scope))
}

fn key(text: &str) -> Result<OutageKey, Status> {
    let parts = text.split_once('/');
    let key = parts.and_then(|(began_at, outage)| {
        Some(OutageKey { began_at: began_at.parse().ok()?, outage: outage.to_owned() })
    });
    key.ok_or_else(|| invalid("page_token", "is none that this query gave"))
}
