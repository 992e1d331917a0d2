//! `ristoro explain`: the chain of events and the rule lines behind what a subscription gets.

use anyhow::Result;
use clap::Args;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::types::reason_in;
use serde_json::{Value, json};

use crate::Answer;
use crate::client::{Caller, Connection, Service};
use crate::output::{Output, print_list};
use crate::values;

/// Explains a subscription, or one entitlement.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ristoro explain subscribers/p-17/subscriptions/lm-17
  ristoro explain assessments/0f0e.../entitlements/lm-17")]
pub struct Explain {
    #[command(flatten)]
    connection: Connection,
    /// `subscribers/SUBSCRIBER/subscriptions/SUBSCRIPTION`, or `assessments/ASSESSMENT/entitlements/SUBSCRIPTION`
    name: String,
}

impl Explain {
    /// Asks and prints.
    pub async fn run(self, output: Output) -> Result<Answer> {
        let caller = self.connection.open().await?;
        let explanations = explain(&caller, &self.name).await?;
        if output == Output::Table {
            explanations.iter().for_each(print);
        } else {
            print_list(output, &explanations.iter().map(value).collect::<Vec<_>>(), &[])?;
        }
        Ok(Answer::Yes)
    }
}

/// Asks why.
pub async fn explain(caller: &Caller, name: &str) -> Result<Vec<api::Explanation>, tonic::Status> {
    let request =
        api::ExplainEntitlementRequest { name: name.to_owned(), min_position: String::new() };
    let mut client = EntitlementServiceClient::new(caller.channel(Service::Eligibility)?);
    Ok(client.explain_entitlement(caller.request(request)).await?.into_inner().explanations)
}

fn value(explanation: &api::Explanation) -> Value {
    let entitlement = explanation.entitlement.clone().unwrap_or_default();
    let link = |link: &api::ChainLink| {
        json!({
            "position": link.position, "stream": link.stream, "version": link.version, "type": link.r#type,
            "occurred_at": values::time(link.occurred_at.as_ref()), "actor": values::optional(&link.actor),
            "text": link.text,
        })
    };
    json!({
        "name": entitlement.name,
        "subscription": entitlement.subscription,
        "reason": values::reason(entitlement.reason.as_ref()),
        "decided_at_position": entitlement.decided_at_position,
        "released": entitlement.released,
        "chain": explanation.chain.iter().map(link).collect::<Vec<_>>(),
    })
}

/// Prints one decision with what led to it.
pub fn print(explanation: &api::Explanation) {
    let Some(entitlement) = &explanation.entitlement else { return };
    println!("{}", entitlement.name);
    for link in &explanation.chain {
        println!("  {:<34} {:<22} {}", link.position, link.r#type, link.text);
    }
    print_reason(entitlement);
    println!();
}

/// Prints the rule lines of a decision, and what they come to.
pub fn print_reason(entitlement: &api::Entitlement) {
    let reason = entitlement.reason.as_ref().and_then(|reason| reason_in(reason).ok());
    let Some(reason) = reason else { return };
    for line in &reason.trace {
        let counted = match line.quantity.is_empty() {
            true => String::new(),
            false => format!(" ({} {} at {})", line.quantity, line.unit, line.rate),
        };
        let amount = line.amount.map_or_else(String::new, |money| format!(" = {money}"));
        let excluded = match line.excluded.is_empty() {
            true => String::new(),
            false => format!(" [{}]", line.excluded),
        };
        println!("  - {}: {}{counted}{amount}{excluded}", line.rule, line.text);
        if !line.source.is_empty() {
            println!("      {}", line.source);
        }
    }
    if reason.remedies.is_empty() {
        println!("  owed: nothing");
    }
    for remedy in &reason.remedies {
        let (kind, grant) = (remedy.kind.name(), values::grant_text(&remedy.grant));
        println!("  owed: {kind}, {grant}, borne by the {}", remedy.payer.name());
    }
}
