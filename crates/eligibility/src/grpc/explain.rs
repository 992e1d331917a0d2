//! The chain of events that led to what a subscription is owed, with the rule lines.

use ristoro_domain::settlement::{Event as SettlementEvent, Status as Stage};
use ristoro_domain::time::Instant;
use ristoro_log::{Position, Topic};
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::types::{reason_out, timestamp};
use ristoro_proto::wire::Wire;
use ristoro_runtime::edge::{self, SubscriptionKey};
use ristoro_runtime::status;
use sqlx::PgConnection;
use tonic::Status;

use super::entitlement::{ENTITLEMENT, Found, SUBSCRIPTION};
use crate::projections::assessment::{self, AssessmentRow};
use crate::projections::decision::{self, ChunkRow};
use crate::projections::stored::StoredEvent;
use crate::projections::{outage_event, policy, subscription_history};

/// Writes an entitlement.
pub(super) fn entitlement_message(
    row: &AssessmentRow,
    chunk: &ChunkRow,
    found: &Found,
    key: &SubscriptionKey,
) -> Result<api::Entitlement, Status> {
    let reason = chunk.chunk.reason_of(found.number);
    let reason = reason.ok_or_else(|| status::not_found("Entitlement", &key.segment()))?;
    let parent = edge::format_name("assessments/{assessment}/entitlements", &[&row.assessment]);
    debug_assert!(ENTITLEMENT.starts_with("assessments/{assessment}/entitlements"));
    Ok(api::Entitlement {
        name: format!("{parent}/{}", key.segment()),
        subscription: edge::format_name(SUBSCRIPTION, &[&found.subscriber, &found.subscription]),
        number: found.number,
        reason: Some(reason_out(reason)),
        decided_at_position: chunk.position.to_string(),
        released: row.status == Stage::Completed,
    })
}

/// Explains what one assessment, or every one, decided about a subscription; in the order of the proposals.
pub(super) async fn explain(
    view: &mut PgConnection,
    only: Option<&str>,
    found: &Found,
    key: &SubscriptionKey,
) -> Result<Vec<api::Explanation>, Status> {
    let database = |error: sqlx::Error| status::database(&error);
    let rows = match only {
        Some(id) => assessment::find(view, id).await.map_err(database)?.into_iter().collect(),
        None => assessment::list(view, None, (i64::MIN, ""), i64::MAX).await.map_err(database)?,
    };
    let partition = u32::try_from(found.number >> 48).expect("the partition is in the high bits");
    let mut explanations = Vec::new();
    for row in &rows {
        let chunk = decision::chunk_of(view, &row.assessment, partition, found.number).await;
        let Some(chunk) = chunk.map_err(database)? else { continue };
        explanations.push(api::Explanation {
            entitlement: Some(entitlement_message(row, &chunk, found, key)?),
            chain: chain(view, row, &chunk, found).await?,
        });
    }
    Ok(explanations)
}

/// Gives the events in the order of the data's way: roster, outage, policy, settlement, decision.
async fn chain(
    view: &mut PgConnection,
    row: &AssessmentRow,
    chunk: &ChunkRow,
    found: &Found,
) -> Result<Vec<api::ChainLink>, Status> {
    let database = |error: sqlx::Error| status::database(&error);
    let pins = &row.proposal.pins;
    let partition = (found.number >> 48) as usize;
    let roster_offset = pins.roster_offsets.get(partition).copied().unwrap_or_default();
    let mut chain = Vec::new();
    for event in
        subscription_history::recorded(view, found.number, roster_offset).await.map_err(database)?
    {
        chain.push(roster_link(event, found));
    }
    let pinned: Option<Position> = pins.outage_position.parse().ok();
    let outage = outage_event::events(view, &row.proposal.outage, pinned).await;
    chain.extend(outage.map_err(database)?.iter().map(|event| link(event, outage_text(event))));
    let version = Some(pins.policy_version.as_str());
    if let Some(published) = policy::find(view, &pins.policy, version).await.map_err(database)? {
        chain.push(policy_link(row, published.position, published.published_at));
    }
    let settlement = assessment::events(view, &row.proposal.outage).await.map_err(database)?;
    for event in &settlement {
        if let Some(text) = settlement_text(event, &row.assessment) {
            chain.push(link(event, text));
        }
    }
    chain.push(decided_link(chunk, found));
    Ok(chain)
}

