//! `EntitlementService`: what somebody is owed, and why.

use std::time::Duration;

use ristoro_domain::roster::partition_of_number;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::entitlement_service_server::EntitlementService;
use ristoro_runtime::edge::{self, SubscriptionKey};
use ristoro_runtime::grpc::{Role, require};
use ristoro_runtime::page::Page;
use ristoro_runtime::status;
use ristoro_runtime::views::{self, Views};
use sqlx::PgConnection;
use tonic::{Request, Response, Status};

use super::assessment_message::ASSESSMENT;
use super::explain::{entitlement_message, explain};
use crate::projections::assessment::{self, AssessmentRow};
use crate::projections::decision::{self, ChunkRow};
use crate::projections::{owed, subscription};

/// The name of an entitlement.
pub const ENTITLEMENT: &str = "assessments/{assessment}/entitlements/{subscription}";
/// The name of a subscription.
pub const SUBSCRIPTION: &str = "subscribers/{subscriber}/subscriptions/{subscription}";
/// How long a read waits for `min_position`.
const WAIT: Duration = Duration::from_secs(5);
/// Chunks that a list reads at once.
const CHUNKS_A_READ: i64 = 4;

/// Serves entitlements.
#[derive(Debug)]
pub struct Entitlements {
    views: Views,
}

/// A subscription that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// Its number.
    pub(super) number: u64,
    /// The provider's subscriber id.
    pub(super) subscriber: String,
    /// The provider's subscription id.
    pub(super) subscription: String,
}

impl Found {
    /// Gives the segment that names it: alone where that is unique, else with its subscriber.
    pub(super) fn key(&self, unique: bool) -> SubscriptionKey {
        let subscriber = (!unique).then(|| self.subscriber.clone());
        SubscriptionKey { subscriber, subscription: self.subscription.clone() }
    }
}

impl Entitlements {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views) -> Self {
        Self { views }
    }

    async fn one(&self, view: &mut PgConnection, name: &str) -> Result<api::Entitlement, Status> {
        let (assessment, key) = edge::subscription_key("name", ENTITLEMENT, name)?;
        let (found, decided) = find(view, &key, Some(&assessment), name).await?;
        let (row, chunk) = decided.first().ok_or_else(|| status::not_found("Assessment", name))?;
        let chunk = chunk.as_ref().ok_or_else(|| status::not_found("Entitlement", name))?;
        entitlement_message(row, chunk, &found, &key)
    }
}

/// Finds the one subscription that a key names, with what one assessment, or every one, decided about it.
async fn find(
    view: &mut PgConnection,
    key: &SubscriptionKey,
    assessment: Option<&str>,
    name: &str,
) -> Result<(Found, Vec<(AssessmentRow, Option<ChunkRow>)>), Status> {
    let (id, subscriber) = (&key.subscription, key.subscriber.as_deref());
    let holders = owed::find(view, id, subscriber, assessment).await;
    let mut holders = holders.map_err(|error| status::database(&error))?;
    let Some(owed::Holder { number, subscriber, assessments }) = holders.pop() else {
        return Err(status::not_found("Subscription", name));
    };
    if !holders.is_empty() {
        let count = holders.len() + 1;
        let problem = format!("names {count} subscriptions: write {{subscriber}}~{{subscription}}");
        return Err(status::invalid("name", problem));
    }
    Ok((Found { number, subscriber, subscription: id.clone() }, assessments))
}

#[tonic::async_trait]
impl EntitlementService for Entitlements {
    async fn get_entitlement(
        &self,
        request: Request<api::GetEntitlementRequest>,
    ) -> Result<Response<api::GetEntitlementResponse>, Status> {
        require(&request, &[Role::Support, Role::Analyst])?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let entitlement = Some(self.one(&mut view, &request.name).await?);
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        Ok(Response::new(api::GetEntitlementResponse { entitlement, as_of: Some(as_of) }))
    }

    async fn batch_get_entitlements(
        &self,
        request: Request<api::BatchGetEntitlementsRequest>,
    ) -> Result<Response<api::BatchGetEntitlementsResponse>, Status> {
        require(&request, &[Role::Support, Role::Analyst])?;
        let request = request.into_inner();
        edge::count("names", request.names.len(), 1..=1_000)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let mut entitlements = Vec::with_capacity(request.names.len());
        for name in &request.names {
            entitlements.push(self.one(&mut view, name).await?);
        }
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        let as_of = Some(as_of);
        Ok(Response::new(api::BatchGetEntitlementsResponse { entitlements, as_of }))
    }

