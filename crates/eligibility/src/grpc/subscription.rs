//! `SubscriptionService`: import, change and show subscriptions.

use std::sync::Arc;

use ristoro_domain::roster::Profile;
use ristoro_domain::roster::check::RowFault;
use ristoro_domain::roster::check::{
    change_faults, contact_faults, faults, payee_faults, profile_faults,
};
use ristoro_domain::subscriber::{Ask, SubscriberState};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::subscription_service_server::SubscriptionService;
use ristoro_proto::subscriber::{account_out, class_in, contact_in, fee_period_in, segment_in};
use ristoro_runtime::command::{CommandRequest, Commands, Done};
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Role, command_request, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::status;
use ristoro_runtime::views::{self, Views};
use tonic::{Request, Response, Status, Streaming};

use super::entitlement::SUBSCRIPTION;
use super::subscription_message::{Sight, account_in, import_row, listed, payee, shown};
use crate::projections::person::{self, PersonRow};
use crate::projections::{account, subscription};
use crate::roster::import::{Imported, PlacedRow, import, preview};
use crate::roster::personal::{Subscribers, WAIT};

/// Rows that are planned and written together.
const ROWS_AT_ONCE: usize = 50_000;
/// Rows of one message at most.
const ROWS_A_MESSAGE: usize = 1_000;
/// Rows of a strict import at most.
const STRICT_ROWS: usize = 200_000;
/// Rejected rows that an answer lists.
const LISTED_REJECTS: usize = 10_000;

/// Serves subscriptions.
#[derive(Debug)]
pub struct Subscriptions {
    subscribers: Subscribers,
}

impl Subscriptions {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, commands: Commands) -> Self {
        Self { subscribers: Subscribers { views, commands } }
    }

    async fn ask(
        &self,
        subscriber: &str,
        request: &CommandRequest,
        ask: Ask,
    ) -> Result<(String, String), Status> {
        let done: Done<SubscriberState> = self.subscribers.ask(subscriber, request, ask).await?;
        self.subscribers.views.wait(&done.token, WAIT).await?;
        Ok((done.version.to_string(), edge::consistency_token(&done.token)))
    }
}

fn subscription_ids(name: &str) -> Result<[String; 2], Status> {
    edge::parse_name("name", SUBSCRIPTION, name)
}

fn subscriber_id(name: &str) -> Result<String, Status> {
    edge::parse_name::<1>("name", "subscribers/{subscriber}", name).map(|[id]| id)
}

/// Refuses with the faults of fields, if there are any.
fn without_faults(faults: Vec<RowFault>) -> Result<(), Status> {
    match faults.is_empty() {
        true => Ok(()),
        false => Err(status::invalid_fields(
            faults.into_iter().map(|fault| (fault.column.to_owned(), fault.reason)).collect(),
        )),
    }
}

/// What an import has gathered so far.
#[derive(Default)]
struct Gathered {
    received: u64,
    rows: Vec<PlacedRow>,
    done: Imported,
}

impl Gathered {
    fn add(&mut self, rows: Vec<api::SubscriptionRow>) {
        for row in rows {
            self.received += 1;
            let place = row.row;
            let read = import_row(row).and_then(|read| {
                let faults = faults(&read);
                if faults.is_empty() { Ok(read) } else { Err(faults) }
            });
            match read {
                Ok(read) => self.rows.push((place, read)),
                Err(faults) => self.reject(place, faults),
            }
        }
    }

    fn reject(&mut self, place: u64, faults: Vec<RowFault>) {
        let reject = |fault: RowFault| (place, fault.column.to_owned(), fault.reason);
        self.done.rejects.extend(faults.into_iter().map(reject));
    }

    async fn flush(
        &mut self,
        subscribers: &Subscribers,
        request: &CommandRequest,
    ) -> Result<(), Status> {
        let rows = std::mem::take(&mut self.rows);
        if request.validate_only {
            self.done.add(preview(subscribers, &rows).await?);
        } else if !rows.is_empty() {
            self.done.add(import(subscribers, request, rows).await?);
        }
        Ok(())
    }

    /// Takes all rows or none.
    async fn flush_strictly(
        &mut self,
        subscribers: &Subscribers,
        request: &CommandRequest,
    ) -> Result<(), Status> {
        let rejects = preview(subscribers, &self.rows).await?.rejects;
        self.done.rejects.extend(rejects);
        match self.done.rejects.is_empty() {
            true => self.flush(subscribers, request).await,
            false => Ok(()),
        }
    }

    fn response(mut self) -> api::ImportSubscriptionsResponse {
        let token: Vec<_> = self.done.token.into_iter().collect();
        self.done.rejects.sort();
        let mut places: Vec<u64> = self.done.rejects.iter().map(|(place, ..)| *place).collect();
        places.dedup();
        let listed = self.done.rejects.into_iter().take(LISTED_REJECTS);
        let reject = |(row, column, reason)| api::RowReject { row, column, reason };
        api::ImportSubscriptionsResponse {
            rows: self.received,
            imported: self.done.imported,
            changed: self.done.changed,
            unchanged: self.done.unchanged,
            rejected: places.len() as u64,
            rejects: listed.map(reject).collect(),
            consistency_token: edge::consistency_token(&token),
        }
    }
}