fn link(event: &StoredEvent, text: String) -> api::ChainLink {
    api::ChainLink {
        position: event.position.to_string(),
        stream: event.stream.clone(),
        version: event.version,
        r#type: event.kind.clone(),
        occurred_at: Some(timestamp(event.occurred_at)),
        actor: event.actor.clone(),
        text,
    }
}

fn outage_text(event: &StoredEvent) -> String {
    match event.kind.as_str() {
        "OutageDeclared" => "the outage was declared".to_owned(),
        "ImpactAdded" => "something else was found to fail".to_owned(),
        "ImpactRestored" => "a component or cohort was back".to_owned(),
        "MailboxesRestored" => "single mailboxes were back".to_owned(),
        "WindowAmended" => "a window was corrected".to_owned(),
        kind => format!("{kind} of the outage"),
    }
}

fn roster_link((offset, text): (u64, String), found: &Found) -> api::ChainLink {
    let partition = u32::try_from(found.number >> 48).expect("the partition is in the high bits");
    let position = Position { topic: Topic::Subscriber, partition, offset };
    api::ChainLink { position: position.to_string(), text, ..api::ChainLink::default() }
}

fn policy_link(row: &AssessmentRow, position: Position, published_at: Instant) -> api::ChainLink {
    let pins = &row.proposal.pins;
    api::ChainLink {
        position: position.to_string(),
        stream: format!("policy/{}", pins.policy),
        r#type: "PolicyPublished".to_owned(),
        occurred_at: Some(timestamp(published_at)),
        text: format!("policy {} version {} was published", pins.policy, pins.policy_version),
        ..api::ChainLink::default()
    }
}

/// Says what an event of the settlement has to do with the assessment; none for events of others.
fn settlement_text(event: &StoredEvent, assessment: &str) -> Option<String> {
    let decoded = SettlementEvent::decode(&event.kind, &event.payload).ok()?;
    let (id, text) = match decoded {
        SettlementEvent::AssessmentProposed(proposal) => {
            let totals = &proposal.totals;
            let text = format!("proposed for {} of {} people", totals.entitled, totals.count);
            (proposal.assessment, text)
        }
        SettlementEvent::AssessmentApproved { assessment, cap, approved_by, .. } => {
            (assessment, format!("approved by {approved_by} up to {cap}"))
        }
        SettlementEvent::AssessmentRejected { assessment, note } => {
            (assessment, format!("rejected: {note}"))
        }
        SettlementEvent::AssessmentCompleted { assessment, .. } => {
            (assessment, "completed as approved".to_owned())
        }
        SettlementEvent::AssessmentCancelled { assessment, note } => {
            (assessment, format!("cancelled: {note}"))
        }
        SettlementEvent::AssessmentStopped { assessment, partition, .. } => {
            (assessment, format!("stopped: partition {partition} differs"))
        }
    };
    (id == assessment).then_some(text)
}

fn decided_link(chunk: &ChunkRow, found: &Found) -> api::ChainLink {
    let remedies = chunk.chunk.reason_of(found.number).map_or(0, |reason| reason.remedies.len());
    let text = match remedies {
        0 => "decided: nothing is owed".to_owned(),
        1 => "decided: one remedy".to_owned(),
        count => format!("decided: {count} remedies"),
    };
    api::ChainLink {
        position: chunk.position.to_string(),
        stream: format!("scan/{}/{}", chunk.assessment, chunk.position.partition),
        version: chunk.number,
        r#type: "EntitlementsDecided".to_owned(),
        occurred_at: Some(timestamp(chunk.occurred_at)),
        actor: String::new(),
        text,
    }
}
