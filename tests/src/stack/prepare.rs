//! What a system has to know before anything can be settled: somebody on the roster, and a policy.

use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::policy_service_client::PolicyServiceClient;
use ristoro_proto::eligibility::v1::subscription_service_client::SubscriptionServiceClient;
use ristoro_proto::outage::v1 as outage;
use ristoro_proto::outage::v1::point_in_time::At;
use uuid::Uuid;

use super::{Caller, Error};

/// A policy that is right: `libero-2023`.
pub const POLICY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/domain/policies/libero-2023.toml"
));

/// Makes a fresh request id.
#[must_use]
pub fn id() -> String {
    Uuid::new_v4().to_string()
}

/// Writes a local time.
#[must_use]
pub fn at(text: &str) -> outage::PointInTime {
    outage::PointInTime { at: Some(At::LocalTime(text.to_owned())) }
}

/// Writes a window; an empty end leaves it open.
#[must_use]
pub fn window(from: &str, to: &str) -> outage::WindowInput {
    let to = (!to.is_empty()).then(|| at(to));
    outage::WindowInput { from: Some(at(from)), to }
}

/// Imports one subscription and publishes the policy; gives the import's consistency token.
///
/// # Errors
/// A refusal.
pub async fn import_and_publish(ada: &Caller, row: api::SubscriptionRow) -> Result<String, Error> {
    let rows = api::ImportSubscriptionsRequest {
        request_id: id(),
        rows: vec![row],
        ..api::ImportSubscriptionsRequest::default()
    };
    let mut subscriptions = SubscriptionServiceClient::new(ada.channel.clone());
    let rows = ada.request(tokio_stream::once(rows));
    let imported = subscriptions.import_subscriptions(rows).await?.into_inner();
    let publish = api::PublishPolicyRequest {
        request_id: id(),
        text: POLICY.to_owned(),
        ..api::PublishPolicyRequest::default()
    };
    PolicyServiceClient::new(ada.channel.clone()).publish_policy(ada.request(publish)).await?;
    Ok(imported.consistency_token)
}
