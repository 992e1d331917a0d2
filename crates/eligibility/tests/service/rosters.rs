//! Imports: what is new, what is known, what is refused.

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;

use crate::support::{as_anna, row, start};

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_sent_again_changes_nothing() {
    let running = start().await;
    let rows: Vec<_> = (1..=60).map(|place| row(place, "plus-5gb")).collect();
    let first = running.import(rows.clone()).await;
    assert_eq!((first.imported, first.changed, first.rejected), (60, 0, 0));
    let again = running.import(rows).await;
    assert_eq!((again.imported, again.changed, again.unchanged), (0, 0, 60));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_person_s_rows_become_changes_and_further_subscriptions() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    let changed = api::SubscriptionRow {
        plan: "plus-1tb".to_owned(),
        valid_from: Some(prost_types::Timestamp { seconds: 1_674_500_000, nanos: 0 }),
        ..row(1, "plus-5gb")
    };
    let further = api::SubscriptionRow { subscription_id: "s1b".to_owned(), ..row(1, "free") };
    let answer = running.import(vec![changed, further]).await;
    assert_eq!((answer.imported, answer.changed, answer.rejected), (1, 1, 0));
    let mut client = SubscriptionServiceClient::new(running.channel.clone());
    let request = api::GetSubscriptionRequest {
        name: "subscribers/p1/subscriptions/s1".to_owned(),
        min_position: answer.consistency_token.clone(),
    };
    let found = client.get_subscription(as_anna(request)).await.unwrap().into_inner();
    let plans: Vec<_> = found.subscription.unwrap().periods.into_iter().map(|p| p.plan).collect();
    assert_eq!(plans, ["plus-5gb", "plus-1tb"]);
    let request = api::ListSubscriptionsRequest {
        subscriber: "subscribers/p1".to_owned(),
        min_position: answer.consistency_token,
        ..api::ListSubscriptionsRequest::default()
    };
    let listed = client.list_subscriptions(as_anna(request)).await.unwrap().into_inner();
    assert_eq!(listed.subscriptions.len(), 2);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_told_one_by_one_and_the_others_are_taken() {
    let running = start().await;
    let mut bad = row(2, "plus-5gb");
    bad.payee =
        Some(api::Payee { iban: "IT60X0542811101000000123457".to_owned(), name: "A".into() });
    let answer = running.import(vec![row(1, "free"), bad]).await;
    assert_eq!((answer.imported, answer.rejected), (1, 1));
    assert_eq!((answer.rejects[0].row, answer.rejects[0].column.as_str()), (2, "iban"));
    running.end().await;
}
