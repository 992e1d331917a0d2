//! Facts that a policy asks for and that the service gives it: in a simulation, in the scan, and in what is explained.

use ristoro_domain::facts::Cause;
use ristoro_domain::outage::Declaration;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;

use crate::settlements::{approve, ended, propose};
use crate::support::{Running, as_anna, declaration, row, start};

/// Planned work is excluded that was announced five days before.
const NOTICE: (&str, &str) =
    (r#"planned = "covered""#, "planned = \"excluded_after_notice\"\nnotice = { days = 5 }");

/// Decides everybody by agcom-347-18; the digest of the scan is that of the proposal, or it would have stopped.
async fn settled(running: &Running) -> api::Assessment {
    let proposal = propose(running, "agcom-347-18").await;
    approve(running, &proposal, 10_000).await.unwrap();
    let done = ended(running, &proposal.name).await;
    assert_eq!(done.state(), api::AssessmentState::Completed);
    done
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
    let done = settled(&running).await;
    assert_eq!(done.totals.unwrap().entitled, 0);
    let explanation = explained(&running, "subscribers/p1/subscriptions/s1").await;
    let declared = explanation.chain.iter().find(|link| link.r#type == "OutageDeclared");
    let notice = "the outage was declared, planned work announced 2023-01-17T12:00:00Z";
    assert_eq!(declared.unwrap().text, notice);
    let trace = explanation.entitlement.unwrap().reason.unwrap().trace;
    assert!(trace.iter().any(|line| line.excluded == "PLANNED_WORK"), "{trace:?}");
    running.end().await;
}
