//! `GrantService`: lends grants to provisioning, chunk by chunk, and takes their outcomes.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::grant::{Command, Event, Grants, Lease, Rejection, State};
use ristoro_domain::order::Channel;
use ristoro_domain::roster::partition_of_number;
use ristoro_domain::time::Instant;
use ristoro_log::Position;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::grant_service_server::GrantService;
use ristoro_proto::types::remedy_out;
use ristoro_runtime::edge;
use ristoro_runtime::grpc::{Principal, Role, require};
use ristoro_runtime::status::{self, invalid, refuse};
use ristoro_runtime::telemetry::current_traceparent;
use ristoro_runtime::views::Views;
use sqlx::PgConnection;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::export::claim_status;
use super::names::{self, assessment_id, find_members, members, payout_name, subscription_name};
use crate::claim::{self, Author, Claim, Claims};
use crate::projections::standing::Chunk;
use crate::projections::{draw, standing};
use crate::streams::grant_stream;

/// Who works with grants.
const PROVISIONERS: [Role; 2] = [Role::Operator, Role::Treasury];
/// Grants of one call where it names no number, and at most.
const GRANTS: (u32, u32) = (10_000, 1_000_000);
/// Seconds of a lease where the call names none, at least and at most.
const LEASE_SECONDS: (u32, u32, u32) = (600, 10, 86_400);
/// Answers that wait for a slow client.
const BUFFER: usize = 2;
/// How often a report looks again after somebody else wrote first.
const ATTEMPTS: usize = 20;

/// Serves grants.
#[derive(Clone, Debug)]
pub struct GrantsOfPartitions {
    views: Views,
    claims: Claims,
}

/// One call that pulls.
struct Pull {
    service: GrantsOfPartitions,
    assessment: String,
    most: usize,
    lease_seconds: i64,
    author: Author,
    sender: Sender<Result<api::PullGrantsResponse, Status>>,
}

/// What a report did.
#[derive(Default)]
struct Reported {
    delivered: usize,
    failed: usize,
    token: Vec<Position>,
}

fn author(principal: &Principal) -> Author {
    Author {
        actor: principal.name.clone(),
        traceparent: current_traceparent(),
        occurred_at: Instant::now(),
    }
}

fn refused(rejection: &Rejection) -> Status {
    let Rejection::NeverLent { number } = rejection;
    let metadata = [("number", number.to_string())];
    refuse(Code::FailedPrecondition, ErrorReason::WrongState, rejection.to_string(), &metadata)
}

impl GrantsOfPartitions {
    /// Makes the service.
    #[must_use]
    pub fn new(views: Views, claims: Claims) -> Self {
        Self { views, claims }
    }

    /// Records the outcomes of one partition.
    async fn report(
        &self,
        (assessment, partition): (&str, u32),
        (delivered, failed): (BTreeSet<u64>, BTreeMap<u64, String>),
        author: &Author,
        reported: &mut Reported,
    ) -> Result<(), Status> {
        if !delivered.is_empty() {
            let command = Command::Deliver { numbers: delivered.clone() };
            let event = self.record((assessment, partition), &delivered, &command, author).await?;
            if let Some((Event::GrantsDelivered { numbers }, position)) = event {
                reported.delivered += numbers.len();
                reported.token.push(position);
            }
        }
        for (number, note) in failed {
            let command = Command::Fail { number, note };
            let about = BTreeSet::from([number]);
            let event = self.record((assessment, partition), &about, &command, author).await?;
            if let Some((_, position)) = event {
                reported.failed += 1;
                reported.token.push(position);
            }
        }
        Ok(())
    }

    async fn record(
        &self,
        (assessment, partition): (&str, u32),
        about: &BTreeSet<u64>,
        command: &Command,
        author: &Author,
    ) -> Result<Option<(Event, Position)>, Status> {
        let database = |error| status::database(&error);
        let stream = grant_stream(assessment, partition);
        for _ in 0..ATTEMPTS {
            let mut view = self.views.begin().await.map_err(database)?;
            let head = claim::head(&mut view, &stream).await.map_err(database)?;
            let state = state(&mut view, (assessment, partition), about).await?;
            view.rollback().await.map_err(database)?;
            let claimed =
                self.claims.claim::<Grants>((&stream, head), &state, command, author).await;
            match claimed.map_err(|error| claim_status(error, refused))? {
                Claim::Nothing => return Ok(None),
                Claim::Won { event, position } => return Ok(Some((event, position))),
                Claim::Lost => {}
            }
        }
        let message = "others write the outcomes of this partition too: report again";
        Err(refuse(Code::Aborted, ErrorReason::VersionConflict, message, &[]))
    }
}