    async fn list_entitlements(
        &self,
        request: Request<api::ListEntitlementsRequest>,
    ) -> Result<Response<api::ListEntitlementsResponse>, Status> {
        require(&request, &[Role::Analyst])?;
        let request = request.into_inner();
        let [id] = edge::parse_name("parent", ASSESSMENT, &request.parent)?;
        let scope = format!("ListEntitlements {id} {}", request.entitled_only);
        let page = Page::read(request.page_size, &request.page_token, &scope)?;
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let row = assessment::find(&mut view, &id).await.map_err(|e| status::database(&e))?;
        let row = row.ok_or_else(|| status::not_found("Assessment", &request.parent))?;
        let after = page.after.as_deref().and_then(|key| key.parse().ok()).unwrap_or(0);
        let limit = page.size as usize + 1;
        let mut members = members(&mut view, &row, after, limit, request.entitled_only).await?;
        let next_page_token = page.cut(&mut members, |(number, _)| number.to_string());
        let entitlements = messages(&mut view, &row, &members).await?;
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        let as_of = Some(as_of);
        Ok(Response::new(api::ListEntitlementsResponse { entitlements, next_page_token, as_of }))
    }

    async fn explain_entitlement(
        &self,
        request: Request<api::ExplainEntitlementRequest>,
    ) -> Result<Response<api::ExplainEntitlementResponse>, Status> {
        require(&request, &[Role::Support, Role::Analyst])?;
        let request = request.into_inner();
        self.views.wait(&edge::min_position(&request.min_position)?, WAIT).await?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let (only, key) = match request.name.starts_with("assessments/") {
            true => {
                let (id, key) = edge::subscription_key("name", ENTITLEMENT, &request.name)?;
                (Some(id), key)
            }
            false => {
                let [subscriber, subscription] =
                    edge::parse_name("name", SUBSCRIPTION, &request.name)?;
                (None, SubscriptionKey { subscriber: Some(subscriber), subscription })
            }
        };
        let (found, decided) = find(&mut view, &key, only.as_deref(), &request.name).await?;
        let explanations = explain(&mut view, decided, &found, &key).await?;
        if explanations.is_empty() {
            return Err(status::not_found("Entitlement", &request.name));
        }
        let as_of = views::as_of(&mut view).await.map_err(|error| status::database(&error))?;
        Ok(Response::new(api::ExplainEntitlementResponse { explanations, as_of: Some(as_of) }))
    }
}

/// A number with the chunk that holds it.
type Member = (u64, std::sync::Arc<ChunkRow>);

/// Gives up to `limit` people of an assessment behind a number, over all partitions.
async fn members(
    view: &mut PgConnection,
    row: &AssessmentRow,
    after: u64,
    limit: usize,
    entitled_only: bool,
) -> Result<Vec<Member>, Status> {
    let mut members: Vec<Member> = Vec::new();
    let partitions = row.proposal.pins.roster_offsets.len();
    let partitions = u32::try_from(partitions).expect("partitions are few");
    for partition in partition_of_number(after)..partitions {
        let mut from = if partition == partition_of_number(after) { after + 1 } else { 0 };
        loop {
            let (id, numbers) = (&row.assessment, from..=i64::MAX as u64);
            let chunks =
                decision::chunks_between(view, id, partition, numbers, CHUNKS_A_READ).await;
            let chunks = chunks.map_err(|error| status::database(&error))?;
            let Some(last) = chunks.last().and_then(|c| c.chunk.columns.numbers().last()) else {
                break;
            };
            let next = last + 1;
            for chunk in chunks.into_iter().map(std::sync::Arc::new) {
                for (number, entry) in chunk.chunk.columns.iter().filter(|(n, _)| *n >= from) {
                    let remedies = &chunk.chunk.reasons[entry as usize].remedies;
                    if !(entitled_only && remedies.is_empty()) {
                        members.push((number, std::sync::Arc::clone(&chunk)));
                    }
                    if members.len() == limit {
                        return Ok(members);
                    }
                }
            }
            from = next;
        }
    }
    Ok(members)
}

async fn messages(
    view: &mut PgConnection,
    row: &AssessmentRow,
    members: &[Member],
) -> Result<Vec<api::Entitlement>, Status> {
    let numbers: Vec<u64> = members.iter().map(|(number, _)| *number).collect();
    let ids = subscription::ids(view, &numbers).await.map_err(|error| status::database(&error))?;
    let mut messages = Vec::with_capacity(members.len());
    for (number, chunk) in members {
        // Whoever was decided stands in the roster; the roster's table may be behind in another process.
        let Some((subscriber, subscription)) = ids.get(number).cloned() else { continue };
        let found = Found { number: *number, subscriber, subscription };
        messages.push(entitlement_message(row, chunk, &found, &found.key(false))?);
    }
    Ok(messages)
}
