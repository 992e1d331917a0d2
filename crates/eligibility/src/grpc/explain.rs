//! The chain of events that led to what a subscription is owed, with the rule lines.

use ristoro_domain::outage::Event as OutageEvent;
use ristoro_domain::roster::partition_of_number;
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
use crate::projections::assessment::AssessmentRow;
use crate::projections::chain;
use crate::projections::decision::ChunkRow;
use crate::projections::stored::StoredEvent;

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

/// Explains what was decided about a subscription, in the order of the proposals.
pub(super) async fn explain(
    view: &mut PgConnection,
    decided: Vec<(AssessmentRow, Option<ChunkRow>)>,
    found: &Found,
    key: &SubscriptionKey,
) -> Result<Vec<api::Explanation>, Status> {
    let mut explanations = Vec::new();
    for (row, chunk) in &decided {
        let Some(chunk) = chunk else { continue };
        explanations.push(api::Explanation {
            entitlement: Some(entitlement_message(row, chunk, found, key)?),
            chain: chain(view, row, chunk, found).await?,
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
    let partition = partition_of_number(found.number) as usize;
    let roster_offset = row.proposal.pins.roster_offsets.get(partition).copied();
    let roster = chain::roster(view, found.number, roster_offset.unwrap_or_default()).await;
    let mut links: Vec<_> =
        roster.map_err(database)?.into_iter().map(|e| roster_link(e, found)).collect();
    for event in &chain::events(view, &row.proposal).await.map_err(database)? {
        let text = if event.position.topic == Topic::Settlement {
            settlement_text(event, &row.assessment)
        } else if event.position.topic == Topic::Policy {
            Some(policy_text(row))
        } else {
            Some(outage_text(event))
        };
        links.extend(text.map(|text| link(event, text)));
    }
    links.push(decided_link(chunk, found));
    Ok(links)
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
        "OutageDeclared" | "CauseDetermined" => cause_text(event),
        "ImpactAdded" => "something else was found to fail".to_owned(),
        "ImpactRestored" => "a component or cohort was back".to_owned(),
        "MailboxesRestored" => "single mailboxes were back".to_owned(),
        "WindowAmended" => "a window was corrected".to_owned(),
        kind => format!("{kind} of the outage"),
    }
}

/// Says what was declared or found of the cause, with the notice of planned work.
fn cause_text(event: &StoredEvent) -> String {
    let notice = |announced_at: Option<Instant>| {
        announced_at.map_or_else(String::new, |at| format!(", planned work announced {at}"))
    };
    match OutageEvent::decode(&event.kind, &event.payload) {
        Ok(OutageEvent::CauseDetermined { announced_at, .. }) => {
            format!("the cause was found{}", notice(announced_at))
        }
        Ok(OutageEvent::OutageDeclared(declaration)) => {
            format!("the outage was declared{}", notice(declaration.announced_at))
        }
        Ok(_) | Err(_) => format!("{} of the outage", event.kind),
    }
}

fn roster_link((offset, text): (u64, String), found: &Found) -> api::ChainLink {
    let partition = partition_of_number(found.number);
    let position = Position { topic: Topic::Subscriber, partition, offset };
    api::ChainLink { position: position.to_string(), text, ..api::ChainLink::default() }
}

fn policy_text(row: &AssessmentRow) -> String {
    let pins = &row.proposal.pins;
    format!("policy {} version {} was published", pins.policy, pins.policy_version)
}

/// Says what an event of the settlement has to do with the assessment; none for events of others.
fn settlement_text(event: &StoredEvent, assessment: &str) -> Option<String> {
    let decoded = SettlementEvent::decode(&event.kind, &event.payload).ok()?;
    let (id, text) = match decoded {
        SettlementEvent::AssessmentProposed(proposal) => {
            let totals = &proposal.totals;
            let paid = proposal.pins.payment_day;
            let paid = paid.map_or_else(String::new, |day| format!(", to be paid on {day}"));
            let carried = proposal.pins.leftovers.as_ref().and_then(|one| one.from.as_deref());
            let carried = carried
                .map_or_else(String::new, |from| format!(", after what {from} carried over"));
            let (count, entitled) = (totals.count, totals.entitled);
            let text = format!("proposed for {entitled} of {count} people{paid}{carried}");
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
