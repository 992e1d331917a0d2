//! Amounts below the minimum payout count in the next assessment of the policy, and never twice.

use std::time::Duration;

use ristoro_domain::carry::{Carry, Command};
use ristoro_domain::outage::{self, Declaration};
use ristoro_domain::remedy::Reason;
use ristoro_domain::time::Instant;
use ristoro_log::Topic;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::google::r#type::Money;
use ristoro_proto::types::reason_in;
use ristoro_runtime::command::{CommandRequest, StreamRef};
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, equal};
use tonic::Status;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::settlements::{approve, ended};
use crate::support::{Running, as_anna, as_bo, declaration, fresh_id, row, start};

/// What is below 35.00 is carried over: one outage of five days gives 30.00 or, on a free plan, 5.00.
const MINIMUM: (&str, &str) = (
    "[settlement]",
    "[minimum_payout]\namount = \"35.00\"\nbelow = \"carried_over\"\nsource = \"test\"\n\n[settlement]",
);

/// Starts the service with somebody who pays, somebody on a free plan, and outages of five days with these names.
async fn ready(outages: &[&str]) -> Running {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb"), row(2, "free")]).await;
    running.publish_with("agcom-347-18", &[MINIMUM]).await;
    for outage in outages {
        running.declare(outage).await;
    }
    running
}

