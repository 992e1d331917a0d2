//! Why people get what they get: one of each plan, and for the money of the first the whole chain of events.

use std::collections::BTreeSet;

use anyhow::Result;
use ristoro::generate::roster;
use ristoro_proto::eligibility::v1 as api;
use tonic::Code;

use super::People;
use super::libero::{POLICIES, SEED};
use super::money::Owed;
use crate::verbs::explain;

/// Subscriptions among which each plan is looked for.
const LOOKED_AT: u64 = 400;

/// Explains one person of each plan.
pub async fn play(people: &People, owed: &Owed) -> Result<()> {
    let mut shown = BTreeSet::new();
    for row in roster(SEED, LOOKED_AT) {
        if shown.contains(row.plan) {
            continue;
        }
        let name =
            format!("subscribers/{}/subscriptions/{}", row.subscriber_id, row.subscription_id);
        let explanations = match explain::explain(&people.carla, &name).await {
            Ok(explanations) => explanations,
            // One of the rows that the import refused.
            Err(status) if status.code() == Code::NotFound => continue,
            Err(status) => return Err(status.into()),
        };
        println!("{} on the plan {}", row.subscription_id, row.plan);
        for explanation in &explanations {
            match shown.is_empty() && decides(explanation, &owed.indemnity) {
                true => explain::print(explanation),
                false => print(explanation, owed),
            }
        }
        shown.insert(row.plan);
    }
    Ok(())
}

/// Tells whether a decision is one of an assessment.
fn decides(explanation: &api::Explanation, assessment: &str) -> bool {
    explanation.entitlement.as_ref().is_some_and(|one| one.name.starts_with(assessment))
}

/// Prints the rule lines of a decision under the policy that decided.
fn print(explanation: &api::Explanation, owed: &Owed) {
    let Some(entitlement) = &explanation.entitlement else { return };
    let policy = usize::from(!decides(explanation, &owed.goodwill));
    println!("  by {}", POLICIES[policy]);
    explain::print_reason(entitlement);
    println!();
}