/// Reads what a decision about these people has to know.
async fn state(
    view: &mut PgConnection,
    (assessment, partition): (&str, u32),
    about: &BTreeSet<u64>,
) -> Result<State, Status> {
    let mut state = State::default();
    let mut after = None;
    for number in about {
        if after.is_some_and(|last| *number <= last) {
            continue;
        }
        let chunk = standing::of_number(view, assessment, partition, *number).await;
        let Some(chunk) = chunk.map_err(|error| status::database(&error))? else { continue };
        after = chunk.standing.orders.columns.numbers().last().copied();
        let State { places, leases } = chunk.standing.grants();
        state.places.extend(places);
        state.leases.extend(leases);
    }
    Ok(state)
}

impl Pull {
    async fn run(self) {
        if let Err(status) = self.all().await {
            // Whether the client is still there to hear it makes no difference.
            drop(self.sender.send(Err(status)).await);
        }
    }

    async fn all(&self) -> Result<(), Status> {
        let database = |error| status::database(&error);
        let mut view = self.service.views.begin().await.map_err(database)?;
        let partitions = draw::partitions(&mut view, &self.assessment).await.map_err(database)?;
        view.rollback().await.map_err(database)?;
        let mut lent = 0;
        for partition in partitions {
            let mut after = 0;
            while lent < self.most {
                let mut view = self.service.views.begin().await.map_err(database)?;
                let place = (self.assessment.as_str(), partition);
                let next = draw::next_with_grants(&mut view, place, after).await;
                let Some(chunk) = next.map_err(database)? else { break };
                view.rollback().await.map_err(database)?;
                after = chunk;
                let Some(response) = self.lend(partition, chunk).await? else { continue };
                lent += response.grants.len();
                // What a client that is gone does not get is lent again when its lease has ended.
                if self.sender.send(Ok(response)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Lends what is left of a chunk; none where nothing is.
    async fn lend(
        &self,
        partition: u32,
        chunk: u64,
    ) -> Result<Option<api::PullGrantsResponse>, Status> {
        let database = |error| status::database(&error);
        let stream = grant_stream(&self.assessment, partition);
        loop {
            let mut view = self.service.views.begin().await.map_err(database)?;
            names::not_stopped(&mut view).await?;
            let head = claim::head(&mut view, &stream).await.map_err(database)?;
            let known = standing::at(&mut view, &self.assessment, partition, chunk).await;
            let Some(known) = known.map_err(database)? else { return Ok(None) };
            view.rollback().await.map_err(database)?;
            let now = Instant::now();
            let (numbers, retried) = lendable(&known, now);
            if numbers.is_empty() {
                return Ok(None);
            }
            let expires_at =
                now + std::time::Duration::from_secs(self.lease_seconds.unsigned_abs());
            let lease = Uuid::new_v4().to_string();
            let wish = Lease { lease: lease.clone(), expires_at, chunk, numbers };
            let command = Command::Lease { wish, now, retried };
            let author = Author { occurred_at: now, ..self.author.clone() };
            let state = known.standing.grants();
            let claims = &self.service.claims;
            let claimed = claims.claim::<Grants>((&stream, head), &state, &command, &author).await;
            match claimed.map_err(|error| claim_status(error, refused))? {
                Claim::Nothing => return Ok(None),
                // Another client was first: what is left may be something else.
                Claim::Lost => {}
                Claim::Won { .. } => {
                    return self.response((partition, chunk), lease, expires_at).await.map(Some);
                }
            }
        }
    }

    /// Writes what the lease holds: a hold that came before its record leaves somebody out.
    async fn response(
        &self,
        (partition, chunk): (u32, u64),
        lease: String,
        expires_at: Instant,
    ) -> Result<api::PullGrantsResponse, Status> {
        let database = |error| status::database(&error);
        let mut view = self.service.views.begin().await.map_err(database)?;
        let known = standing::at(&mut view, &self.assessment, partition, chunk).await;
        let mut grants = Vec::new();
        if let Some(known) = known.map_err(database)? {
            let of_lease = known.standing.given.iter().filter(|(_, given)| given.lease == lease);
            let numbers: Vec<u64> = of_lease.map(|(number, _)| *number).collect();
            grants = messages(&mut view, &self.assessment, &known, &numbers).await?;
        }
        let expires_at = Some(edge::timestamp(expires_at));
        Ok(api::PullGrantsResponse { lease, expires_at, grants })
    }
}

/// Gives whom a lease can take now, and which of them have failed and are tried again.
fn lendable(chunk: &Chunk, now: Instant) -> (Vec<u64>, BTreeSet<u64>) {
    let all = chunk.standing.orders.columns.numbers().iter().copied();
    let numbers: Vec<u64> = all.filter(|it| chunk.standing.may_lend(*it, now)).collect();
    let retried = numbers.iter().copied().filter(|it| chunk.standing.is_retried(*it)).collect();
    (numbers, retried)
}

async fn messages(
    view: &mut PgConnection,
    assessment: &str,
    chunk: &Chunk,
    numbers: &[u64],
) -> Result<Vec<api::Grant>, Status> {
    let members = members(view, numbers).await?;
    let mut grants = Vec::with_capacity(numbers.len());
    for number in numbers {
        let order = chunk.standing.orders.order_of(*number);
        let (Some(order), Some(member)) = (order, members.get(number)) else { continue };
        let failures = chunk.standing.given.get(number).map_or(0, |given| given.failures);
        for remedy in order.on(Channel::Provisioning) {
            let (kind, payer) = (remedy.kind.name(), remedy.payer.name());
            let grant = remedy.grant.type_name();
            let currency = remedy.grant.amount().map(|money| money.currency.to_string());
            let currency = currency.unwrap_or_else(|| "none".to_owned());
            let attempt = failures + 1;
            grants.push(api::Grant {
                key: format!("{assessment}/{number}/{kind}/{grant}/{currency}/{payer}/{attempt}"),
                payout: payout_name(assessment, member),
                subscription: subscription_name(member),
                remedy: Some(remedy_out(remedy)),
            });
        }
    }
    Ok(grants)
}

#[tonic::async_trait]
impl GrantService for GrantsOfPartitions {
    type PullGrantsStream = ReceiverStream<Result<api::PullGrantsResponse, Status>>;

    async fn pull_grants(
        &self,
        request: Request<api::PullGrantsRequest>,
    ) -> Result<Response<Self::PullGrantsStream>, Status> {
        let principal = require(&request, &PROVISIONERS)?;
        let request = request.into_inner();
        let assessment = assessment_id("parent", &request.parent)?;
        let most = match request.max_grants {
            0 => GRANTS.0,
            most if most <= GRANTS.1 => most,
            more => {
                return Err(invalid("max_grants", format!("is {more}: write 1 to {}", GRANTS.1)));
            }
        };
        let (usual, least, longest) = LEASE_SECONDS;
        let lease_seconds = match request.lease_seconds {
            0 => usual,
            seconds if (least..=longest).contains(&seconds) => seconds,
            other => {
                let problem = format!("is {other}: write {least} to {longest}");
                return Err(invalid("lease_seconds", problem));
            }
        };
        let database = |error| status::database(&error);
        let mut view = self.views.begin().await.map_err(database)?;
        names::not_stopped(&mut view).await?;
        if !draw::is_known(&mut view, &assessment).await.map_err(database)? {
            return Err(status::not_found("ristoro.dev/Assessment", &request.parent));
        }
        let (sender, receiver) = channel(BUFFER);
        let pull = Pull {
            service: self.clone(),
            assessment,
            most: most as usize,
            lease_seconds: i64::from(lease_seconds),
            author: author(&principal),
            sender,
        };
        tokio::spawn(pull.run());
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn report_grant_outcomes(
        &self,
        request: Request<api::ReportGrantOutcomesRequest>,
    ) -> Result<Response<api::ReportGrantOutcomesResponse>, Status> {
        let principal = require(&request, &PROVISIONERS)?;
        let request = request.into_inner();
        let assessment = assessment_id("parent", &request.parent)?;
        edge::count("outcomes", request.outcomes.len(), 1..=10_000)?;
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let mut outcomes: BTreeMap<u32, (BTreeSet<u64>, BTreeMap<u64, String>)> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let names: Vec<&str> = request.outcomes.iter().map(|it| it.payout.as_str()).collect();
        let field = |place| format!("outcomes[{place}].payout");
        let members = find_members(&mut view, &names, field).await?;
        for (place, (outcome, (of, member))) in request.outcomes.iter().zip(members).enumerate() {
            let field = field(place);
            if of != assessment {
                return Err(invalid(&field, "is of another assessment than the parent"));
            }
            if !seen.insert(member.number) {
                return Err(invalid(&field, "is reported twice: write one outcome a payout"));
            }
            let field = format!("outcomes[{place}].failure");
            let failure = edge::optional_text(&field, &outcome.failure, 1_000)?;
            let partition = outcomes.entry(partition_of_number(member.number)).or_default();
            match failure {
                None => drop(partition.0.insert(member.number)),
                Some(note) => drop(partition.1.insert(member.number, note.to_owned())),
            }
        }
        view.rollback().await.map_err(|error| status::database(&error))?;
        let author = author(&principal);
        let mut reported = Reported::default();
        for (partition, both) in outcomes {
            self.report((&assessment, partition), both, &author, &mut reported).await?;
        }
        let count = |count: usize| u32::try_from(count).expect("a report is small");
        Ok(Response::new(api::ReportGrantOutcomesResponse {
            delivered: count(reported.delivered),
            failed: count(reported.failed),
            consistency_token: edge::consistency_token(&reported.token),
        }))
    }
}
