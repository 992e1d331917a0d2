//! From a proposal to decided people: two persons, one scan at a time, the digest that was approved.

use std::sync::Arc;
use std::time::Duration;

use ristoro_eligibility::assess::inputs::PolicyName;
use ristoro_eligibility::assess::simulate::{Purpose, simulate};
use ristoro_eligibility::assess::{Inputs, Stated};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::google::r#type::Money;
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, equal};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::support::{Running, as_anna, as_bo, fresh_id, row, start};

/// The outage of the tests.
pub const OUTAGE: &str = "outages/o1";

/// Starts the service with so many people, every third on a free plan, two policies and an outage of all mailboxes.
pub async fn ready(people: u64) -> Running {
    let running = start().await;
    let plan = |place| if place % 3 == 0 { "free" } else { "plus-5gb" };
    running.import((1..=people).map(|place| row(place, plan(place))).collect()).await;
    running.publish("agcom-347-18").await;
    running.publish("libero-2023").await;
    running.declare("o1").await;
    running
}

/// Proposes a policy.
pub async fn propose(running: &Running, policy: &str) -> api::Assessment {
    let request = api::ProposeAssessmentRequest {
        request_id: fresh_id(),
        outage: OUTAGE.to_owned(),
        policy: format!("policies/{policy}"),
        chunk_size: 7,
        ..api::ProposeAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    let answer = client.propose_assessment(as_anna(request)).await.unwrap();
    answer.into_inner().assessment.unwrap()
}

/// Approves a proposal up to so many euros.
pub async fn approve(
    running: &Running,
    proposal: &api::Assessment,
    euros: i64,
) -> Result<(), Status> {
    let cap = Money { currency_code: "EUR".to_owned(), units: euros, nanos: 0 };
    let request = api::ApproveAssessmentRequest {
        request_id: fresh_id(),
        name: proposal.name.clone(),
        digest: proposal.digest.clone(),
        cap: Some(cap),
        ..api::ApproveAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    client.approve_assessment(as_bo(request)).await.map(|_| ())
}

/// Follows the assessment to its end.
pub async fn ended(running: &Running, name: &str) -> api::Assessment {
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    let request = api::WatchAssessmentRequest { name: name.to_owned() };
    let mut updates = client.watch_assessment(as_anna(request)).await.unwrap().into_inner();
    let mut last = None;
    let all = async {
        while let Some(update) = updates.message().await.unwrap() {
            last = update.assessment;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    last.unwrap()
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_decided_once_as_it_was_approved() {
    let running = ready(50).await;
    let proposal = propose(&running, "agcom-347-18").await;
    // 16 free at 5.00, 34 paying at 30.00.
    let totals = proposal.totals.clone().unwrap();
    assert_eq!((totals.count, totals.entitled), (50, 50));
    assert_eq!(totals.grants[0].amount.as_ref().unwrap().minor, 16 * 500 + 34 * 3000);
    assert_eq!(reason(&approve(&running, &proposal, 1099).await.unwrap_err()), "CAP_BELOW_TOTAL");
    approve(&running, &proposal, 1100).await.unwrap();
    let done = ended(&running, &proposal.name).await;
    assert_eq!(done.state(), api::AssessmentState::Completed);
    assert_eq!((done.decided, done.digest), (50, proposal.digest));

    let mut client = EntitlementServiceClient::new(running.channel.clone());
    let (mut names, mut cents, mut page_token) = (Vec::new(), 0, String::new());
    loop {
        let request = api::ListEntitlementsRequest {
            parent: done.name.clone(),
            page_size: 9,
            page_token,
            ..api::ListEntitlementsRequest::default()
        };
        let page = client.list_entitlements(as_anna(request)).await.unwrap().into_inner();
        for one in page.entitlements {
            let trace = one.reason.unwrap().trace;
            cents +=
                trace.iter().filter_map(|line| line.amount.as_ref()).map(|a| a.minor).sum::<i64>();
            names.push(one.name);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    names.dedup();
    assert_eq!((names.len(), cents), (50, 16 * 500 + 34 * 3000));
    let sql: (i64, i64) =
        sqlx::query_as("select count(*), sum(amount_minor)::bigint from eligibility.entitlement")
            .fetch_one(&running.pool)
            .await
            .unwrap();
    assert_eq!(sql, (50, cents));

    let schemas = running.service.schemas();
    let live = rebuild::list(schemas).await.unwrap()[0].number;
    let built = rebuild::start(schemas, Uuid::new_v4()).await.unwrap();
    let comparison = equal(schemas, live, built, Duration::from_secs(60)).await.unwrap();
    assert_eq!(comparison, Comparison::Equal);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_made_before_something_was_given_is_made_again() {
    let running = ready(10).await;
    let goodwill = propose(&running, "libero-2023").await;
    let indemnity = propose(&running, "agcom-347-18").await;
    approve(&running, &goodwill, 0).await.unwrap();
    assert_eq!(ended(&running, &goodwill.name).await.state(), api::AssessmentState::Completed);
    let refused = approve(&running, &indemnity, 10_000).await.unwrap_err();
    assert_eq!(reason(&refused), "PROPOSAL_OUTDATED");
    let again = propose(&running, "agcom-347-18").await;
    assert_eq!(again.after_assessments, [goodwill.name]);
    approve(&running, &again, 10_000).await.unwrap();
    assert_eq!(ended(&running, &again.name).await.state(), api::AssessmentState::Completed);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proposer_cannot_approve_and_an_unknown_outage_is_told() {
    let running = ready(3).await;
    let proposal = propose(&running, "libero-2023").await;
    let request = api::ApproveAssessmentRequest {
        request_id: fresh_id(),
        name: proposal.name,
        digest: proposal.digest,
        ..api::ApproveAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    // The role alone keeps the proposer out; the decider's own tests keep a person with both roles out.
    let refused = client.approve_assessment(as_anna(request)).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::PermissionDenied, "ROLE_MISSING")
    );
    let request = api::SimulateAssessmentRequest {
        outage: "outages/none".to_owned(),
        policies: vec!["policies/libero-2023".to_owned()],
        ..api::SimulateAssessmentRequest::default()
    };
    let refused = client.simulate_assessment(as_anna(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_ends_when_its_caller_goes_away() {
    let running = ready(3).await;
    let views = running.service.views();
    let mut view = views.begin().await.unwrap();
    let policy = PolicyName { policy: "agcom-347-18".to_owned(), version: None };
    let count = running.service.log().partition_count();
    let inputs = Inputs::now(&mut view, "o1", &policy, Stated::default(), count).await.unwrap();
    view.rollback().await.unwrap();
    let inputs = Arc::new(vec![inputs]);
    let simulated = simulate(&views, &inputs, Purpose::Propose).await.unwrap();
    assert_eq!(simulated.simulations[0].totals.entitled, 3);

    // As a switch would: nobody can begin to read while this is held.
    let mut gate = running.service.pool().begin().await.unwrap();
    let lock = "select pg_advisory_xact_lock(hashtextextended('ristoro views:eligibility', 0))";
    sqlx::query(lock).execute(&mut *gate).await.unwrap();
    let patience = Duration::from_millis(50);
    let simulating = simulate(&views, &inputs, Purpose::Propose);
    assert!(tokio::time::timeout(patience, simulating).await.is_err());
    // Only workers that have ended have let go of what they decide on.
    let all_gone = async {
        while Arc::strong_count(&inputs) > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all_gone).await.unwrap();
    gate.rollback().await.unwrap();
    running.end().await;
}
