//! Paying people without an account get a credit on their next invoice; who has neither is kept as unclaimed.

use anyhow::{Result, bail};
use ristoro_domain::money::{Currency, Money};
use ristoro_proto::google::r#type::Money as Amount;
use ristoro_proto::payout::v1 as api;
use ristoro_runtime::edge;

use super::super::People;
use super::payout::{client, list};
use crate::client::request_id;

/// Exports the credits, and counts what nobody knows how to pay.
pub async fn play(people: &People, assessment: &str) -> Result<()> {
    let credits = export(people, assessment).await?;
    let total = sum(credits.iter().map(|credit| credit.amount.as_ref()))?;
    println!(
        "  {} credits go to invoicing, {total}; those people pay and gave no IBAN",
        credits.len()
    );
    let again = export(people, assessment).await?;
    if !again.is_empty() {
        bail!("{} credits were exported twice", again.len());
    }
    let unclaimed = list(&people.carla, assessment, api::Channel::Unclaimed, usize::MAX).await?;
    let lines = unclaimed.iter().flat_map(|payout| &payout.lines);
    let lines = lines.filter(|line| line.channel() == api::Channel::Unclaimed);
    let total = sum(lines.map(|line| line.amount.as_ref()))?;
    println!("  unclaimed: {total} of {} people with neither IBAN nor invoice", unclaimed.len());
    Ok(())
}

fn sum<'a>(amounts: impl Iterator<Item = Option<&'a Amount>>) -> Result<Money> {
    let mut total = Money::new(0, Currency::EUR);
    for amount in amounts {
        total = total.checked_add(edge::money("amount", amount)?)?;
    }
    Ok(total)
}

async fn export(people: &People, assessment: &str) -> Result<Vec<api::InvoiceCredit>> {
    let request = api::ExportInvoiceCreditsRequest {
        request_id: request_id(),
        parent: assessment.to_owned(),
        max_credits: 0,
    };
    let bruno = &people.bruno;
    let answer = client(bruno)?.export_invoice_credits(bruno.request(request)).await?;
    let mut parts = answer.into_inner();
    let mut credits = Vec::new();
    while let Some(part) = parts.message().await? {
        credits.extend(part.credits);
    }
    Ok(credits)
}