async fn propose(running: &Running, outage: &str) -> api::Assessment {
    let request = api::ProposeAssessmentRequest {
        request_id: fresh_id(),
        outage: format!("outages/{outage}"),
        policy: "policies/agcom-347-18".to_owned(),
        chunk_size: 1,
        ..api::ProposeAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    client.propose_assessment(as_anna(request)).await.unwrap().into_inner().assessment.unwrap()
}

async fn simulated(running: &Running, outage: &str, as_if: Option<api::AsIf>) -> api::Simulation {
    let request = api::SimulateAssessmentRequest {
        outage: format!("outages/{outage}"),
        policies: vec!["policies/agcom-347-18".to_owned()],
        as_if,
        ..api::SimulateAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    let answer = client.simulate_assessment(as_anna(request)).await.unwrap();
    answer.into_inner().simulations.remove(0)
}

/// Gives the events behind what an assessment decided about a subscription.
async fn explained(
    running: &Running,
    of: &api::Assessment,
    subscription: &str,
) -> Vec<api::ChainLink> {
    let request = api::ExplainEntitlementRequest {
        name: format!("{}/entitlements/{subscription}", of.name),
        ..api::ExplainEntitlementRequest::default()
    };
    let mut client = EntitlementServiceClient::new(running.channel.clone());
    let answer = client.explain_entitlement(as_anna(request)).await.unwrap();
    answer.into_inner().explanations.remove(0).chain
}

fn from(assessment: &api::Assessment) -> String {
    assessment.pins.as_ref().unwrap().leftovers.as_ref().unwrap().from_assessment.clone()
}

/// The id of an assessment.
fn id_of(assessment: &api::Assessment) -> &str {
    assessment.name.strip_prefix("assessments/").unwrap()
}

/// Completes a proposal.
async fn completed(running: &Running, proposal: &api::Assessment) {
    approve(running, proposal, 10_000).await.unwrap();
    let state = ended(running, &proposal.name).await.state();
    assert_eq!(state, api::AssessmentState::Completed);
}

/// Gives what an assessment decided about a subscription.
async fn decided(running: &Running, assessment: &api::Assessment, subscription: &str) -> Reason {
    let request = api::GetEntitlementRequest {
        name: format!("{}/entitlements/{subscription}", assessment.name),
        ..api::GetEntitlementRequest::default()
    };
    let mut client = EntitlementServiceClient::new(running.channel.clone());
    let found = client.get_entitlement(as_anna(request)).await.unwrap().into_inner();
    reason_in(&found.entitlement.unwrap().reason.unwrap()).unwrap()
}

/// Gives the cents of a decision: paid, carried over from before, and left.
async fn cents(running: &Running, of: &api::Assessment, subscription: &str) -> (i64, i64, i64) {
    let reason = decided(running, of, subscription).await;
    let paid = reason.remedies.iter().filter_map(|remedy| remedy.grant.amount());
    let carried = reason.carried.first().map_or((0, 0), |one| (one.before.minor, one.left.minor));
    (paid.map(|money| money.minor).sum(), carried.0, carried.1)
}

/// Takes over what a proposal counts as carried over, without approving it.
async fn claim(running: &Running, proposal: &api::Assessment) {
    let (commands, policy) = (running.service.commands(), "agcom-347-18");
    let id = format!("carry/{policy}");
    let stream = StreamRef::keyed(Topic::Policy, id, policy, commands.partition_count());
    let (assessment, after) = (id_of(proposal).to_owned(), Some(from(proposal)));
    let request = CommandRequest {
        request_id: Uuid::new_v4(),
        actor: "test".to_owned(),
        traceparent: String::new(),
        occurred_at: Instant::now(),
        expected_version: None,
        validate_only: false,
        content: None,
    };
    let take = Command::Take { assessment, after };
    commands.execute::<Carry>(&stream, &request, &take).await.unwrap();
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn small_amounts_add_up_from_outage_to_outage() {
    let running = ready(&["o1", "o2", "o3"]).await;
    let first = propose(&running, "o1").await;
    assert_eq!((first.totals.as_ref().unwrap().entitled, from(&first).as_str()), (0, ""));
    completed(&running, &first).await;
    assert_eq!(cents(&running, &first, "s1").await, (0, 0, 3_000));
    assert_eq!(cents(&running, &first, "s2").await, (0, 0, 500));

    let second = propose(&running, "o2").await;
    assert_eq!(from(&second), id_of(&first));
    let as_it_is = simulated(&running, "o2", None).await;
    assert_eq!(as_it_is.digest, second.digest);
    let as_if = simulated(&running, "o2", Some(api::AsIf::default())).await;
    assert_eq!(as_if.assumptions, ["nothing was carried over from before"]);
    assert_eq!(as_if.totals.unwrap().entitled, 0);
    completed(&running, &second).await;
    assert_eq!(cents(&running, &second, "s1").await, (6_000, 3_000, 0));
    assert_eq!(cents(&running, &second, "s2").await, (0, 500, 1_000));

    let explained = explained(&running, &second, "s1").await;
    let proposed = explained.iter().find(|link| link.r#type == "AssessmentProposed").unwrap();
    let told = format!("proposed for 1 of 2 people, after what {} carried over", id_of(&first));
    assert_eq!(proposed.text, told);

    // Whoever joins later brings nothing; what was paid is not carried any further.
    running.import(vec![row(3, "plus-5gb")]).await;
    let third = propose(&running, "o3").await;
    completed(&running, &third).await;
    assert_eq!(cents(&running, &third, "s1").await, (0, 0, 3_000));
    assert_eq!(cents(&running, &third, "s2").await, (0, 1_000, 1_500));
    assert_eq!(cents(&running, &third, "s3").await, (0, 0, 3_000));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_owed_nothing_now_keeps_what_was_left() {
    let running = ready(&["o1"]).await;
    completed(&running, &propose(&running, "o1").await).await;
    // Nobody of the cohort c1 is hit.
    let Declaration { impacts, .. } = declaration();
    let others = outage::StatedImpact { cohort: Some("c2".to_owned()), ..impacts[0].clone() };
    running.declare_as("o2", Declaration { impacts: vec![others], ..declaration() }).await;
    let unhurt = propose(&running, "o2").await;
    completed(&running, &unhurt).await;
    assert_eq!(cents(&running, &unhurt, "s1").await, (0, 3_000, 3_000));
    running.declare("o3").await;
    let third = propose(&running, "o3").await;
    completed(&running, &third).await;
    assert_eq!(cents(&running, &third, "s1").await, (6_000, 3_000, 0));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_outage_assessed_again_counts_its_own_amount_once() {
    let running = ready(&["o1", "o2"]).await;
    completed(&running, &propose(&running, "o1").await).await;
    let again = propose(&running, "o1").await;
    completed(&running, &again).await;
    assert_eq!(cents(&running, &again, "s1").await, (0, 3_000, 3_000));
    // It was paid with the amount of the first; the second outage's own 30.00 are granted then, and no more.
    let other = propose(&running, "o2").await;
    completed(&running, &other).await;
    assert_eq!(cents(&running, &other, "s1").await, (6_000, 3_000, 0));
    for outage in ["o1", "o2"] {
        let again = propose(&running, outage).await;
        completed(&running, &again).await;
        assert_eq!(cents(&running, &again, "s1").await, (0, 0, 0), "{outage}");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proposals_do_not_take_over_the_same() {
    let running = ready(&["o1", "o2", "o3"]).await;
    completed(&running, &propose(&running, "o1").await).await;
    let (second, third) = (propose(&running, "o2").await, propose(&running, "o3").await);
    assert_eq!(from(&second), from(&third));
    completed(&running, &second).await;
    let refused = approve(&running, &third, 10_000).await.unwrap_err();
    assert_eq!(reason(&refused), "LEFTOVERS_TAKEN");
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.metadata["assessment"], id_of(&second));
    let again = propose(&running, "o3").await;
    completed(&running, &again).await;
    assert_eq!(cents(&running, &again, "s1").await, (0, 0, 3_000));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_is_refused_takes_nothing_and_one_that_is_rejected_gives_back() {
    let running = ready(&["o1", "o2", "o3"]).await;
    completed(&running, &propose(&running, "o1").await).await;
    let (second, third) = (propose(&running, "o2").await, propose(&running, "o3").await);
    assert_eq!(reason(&approve(&running, &second, 1).await.unwrap_err()), "CAP_BELOW_TOTAL");
    // As if it had taken them and then ended: the claim stands on the log without an approval.
    claim(&running, &second).await;
    assert_eq!(reason(&approve(&running, &third, 10_000).await.unwrap_err()), "LEFTOVERS_TAKEN");
    let request = api::RejectAssessmentRequest {
        request_id: fresh_id(),
        name: second.name.clone(),
        ..api::RejectAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    client.reject_assessment(as_bo(request)).await.unwrap();
    let request = api::ApproveAssessmentRequest {
        request_id: fresh_id(),
        name: third.name.clone(),
        digest: third.digest.clone(),
        cap: Some(Money { currency_code: "EUR".to_owned(), units: 10_000, nanos: 0 }),
        ..api::ApproveAssessmentRequest::default()
    };
    client.approve_assessment(as_bo(request.clone())).await.unwrap();
    let done = ended(&running, &third.name).await;
    assert_eq!(done.state(), api::AssessmentState::Completed);
    assert_eq!(cents(&running, &third, "s1").await, (6_000, 3_000, 0));
    // The call sent again has the same answer, although the amounts are gone by now.
    client.approve_assessment(as_bo(request)).await.unwrap();

    let schemas = running.service.schemas();
    let live = rebuild::list(schemas).await.unwrap()[0].number;
    let built = rebuild::start(schemas, Uuid::new_v4()).await.unwrap();
    let comparison = equal(schemas, live, built, Duration::from_secs(60)).await.unwrap();
    assert_eq!(comparison, Comparison::Equal);
    running.end().await;
}
