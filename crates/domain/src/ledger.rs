//! The general ledger's postings: double entry, in minor units, each balanced per currency.
//!
//! Payouts, chunks and differences are the subsidiary ledger; these are its control accounts.

use std::collections::{BTreeMap, BTreeSet};

use crate::money::{Currency, Money, MoneyError};
use crate::order::{Channel, ChannelKey, ChannelTotal, OrderLine};
use crate::payout_chunk::{ChunkStanding, OrderPhase};
use crate::remedy::Payer;

/// An account of the general ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Account {
    /// What compensation costs the operator.
    CompensationExpense,
    /// What a fund has to give back to the operator.
    FundReceivable,
    /// Owed, by bank transfer.
    PayableTransfer,
    /// Owed, as a credit on an invoice.
    PayableInvoice,
    /// Owed, as service credits or vouchers.
    PayableProvisioning,
    /// Owed, without a known way to pay it.
    PayableUnclaimed,
    /// On its way through the bank.
    BankClearing,
    /// Credited on invoices.
    InvoiceCredits,
    /// Service credits and vouchers that were handed out.
    CreditsIssued,
}

/// One line of an entry: a debit or a credit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// The currency.
    pub currency: Currency,
    /// The debit in minor units, or zero.
    pub debit_minor: i64,
    /// The credit in minor units, or zero.
    pub credit_minor: i64,
}

impl Account {
    /// Every account, in the order of a trial balance.
    pub const ALL: [Account; 9] = [
        Account::CompensationExpense,
        Account::FundReceivable,
        Account::PayableTransfer,
        Account::PayableInvoice,
        Account::PayableProvisioning,
        Account::PayableUnclaimed,
        Account::BankClearing,
        Account::InvoiceCredits,
        Account::CreditsIssued,
    ];

    /// Gives the account as it is written in tables and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Account::CompensationExpense => "compensation-expense",
            Account::FundReceivable => "fund-receivable",
            Account::PayableTransfer => "payable-transfer",
            Account::PayableInvoice => "payable-invoice",
            Account::PayableProvisioning => "payable-provisioning",
            Account::PayableUnclaimed => "payable-unclaimed",
            Account::BankClearing => "bank-clearing",
            Account::InvoiceCredits => "invoice-credits",
            Account::CreditsIssued => "credits-issued",
        }
    }

    /// Reads an account as it is written.
    #[must_use]
    pub fn named(name: &str) -> Option<Account> {
        Self::ALL.into_iter().find(|account| account.name() == name)
    }

    /// Gives the account of what compensation costs whoever bears it.
    #[must_use]
    pub fn borne_by(payer: Payer) -> Account {
        match payer {
            Payer::Operator => Account::CompensationExpense,
            Payer::Fund => Account::FundReceivable,
        }
    }

    /// Gives the account of what is owed over a channel.
    #[must_use]
    pub fn payable(channel: Channel) -> Account {
        match channel {
            Channel::Transfer => Account::PayableTransfer,
            Channel::Invoice => Account::PayableInvoice,
            Channel::Provisioning => Account::PayableProvisioning,
            Channel::Unclaimed => Account::PayableUnclaimed,
        }
    }
}

/// The two sides of an entry, summed by account and currency.
#[derive(Default)]
struct Entry {
    lines: BTreeMap<(Account, Currency), (i64, i64)>,
}

