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

/// A free mailbox that became a paid one: two rows of one subscription.
fn upgraded(place: u64) -> Vec<api::SubscriptionRow> {
    let at = Some(prost_types::Timestamp { seconds: 1_674_500_000, nanos: 0 });
    let free = api::SubscriptionRow { valid_to: at, ..row(place, "free") };
    vec![free, api::SubscriptionRow { valid_from: at, ..row(place, "plus-5gb") }]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_known_when_its_rows_are_sent_again() {
    let running = start().await;
    let rows: Vec<_> = (1..=20).flat_map(upgraded).collect();
    let first = running.import(rows.clone()).await;
    assert_eq!((first.rows, first.imported, first.changed, first.rejected), (40, 20, 20, 0));
    let again = running.import(rows).await;
    assert_eq!((again.imported, again.changed, again.unchanged), (0, 0, 40));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_at_the_same_time_number_everybody_once() {
    let running = start().await;
    let rows: Vec<_> = (1..=1_200).map(|place| row(place, "free")).collect();
    let (left, right) =
        tokio::join!(running.import(rows[..900].to_vec()), running.import(rows[300..].to_vec()));
    assert_eq!(left.rejected + right.rejected, 0);
    let counted: (i64, i64, i64) = sqlx::query_as(
        "select count(*), count(distinct number), count(distinct subscriber) from eligibility.holder",
    )
    .fetch_one(&running.pool)
    .await
    .unwrap();
    assert_eq!(counted, (1_200, 1_200, 1_200));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_import_takes_all_or_nothing_and_a_dry_one_nothing() {
    let running = start().await;
    running.import(vec![row(1, "plus-5gb")]).await;
    // The second row contradicts what is recorded, which only a look at the roster can tell.
    let early = Some(prost_types::Timestamp { seconds: 1_500_000_000, nanos: 0 });
    let rows = vec![row(2, "free"), api::SubscriptionRow { valid_from: early, ..row(1, "free") }];
    let strict = api::ImportSubscriptionsRequest {
        request_id: crate::support::fresh_id(),
        strict: true,
        rows: rows.clone(),
        ..api::ImportSubscriptionsRequest::default()
    };
    let dry =
        api::ImportSubscriptionsRequest { validate_only: true, strict: false, ..strict.clone() };
    let mut client = SubscriptionServiceClient::new(running.channel.clone());
    let mut send = async |message: api::ImportSubscriptionsRequest| {
        let stream = as_anna(tokio_stream::iter(vec![message]));
        client.import_subscriptions(stream).await.unwrap().into_inner()
    };
    let answer = send(strict).await;
    assert_eq!((answer.imported, answer.rejected), (0, 1));
    assert_eq!((answer.rejects[0].row, answer.rejects[0].column.as_str()), (1, "valid_from"));
    let answer = send(dry).await;
    assert_eq!((answer.imported, answer.rejected), (1, 1));
    let count: (i64,) = sqlx::query_as("select count(*) from eligibility.holder")
        .fetch_one(&running.pool)
        .await
        .unwrap();
    assert_eq!(count.0, 1, "neither took anything");
    running.end().await;
}
