//! Facts that a policy asks for and that the service gives it: in a simulation, in the scan, and in what is explained.

use ristoro_domain::facts::Cause;
use ristoro_domain::outage::Declaration;
use ristoro_domain::remedy::Grant;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::assessment_service_client::AssessmentServiceClient;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;
use ristoro_proto::log::v1::Totals;
use ristoro_proto::types::reason_in;
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

/// Who is in arrears, or has an invoice that was unpaid for thirty days, gets nothing.
const PAYERS: (&str, &str) =
    (r#"arrears = "covered""#, "arrears = \"excluded\"\nunpaid_invoices = { days = 30 }");

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

async fn set_account(running: &Running, place: u64, account: api::Account) {
    let request = api::SetAccountRequest {
        request_id: fresh_id(),
        name: format!("subscribers/p{place}/subscriptions/s{place}"),
        account: Some(account),
        ..api::SetAccountRequest::default()
    };
    let mut client = SubscriptionServiceClient::new(running.channel.clone());
    client.set_account(as_anna(request)).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn arrears_and_unpaid_invoices_exclude_as_they_were_at_the_proposal() {
    let running = start().await;
    running.import((1..=4).map(|place| row(place, "plus-5gb")).collect()).await;
    running.publish_with("agcom-347-18", &[PAYERS]).await;
    running.declare("o1").await;
    let unpaid =
        |day: &str| api::Account { unpaid_since: day.to_owned(), ..api::Account::default() };
    set_account(&running, 1, api::Account { in_arrears: true, ..api::Account::default() }).await;
    set_account(&running, 2, unpaid("2022-12-24")).await;
    set_account(&running, 3, unpaid("2022-12-25")).await;
    let proposal = proposed(&running, "").await.unwrap();
    // What comes after the proposal is not seen by its scan.
    set_account(&running, 1, api::Account::default()).await;
    set_account(&running, 4, api::Account { in_arrears: true, ..api::Account::default() }).await;
    approve(&running, &proposal, 10_000).await.unwrap();
    let done = ended(&running, &proposal.name).await;
    assert_eq!(done.state(), api::AssessmentState::Completed);
    assert_eq!(done.totals.unwrap().entitled, 2);
    for (place, because) in [(1, "IN_ARREARS"), (2, "UNPAID_INVOICE"), (3, ""), (4, "")] {
        let name = format!("subscribers/p{place}/subscriptions/s{place}");
        let explanation = explained(&running, &name).await;
        let reason = explanation.entitlement.unwrap().reason.unwrap();
        let excluded = reason.trace.iter().find(|line| line.rule == "exclusions");
        let excluded = excluded.map_or("", |line| line.excluded.as_str());
        assert_eq!(excluded, because, "{place}: {:?}", reason.trace);
        let told = explanation.chain.iter().filter(|link| link.r#type.is_empty());
        let told: Vec<&str> = told.map(|link| link.text.as_str()).collect();
        match place {
            1 => assert_eq!(told[1], "the account: payments are overdue"),
            2 => assert_eq!(told[1], "the account: an invoice of 2022-12-24 is unpaid"),
            3 => assert_eq!(told[1], "the account: an invoice of 2022-12-25 is unpaid"),
            _ => assert_eq!(told.len(), 1, "it came after the proposal"),
        }
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_storage_and_a_longer_term_begin_from_what_is_known() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb"), row(2, "free")]).await;
    running.publish("libero-2023").await;
    running.declare("o1").await;
    let term_end = "2023-08-31".to_owned();
    set_account(&running, 1, api::Account { term_end, ..api::Account::default() }).await;
    let quota_bytes = Some(5_000_000_000);
    set_account(&running, 2, api::Account { quota_bytes, ..api::Account::default() }).await;
    let request = api::ProposeAssessmentRequest {
        request_id: fresh_id(),
        outage: OUTAGE.to_owned(),
        policy: "policies/libero-2023".to_owned(),
        ..api::ProposeAssessmentRequest::default()
    };
    let mut client = AssessmentServiceClient::new(running.channel.clone());
    let proposal = client.propose_assessment(as_anna(request)).await.unwrap().into_inner();
    let proposal = proposal.assessment.unwrap();
    approve(&running, &proposal, 0).await.unwrap();
    assert_eq!(ended(&running, &proposal.name).await.state(), api::AssessmentState::Completed);
    let grant = async |name: &str| {
        let reason = explained(&running, name).await.entitlement.unwrap().reason.unwrap();
        reason_in(&reason).unwrap().remedies.remove(0).grant
    };
    let new_end = Some("2024-02-29".parse().unwrap());
    let longer = grant("subscribers/p1/subscriptions/s1").await;
    assert_eq!(longer, Grant::Term { months: 6, days: 0, new_end });
    let more = grant("subscribers/p2/subscriptions/s2").await;
    assert_eq!(more, Grant::Quota { bytes: 6_000_000_000 });
    running.end().await;
}