impl Entry {
    /// Moves an amount from one account to the other: `debit` takes it, `credit` gives it.
    fn transfer(
        &mut self,
        debit: Account,
        credit: Account,
        money: Money,
    ) -> Result<(), MoneyError> {
        if money.minor == 0 {
            return Ok(());
        }
        let sides = self.lines.entry((debit, money.currency)).or_default();
        sides.0 = sides.0.checked_add(money.minor).ok_or(MoneyError::OutOfRange)?;
        let sides = self.lines.entry((credit, money.currency)).or_default();
        sides.1 = sides.1.checked_add(money.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(())
    }

    fn postings(self) -> Vec<Posting> {
        let posting = |((account, currency), (debit_minor, credit_minor))| Posting {
            account,
            currency,
            debit_minor,
            credit_minor,
        };
        self.lines.into_iter().map(posting).collect()
    }
}

/// Posts what a chunk owes when its orders are released.
///
/// # Errors
/// `OutOfRange`.
pub fn released(totals: &BTreeMap<ChannelKey, ChannelTotal>) -> Result<Vec<Posting>, MoneyError> {
    let mut entry = Entry::default();
    for (key, total) in totals {
        let Some(currency) = key.currency else { continue };
        let money = Money::new(total.minor, currency);
        entry.transfer(Account::borne_by(key.payer), Account::payable(key.channel), money)?;
    }
    Ok(entry.postings())
}

/// Posts a payment file that went to the bank.
///
/// # Errors
/// `OutOfRange`.
pub fn submitted(total: Money) -> Result<Vec<Posting>, MoneyError> {
    let mut entry = Entry::default();
    entry.transfer(Account::PayableTransfer, Account::BankClearing, total)?;
    Ok(entry.postings())
}

/// Posts a transfer that the bank refused or that came back: it is owed again.
///
/// # Errors
/// `OutOfRange`.
pub fn came_back(amount: Money) -> Result<Vec<Posting>, MoneyError> {
    let mut entry = Entry::default();
    entry.transfer(Account::BankClearing, Account::PayableTransfer, amount)?;
    Ok(entry.postings())
}

/// Posts what was given over a channel other than the bank's: credits on invoices, service credits, vouchers.
///
/// # Errors
/// `OutOfRange`.
pub fn given(channel: Channel, amounts: &[Money]) -> Result<Vec<Posting>, MoneyError> {
    let account = match channel {
        Channel::Invoice => Account::InvoiceCredits,
        Channel::Provisioning => Account::CreditsIssued,
        Channel::Transfer | Channel::Unclaimed => Account::BankClearing,
    };
    let mut entry = Entry::default();
    for amount in amounts {
        entry.transfer(Account::payable(channel), account, *amount)?;
    }
    Ok(entry.postings())
}

/// Sums where the people of a chunk stand, one by one: what is still owed to each, and what has left. The control
/// accounts must come to the same. `submitted` are the files that went to the bank.
///
/// # Errors
/// `OutOfRange`.
pub fn positions(
    chunk: &ChunkStanding,
    submitted: &BTreeSet<String>,
) -> Result<Vec<Posting>, MoneyError> {
    let mut entry = Entry::default();
    if chunk.phase != OrderPhase::Released {
        return Ok(Vec::new());
    }
    for number in chunk.orders.columns.numbers() {
        let lines = chunk.orders.order_of(*number).map_or(&[][..], |order| &order.lines);
        for line in lines {
            let Some(money) = line.remedy.grant.amount() else { continue };
            let credit = position(chunk, *number, line, submitted);
            entry.transfer(Account::borne_by(line.remedy.payer), credit, money)?;
        }
    }
    Ok(entry.postings())
}

/// Gives the account on which one person's line stands.
fn position(
    chunk: &ChunkStanding,
    number: u64,
    line: &OrderLine,
    submitted: &BTreeSet<String>,
) -> Account {
    let place = chunk.given.get(&number).map(|given| given.place).unwrap_or_default();
    let left = match line.channel {
        Channel::Transfer => {
            let file = chunk.under_way_in(number);
            file.is_some_and(|file| submitted.contains(file)).then_some(Account::BankClearing)
        }
        Channel::Invoice => place.exported.then_some(Account::InvoiceCredits),
        Channel::Provisioning => place.delivered.then_some(Account::CreditsIssued),
        Channel::Unclaimed => None,
    };
    left.unwrap_or(Account::payable(line.channel))
}

/// Gives the currencies in which debits and credits differ, with debits less credits. Empty where all balance.
#[must_use]
pub fn imbalances(postings: &[Posting]) -> Vec<(Currency, i128)> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for posting in postings {
        *sums.entry(posting.currency).or_default() +=
            i128::from(posting.debit_minor) - i128::from(posting.credit_minor);
    }
    sums.into_iter().filter(|(_, sum)| *sum != 0).collect()
}

#[cfg(test)]
mod tests;
