//! The ledger: what is owed is posted, what left is posted, and both sides agree.

use std::time::Duration;

use anyhow::{Result, bail};
use ristoro_domain::money::{Currency, Money};
use ristoro_proto::payout::v1 as api;
use ristoro_proto::payout::v1::ledger_service_client::LedgerServiceClient;
use ristoro_runtime::edge;
use tokio::time::{Instant, sleep};

use super::super::People;
use super::file::total;
use crate::client::Service;

/// How long the releases may take.
const BOUND: Duration = Duration::from_secs(60);
/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(200);
/// The account of what compensation costs.
const EXPENSE: &str = "compensation-expense";
/// The account of what is on its way through the bank.
const BANK: &str = "bank-clearing";

async fn trial_balance(people: &People, check: bool) -> Result<api::GetTrialBalanceResponse> {
    let mut client = LedgerServiceClient::new(people.carla.channel(Service::Payout)?);
    let request = api::GetTrialBalanceRequest { check, min_position: String::new() };
    let answer = client.get_trial_balance(people.carla.request(request)).await?.into_inner();
    if !answer.differences.is_empty() {
        bail!("the ledger differs from the payouts: {:?}", answer.differences);
    }
    Ok(answer)
}

/// Gives debit and credit of an account; nothing where it has no entry.
fn sides(answer: &api::GetTrialBalanceResponse, account: &str) -> Result<(Money, Money)> {
    let Some(found) = answer.balances.iter().find(|one| one.account == account) else {
        let nothing = Money::new(0, Currency::EUR);
        return Ok((nothing, nothing));
    };
    let debit = edge::money("debit", found.debit.as_ref())?;
    Ok((debit, edge::money("credit", found.credit.as_ref())?))
}

/// Waits until all that is owed is posted.
pub async fn wait(people: &People, owed: Money) -> Result<()> {
    let deadline = Instant::now() + BOUND;
    loop {
        let posted = sides(&trial_balance(people, false).await?, EXPENSE)?.0;
        if posted == owed {
            println!("  {owed} is posted as owed");
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{posted} of {owed} is posted to the ledger after {BOUND:?}");
        }
        sleep(INTERVAL).await;
    }
}

/// Makes sure that what a file paid, and nothing else, is on its way through the bank.
pub async fn has_paid(people: &People, file: &api::PaymentFile) -> Result<()> {
    let (debit, credit) = sides(&trial_balance(people, false).await?, BANK)?;
    let total = total(file)?;
    if debit.minor != 0 || credit != total {
        bail!("{credit} went through the bank, {debit} came back, and the file has {total}");
    }
    println!("  the ledger has {credit} on its way through the bank");
    Ok(())
}

/// Compares everything, and prints the balances.
pub async fn print(people: &People) -> Result<()> {
    let answer = trial_balance(people, true).await?;
    let mut table = crate::output::table(&["account", "debit", "credit"]);
    let zero = Money::new(0, Currency::EUR);
    let (mut debits, mut credits) = (zero, zero);
    for one in &answer.balances {
        let (debit, credit) = sides(&answer, &one.account)?;
        (debits, credits) = (debits.checked_add(debit)?, credits.checked_add(credit)?);
        table.add_row([one.account.clone(), debit.to_string(), credit.to_string()]);
    }
    if debits != credits {
        bail!("debits are {debits} and credits {credits}");
    }
    println!("{}", table.trim_fmt());
    println!(
        "  debits and credits are {debits} each; chunk by chunk and file by file, {} in all, the ledger agrees with the payouts",
        answer.compared
    );
    Ok(())
}
