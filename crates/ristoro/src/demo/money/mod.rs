//! Money on its way: what is held stays, a file goes to the bank, grants to provisioning and credits to invoices, and
//! the ledger agrees before and after.

mod bank;
mod credit;
mod file;
mod grant;
mod ledger;
mod payout;

use anyhow::Result;
use ristoro_domain::money::Money;

use super::People;

/// What the assessments of the case owe.
pub struct Owed {
    /// The assessment that gives quota and months.
    pub goodwill: String,
    /// The assessment that gives money.
    pub indemnity: String,
    /// The money in all.
    pub money: Money,
}

/// Plays the way of the money.
pub async fn play(people: &People, owed: &Owed) -> Result<()> {
    println!("7. Payouts: held or paid, by file, by grant, by credit on an invoice");
    ledger::wait(people, owed.money).await?;
    let (held, late) = payout::two_transfers(people, &owed.indemnity).await?;
    payout::hold(people, &held).await?;
    let file = file::created(people).await?;
    payout::is_left_out(people, &held).await?;
    payout::held_too_late(people, &late).await?;
    let xml = file::brought_to_bank(people, &file).await?;
    bank::check(&xml, &file)?;
    ledger::has_paid(people, &file).await?;
    payout::held_too_late(people, &late).await?;
    grant::play(people, &owed.goodwill).await?;
    credit::play(people, &owed.indemnity).await?;
    ledger::print(people).await
}
