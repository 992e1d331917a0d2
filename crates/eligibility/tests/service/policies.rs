//! Policies: published once, refused with every fault, retired for good, and tried out on a case.

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{Running, as_anna, fresh_id, start};

const ID: &str = "libero-2023";

fn client(running: &Running) -> PolicyServiceClient<tonic::transport::Channel> {
    PolicyServiceClient::new(running.channel.clone())
}

fn shipped_text() -> String {
    let known = ristoro_domain::policy::shipped().iter().find(|one| one.id == ID).unwrap();
    known.text.to_owned()
}

async fn publish(running: &Running, text: String) -> Result<api::Policy, Status> {
    let request = api::PublishPolicyRequest {
        request_id: fresh_id(),
        file: "mine.toml".to_owned(),
        text,
        validate_only: false,
    };
    let answer = client(running).publish_policy(as_anna(request)).await?;
    Ok(answer.into_inner().policy.unwrap())
}

async fn get(running: &Running, name: &str) -> Result<api::Policy, Status> {
    let request = api::GetPolicyRequest { name: name.to_owned(), ..Default::default() };
    let answer = client(running).get_policy(as_anna(request)).await?;
    Ok(answer.into_inner().policy.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_keeps_its_text_and_stays_retired() {
    let running = start().await;
    let first = publish(&running, shipped_text()).await.unwrap();
    let again = publish(&running, shipped_text()).await.unwrap();
    assert_eq!((first.position, &first.etag), (again.position, &again.etag));
    let other = publish(&running, format!("{}\n# changed\n", shipped_text())).await.unwrap_err();
    assert_eq!(other.code(), Code::AlreadyExists, "{}", other.message());
    let found = get(&running, &format!("policies/{ID}")).await.unwrap();
    assert_eq!((found.name.as_str(), found.text), (first.name.as_str(), shipped_text()));

    let request = api::RetirePolicyRequest {
        request_id: fresh_id(),
        name: first.name.clone(),
        note: "replaced".to_owned(),
        etag: first.etag,
        validate_only: false,
    };
    client(&running).retire_policy(as_anna(request)).await.unwrap();
    let retired = get(&running, &first.name).await.unwrap();
    assert_eq!((retired.state(), retired.note.as_str()), (api::PolicyState::Retired, "replaced"));
    let newest = get(&running, &format!("policies/{ID}")).await.unwrap_err();
    assert_eq!(newest.code(), Code::NotFound, "no version is in use");
    let back = publish(&running, shipped_text()).await.unwrap_err();
    assert_eq!(back.code(), Code::FailedPrecondition);
    let list = |show_retired| {
        let request = api::ListPoliciesRequest { show_retired, ..Default::default() };
        let mut client = client(&running);
        async move { client.list_policies(as_anna(request)).await.unwrap().into_inner().policies }
    };
    assert_eq!((list(false).await.len(), list(true).await.len()), (0, 1));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_file_is_told_with_its_place() {
    let running = start().await;
    let text = format!("nonsense = 1\n{}", shipped_text().replace("Europe/Rome", "Europe/Roma"));
    let refused = publish(&running, text).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let faults = refused.get_details_bad_request().unwrap().field_violations;
    assert!(faults.len() >= 2, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.description.starts_with("mine.toml:")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.description.starts_with("mine.toml:1:1:")));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_assessed_under_a_published_policy() {
    let running = start().await;
    running.publish("agcom-347-18").await;
    let case_json = r#"{"name": "A1",
      "subscription": {"id": "s1", "service": "libero-mail", "segment": "consumer", "class": "principal",
        "periods": [{"plan": "plus-5gb", "fee": "19.99", "fee_period": "year", "currency": "EUR",
                     "from": "2022-09-01", "to": null}]},
      "outage": {"id": "o1", "impacts": [{"component": "mailbox", "severity": "total",
        "from": "2023-01-23T00:00:00+01:00", "to": "2023-01-27T16:00:00+01:00"}]},
      "reports": [{"at": "2023-01-23T09:00:00+01:00"}],
      "expect": {"remedies": [{"kind": "indemnity", "grant": {"money": {"amount": "30.00", "currency": "EUR"}}}]}}"#;
    let request = api::AssessCaseRequest {
        policies: vec!["policies/agcom-347-18".to_owned()],
        case_json: case_json.to_owned(),
        min_position: String::new(),
    };
    let answer = client(&running).assess_case(as_anna(request.clone())).await.unwrap().into_inner();
    assert_eq!((answer.name.as_str(), answer.differences.len()), ("A1", 0), "{answer:?}");
    assert_eq!(answer.reason.unwrap().remedies.len(), 1);
    let other =
        api::AssessCaseRequest { case_json: case_json.replace("30.00", "29.00"), ..request };
    let answer = client(&running).assess_case(as_anna(other)).await.unwrap().into_inner();
    assert_eq!(answer.differences.len(), 1, "the case expects another amount");
    running.end().await;
}
