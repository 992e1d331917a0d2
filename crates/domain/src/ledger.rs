//! The general ledger's postings: double entry, in minor units, each balanced per currency.
//!
//! Payouts, chunks and differences are the subsidiary ledger; these are its control accounts.

use std::collections::BTreeMap;

use crate::money::{Currency, Money, MoneyError};
use crate::order::{Channel, ChannelKey, ChannelTotal};
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
        let debit = match key.payer {
            Payer::Operator => Account::CompensationExpense,
            Payer::Fund => Account::FundReceivable,
        };
        let money = Money::new(total.minor, currency);
        entry.transfer(debit, Account::payable(key.channel), money)?;
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    fn key(channel: Channel, payer: Payer, currency: Option<Currency>) -> ChannelKey {
        ChannelKey { channel, payer, currency }
    }

    fn sides(postings: &[Posting]) -> Vec<(Account, i64, i64)> {
        postings.iter().map(|it| (it.account, it.debit_minor, it.credit_minor)).collect()
    }

    #[test]
    fn a_release_owes_by_channel_and_the_fund_owes_its_part() {
        let euro = Some(Currency::EUR);
        let total = |minor| ChannelTotal { count: 1, minor };
        let totals = BTreeMap::from([
            (key(Channel::Transfer, Payer::Operator, euro), total(3000)),
            (key(Channel::Transfer, Payer::Fund, euro), total(500)),
            (key(Channel::Unclaimed, Payer::Operator, euro), total(40)),
            (key(Channel::Provisioning, Payer::Operator, None), total(0)),
        ]);
        let postings = released(&totals).unwrap();
        assert_eq!(
            sides(&postings),
            [
                (Account::CompensationExpense, 3040, 0),
                (Account::FundReceivable, 500, 0),
                (Account::PayableTransfer, 0, 3500),
                (Account::PayableUnclaimed, 0, 40),
            ]
        );
        assert_eq!(imbalances(&postings), []);
    }

    #[test]
    fn a_transfer_that_comes_back_undoes_its_submission() {
        let there = submitted(eur(3000)).unwrap();
        let back = came_back(eur(3000)).unwrap();
        let first = (Account::PayableTransfer, 3000, 0);
        assert_eq!(sides(&there), [first, (Account::BankClearing, 0, 3000)]);
        let first = (Account::PayableTransfer, 0, 3000);
        assert_eq!(sides(&back), [first, (Account::BankClearing, 3000, 0)]);
    }

    #[test]
    fn names_read_back() {
        for account in Account::ALL {
            assert_eq!(Account::named(account.name()), Some(account));
        }
        for channel in Channel::ALL {
            assert_eq!(Channel::named(channel.name()), Some(channel));
        }
    }

    proptest! {
        #[test]
        fn every_entry_balances_in_every_currency(
            sums in prop::collection::vec((0_usize..4, any::<bool>(), 0_usize..2, 0_i64..1 << 40), 0..12)
        ) {
            let currencies = [Currency::EUR, "GBP".parse().unwrap()];
            let mut totals = BTreeMap::new();
            let mut amounts = Vec::new();
            for (channel, fund, currency, minor) in sums {
                let payer = if fund { Payer::Fund } else { Payer::Operator };
                let currency = currencies[currency];
                let total = ChannelTotal { count: 1, minor };
                totals.insert(key(Channel::ALL[channel], payer, Some(currency)), total);
                amounts.push(Money::new(minor, currency));
            }
            prop_assert_eq!(imbalances(&released(&totals).unwrap()), []);
            prop_assert_eq!(imbalances(&given(Channel::Invoice, &amounts).unwrap()), []);
            for amount in amounts {
                prop_assert_eq!(imbalances(&submitted(amount).unwrap()), []);
                prop_assert_eq!(imbalances(&came_back(amount).unwrap()), []);
            }
        }
    }
}
