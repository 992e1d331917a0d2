//! `ristoro explain`: the chain of events and the rule lines behind what a subscription gets.

use anyhow::Result;
use clap::Args;
use ristoro_domain::remedy::Grant;
use ristoro_proto::eligibility::v1 as api;
use ristoro_proto::eligibility::v1::entitlement_service_client::EntitlementServiceClient;
use ristoro_proto::types::reason_in;

use crate::Answer;
use crate::client::{Caller, Connection, Service};

/// Explains a subscription, or one entitlement.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    connection: Connection,
    /// `subscribers/SUBSCRIBER/subscriptions/SUBSCRIPTION`, or `assessments/ASSESSMENT/entitlements/SUBSCRIPTION`
    name: String,
}

impl Explain {
    /// Asks and prints.
    pub async fn run(self) -> Result<Answer> {
        let caller = self.connection.open().await?;
        for explanation in explain(&caller, &self.name).await? {
            print(&explanation);
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

/// Prints one decision with what led to it.
pub fn print(explanation: &api::Explanation) {
    let Some(entitlement) = &explanation.entitlement else { return };
    println!("{}", entitlement.name);
    for link in &explanation.chain {
        println!("  {:<34} {:<22} {}", link.position, link.r#type, link.text);
    }
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
        let (kind, grant) = (remedy.kind.name(), grant_text(&remedy.grant));
        println!("  owed: {kind}, {grant}, borne by the {}", remedy.payer.name());
    }
    println!();
}

/// Says what is given.
fn grant_text(grant: &Grant) -> String {
    match grant {
        Grant::Money(money) => money.to_string(),
        Grant::Credit(money) => format!("a credit of {money}"),
        Grant::Voucher(money) => format!("a voucher of {money}"),
        Grant::Term { months, days, new_end } => {
            let end = new_end.map_or_else(String::new, |date| format!(", until {date}"));
            format!("a term longer by {months} months and {days} days{end}")
        }
        Grant::Quota { bytes } => format!("storage of {bytes} bytes"),
    }
}
