//! Facts that a policy asks for and that the service gives it: in a simulation, in the scan, and in what is explained.

use ristoro_domain::facts::Cause;
use ristoro_domain::outage::Declaration;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::log::v1::Totals;
use tonic::{Code, Status};

use crate::settlements::{OUTAGE, approve, ended};
use crate::support::{Running, as_anna, declaration, fresh_id, row, start};

/// Planned work is excluded that was announced five days before.
const NOTICE: (&str, &str) =
    (r#"planned = "covered""#, "planned = \"excluded_after_notice\"\nnotice = { days = 5 }");

/// Interest runs from the outage's start to the payment.
const INTEREST: (&str, &str) = (
    "[settlement]",
    "[interest]\nrates = \"italy\"\nfrom = \"outage_start\"\nsource = \"civil code, art. 1284\"\n\n[settlement]",
);

/// Decides everybody by agcom-347-18; the digest of the scan is that of the proposal, or it would have stopped.
async fn settled(running: &Running, payment_day: &str) -> api::Assessment {
    let proposal = proposed(running, payment_day).await.unwrap();
    approve(running, &proposal, 10_000).await.unwrap();
    let done = ended(running, &proposal.name).await;
    assert_eq!(done.state(), api::AssessmentState::Completed);
    done
}

async fn proposed(running: &Running, payment_day: &str) -> Result<api::Assessment, Status> {
    let request = api::ProposeAssessmentRequest {
        request_id: fresh_id(),
        outage: OUTAGE.to_owned(),
        policy: "policies/agcom-347-18".to_owned(),
        payment_day: payment_day.to_owned(),
        ..api::ProposeAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    client
        .propose_assessment(as_anna(request))
        .await
        .map(|done| done.into_inner().assessment.unwrap())
}

async fn simulated(running: &Running, payment_day: &str) -> api::Simulation {
    let request = api::SimulateAssessmentRequest {
        outage: OUTAGE.to_owned(),
        policies: vec!["policies/agcom-347-18".to_owned()],
        payment_day: payment_day.to_owned(),
        ..api::SimulateAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    let answer = client.simulate_assessment(as_anna(request)).await.unwrap();
    answer.into_inner().simulations.remove(0)
}

fn cents(totals: &Totals) -> i64 {
    totals.grants.iter().filter_map(|sum| sum.amount.as_ref()).map(|amount| amount.minor).sum()
}

/// Gives the one explanation of a subscription.
async fn explained(running: &Running, subscription: &str) -> api::Explanation {
    let request = api::ExplainEntitlementRequest {
        name: subscription.to_owned(),
        ..api::ExplainEntitlementRequest::default()
    };
    let mut client = EntitlementServiceClient::new(running.channel.clone());
    let answer = client.explain_entitlement(as_anna(request)).await.unwrap();
    answer.into_inner().explanations.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_work_that_was_announced_in_time_is_excluded() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    running.publish_with("agcom-347-18", &[NOTICE]).await;
    let planned = |at: &str| Declaration {
        cause: Some(Cause::Planned),
        announced_at: Some(at.parse().unwrap()),
        ..declaration()
    };
    running.declare_as("o1", planned("2023-01-17T12:00:00Z")).await;
    let done = settled(&running, "").await;
    assert_eq!(done.totals.unwrap().entitled, 0);
    let explanation = explained(&running, "subscribers/p1/subscriptions/s1").await;
    let declared = explanation.chain.iter().find(|link| link.r#type == "OutageDeclared");
    let notice = "the outage was declared, planned work announced 2023-01-17T12:00:00Z";
    assert_eq!(declared.unwrap().text, notice);
    let trace = explanation.entitlement.unwrap().reason.unwrap().trace;
    assert!(trace.iter().any(|line| line.excluded == "PLANNED_WORK"), "{trace:?}");
    running.end().await;
}

/// 30.00 from 23 January 2023 to 23 January 2024: 342 days at 5 % and 23 at 2.5 % of a leap year, 1.4527.
#[tokio::test(flavor = "multi_thread")]
async fn interest_runs_to_the_day_of_the_payment_in_simulation_scan_and_explanation() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    running.publish_with("agcom-347-18", &[INTEREST]).await;
    running.declare("o1").await;
    let simulation = simulated(&running, "2024-01-23").await;
    assert_eq!(cents(simulation.totals.as_ref().unwrap()), 3_145);
    assert_eq!(cents(simulated(&running, "").await.totals.as_ref().unwrap()), 3_000);
    for (day, begins) in [
        (
            "2023-01-22",
            "payment_day: 2023-01-22 is before the outage began: write a day from 2023-01-23 to ",
        ),
        (
            "2099-01-01",
            "payment_day: 2099-01-01 is more than ten years ahead: write a day from 2023-01-23 to ",
        ),
        ("tomorrow", "payment_day: is no day: write YYYY-MM-DD"),
    ] {
        let refused = proposed(&running, day).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(begins), "{}", refused.message());
    }
    let done = settled(&running, "2024-01-23").await;
    assert_eq!((cents(done.totals.as_ref().unwrap()), &done.digest), (3_145, &simulation.digest));
    assert_eq!(done.pins.unwrap().payment_day, "2024-01-23");
    let chain = explained(&running, "subscribers/p1/subscriptions/s1").await.chain;
    let proposed = chain.iter().find(|link| link.r#type == "AssessmentProposed").unwrap();
    assert_eq!(proposed.text, "proposed for 1 of 1 people, to be paid on 2024-01-23");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_day_of_payment_the_trace_says_that_interest_is_not_counted() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    running.publish_with("agcom-347-18", &[INTEREST]).await;
    running.declare("o1").await;
    settled(&running, "").await;
    let explanation = explained(&running, "subscribers/p1/subscriptions/s1").await;
    let trace = explanation.entitlement.unwrap().reason.unwrap().trace;
    assert!(trace.iter().any(|line| line.excluded == "PAYMENT_DAY_UNKNOWN"), "{trace:?}");
    running.end().await;
}