#[tonic::async_trait]
impl SubscriptionService for Subscriptions {
    async fn import_subscriptions(
        &self,
        request: Request<Streaming<api::ImportSubscriptionsRequest>>,
    ) -> Result<Response<api::ImportSubscriptionsResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let (metadata, _, mut messages) = request.into_parts();
        let Some(first) = messages.message().await? else {
            return Err(status::invalid("rows", "are missing: send at least one message"));
        };
        let (id, dry, strict) = (&first.request_id, first.validate_only, first.strict);
        let command = command_request(&principal, id, dry, "", &metadata)?;
        let mut gathered = Gathered::default();
        let mut next = Some(first);
        while let Some(message) = next {
            edge::count("rows", message.rows.len(), 0..=ROWS_A_MESSAGE)?;
            gathered.add(message.rows);
            if strict && gathered.rows.len() > STRICT_ROWS {
                let problem = format!("are more than {STRICT_ROWS}: import them without strict");
                return Err(status::invalid("rows", problem));
            }
            if !strict && gathered.rows.len() >= ROWS_AT_ONCE {
                gathered.flush(&self.subscribers, &command).await?;
            }
            next = messages.message().await?;
        }
        match strict {
            true => gathered.flush_strictly(&self.subscribers, &command).await?,
            false => gathered.flush(&self.subscribers, &command).await?,
        }
        Ok(Response::new(gathered.response()))
    }

    async fn change_subscription(
        &self,
        request: Request<api::ChangeSubscriptionRequest>,
    ) -> Result<Response<api::ChangeSubscriptionResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let [subscriber, subscription] = subscription_ids(&request.name)?;
        let base = self.subscribers.base(&subscriber).await?;
        let held = base.holdings.get(&subscription);
        let held = held.ok_or_else(|| status::not_found("Subscription", &request.name))?;
        let fee = request.fee.as_ref().map(|fee| edge::positive_money("fee", Some(fee)));
        let before = &held.last().profile;
        let profile = Profile {
            service: before.service.clone(),
            plan: request.plan,
            segment: segment_in(request.segment).unwrap_or(before.segment),
            class: class_in(request.class).unwrap_or(before.class),
            cohort: Some(request.cohort).filter(|cohort| !cohort.is_empty()),
            fee: fee.transpose()?,
            fee_period: fee_period_in(request.fee_period).unwrap_or(before.fee_period),
        };
        without_faults(profile_faults(&profile))?;
        let changed_at = edge::instant("changed_at", request.changed_at.as_ref())?;
        without_faults(change_faults("changed_at", changed_at))?;
        let ask = Ask::ChangePlan { subscription, profile: Arc::new(profile), changed_at };
        let (etag, consistency_token) = self.ask(&subscriber, &command, ask).await?;
        Ok(Response::new(api::ChangeSubscriptionResponse { etag, consistency_token }))
    }

    async fn end_subscription(
        &self,
        request: Request<api::EndSubscriptionRequest>,
    ) -> Result<Response<api::EndSubscriptionResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let [subscriber, subscription] = subscription_ids(&request.name)?;
        let ended_at = edge::instant("ended_at", request.ended_at.as_ref())?;
        without_faults(change_faults("ended_at", ended_at))?;
        let ask = Ask::End { subscription, ended_at };
        let (etag, consistency_token) = self.ask(&subscriber, &command, ask).await?;
        Ok(Response::new(api::EndSubscriptionResponse { etag, consistency_token }))
    }

    async fn set_contact(
        &self,
        request: Request<api::SetContactRequest>,
    ) -> Result<Response<api::SetContactResponse>, Status> {
        let principal = require(&request, &[Role::Operator, Role::Support])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let subscriber = subscriber_id(&request.name)?;
        let contact = contact_in(request.contact.unwrap_or_default());
        without_faults(contact_faults(&contact))?;
        let (etag, consistency_token) =
            self.ask(&subscriber, &command, Ask::SetContact { contact }).await?;
        Ok(Response::new(api::SetContactResponse { etag, consistency_token }))
    }

    async fn set_payee(
        &self,
        request: Request<api::SetPayeeRequest>,
    ) -> Result<Response<api::SetPayeeResponse>, Status> {
        let principal = require(&request, &[Role::Operator, Role::Support])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let subscriber = subscriber_id(&request.name)?;
        let payee = payee(request.payee);
        without_faults(payee.as_ref().map(payee_faults).unwrap_or_default())?;
        let (etag, consistency_token) =
            self.ask(&subscriber, &command, Ask::SetPayee { payee }).await?;
        Ok(Response::new(api::SetPayeeResponse { etag, consistency_token }))
    }

    async fn set_account(
        &self,
        request: Request<api::SetAccountRequest>,
    ) -> Result<Response<api::SetAccountResponse>, Status> {
        let principal = require(&request, &[Role::Operator])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, &request.etag, &metadata)?;
        let [subscriber, subscription] = subscription_ids(&request.name)?;
        let account = account_in(&request.account.unwrap_or_default(), command.occurred_at)?;
        let ask = Ask::SetAccount { subscription, account };
        let (etag, consistency_token) = self.ask(&subscriber, &command, ask).await?;
        Ok(Response::new(api::SetAccountResponse { etag, consistency_token }))
    }

    async fn report_trouble(
        &self,
        request: Request<api::ReportTroubleRequest>,
    ) -> Result<Response<api::ReportTroubleResponse>, Status> {
        let principal = require(&request, &[Role::Operator, Role::Support])?;
        let (metadata, _, request) = request.into_parts();
        let (id, dry) = (&request.request_id, request.validate_only);
        let command = command_request(&principal, id, dry, "", &metadata)?;
        let [subscriber, subscription] = subscription_ids(&request.name)?;
        let component = edge::optional_text("component", &request.component, 64)?;
        let component = component.map(str::to_owned);
        let reported_at = edge::optional_instant("reported_at", request.reported_at.as_ref())?;
        let reported_at = reported_at.unwrap_or(command.occurred_at);
        if reported_at > command.occurred_at {
            let problem = format!("is {reported_at}, in the future: nobody has reported it yet");
            return Err(status::invalid("reported_at", problem));
        }
        let ask = Ask::ReportTrouble { subscription, component, reported_at };
        let (etag, consistency_token) = self.ask(&subscriber, &command, ask).await?;
        Ok(Response::new(api::ReportTroubleResponse { etag, consistency_token }))
    }

    async fn get_subscription(
        &self,
        request: Request<api::GetSubscriptionRequest>,
    ) -> Result<Response<api::GetSubscriptionResponse>, Status> {
        let readers = [Role::Support, Role::Claims, Role::Treasury, Role::Analyst, Role::Operator];
        let principal = require(&request, &readers)?;
        let request = request.into_inner();
        let views = &self.subscribers.views;
        views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let [subscriber, id] = subscription_ids(&request.name)?;
        let mut view = views.begin().await.map_err(|error| status::database(&error))?;
        let found = subscription::find(&mut view, &id, Some(&subscriber)).await;
        let found = found.map_err(|error| status::database(&error))?;
        let Some((number, _)) = found.first() else {
            return Err(status::not_found("Subscription", &request.name));
        };
        let row = subscription::current(&mut view, *number).await;
        let row = row.map_err(|error| status::database(&error))?;
        let row = row.ok_or_else(|| status::not_found("Subscription", &request.name))?;
        let person: PersonRow = person::find(&mut view, &subscriber)
            .await
            .map_err(|error| status::database(&error))?
            .unwrap_or_default();
        let sight = match principal.roles.contains(&Role::Support) {
            true => Sight::Clear,
            false => Sight::Masked,
        };
        let reports = subscription::trouble(&mut view, *number).await;
        let reports = reports.map_err(|error| status::database(&error))?;
        let account = account::recorded(&mut view, *number, i64::MAX as u64).await;
        let account = account.map_err(|error| status::database(&error))?;
        let account = account.last().map(|(_, account)| account_out(account));
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        let shown = shown(&row, &reports, &person, sight);
        let subscription = Some(api::Subscription { account, ..shown });
        Ok(Response::new(api::GetSubscriptionResponse { subscription, as_of: Some(as_of) }))
    }

    async fn list_subscriptions(
        &self,
        request: Request<api::ListSubscriptionsRequest>,
    ) -> Result<Response<api::ListSubscriptionsResponse>, Status> {
        let named = !request.get_ref().subscriber.is_empty();
        let roles: &[Role] = match named {
            true => &[Role::Support, Role::Claims, Role::Analyst, Role::Operator],
            false => &[Role::Analyst, Role::Operator],
        };
        require(&request, roles)?;
        let request = request.into_inner();
        let subscriber = match named {
            true => Some(subscriber_id(&request.subscriber)?),
            false => None,
        };
        let service = edge::optional_text("service", &request.service, 64)?;
        let scope = format!("ListSubscriptions {} {}", request.subscriber, request.service);
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        let views = &self.subscribers.views;
        views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let after = page.after.as_deref().and_then(|key| key.parse().ok()).unwrap_or(0);
        let mut view = views.begin().await.map_err(|error| status::database(&error))?;
        let filter = (subscriber.as_deref(), service);
        let limit = usize::try_from(page.fetch()).expect("a page is small");
        let rows = subscription::list(&mut view, filter, after, limit).await;
        let mut rows = rows.map_err(|error| status::database(&error))?;
        let next_page_token = page.cut(&mut rows, |row| row.number.to_string());
        let subscriptions = rows.iter().map(listed).collect();
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        let as_of = Some(as_of);
        Ok(Response::new(api::ListSubscriptionsResponse { subscriptions, next_page_token, as_of }))
    }
}
