//! What the bank refuses although the schema allows it: amounts, accounts, identifiers, sums.
//!
//! Sources: EPC132-08 (SEPA Credit Transfer, Customer-to-PSP Implementation Guidelines, 2025) for
//! amounts, lengths and the debtor's address; EPC230-15 for slashes in identifiers; EPC409-09 for
//! the countries. The limit of transfers is our own; a bank's contract may set a lower one.
//!
//! A violation names the transfer by its place and identifier, never by name or account number,
//! since it may be logged.

use std::collections::HashMap;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::Offset;

use super::iban::{IbanProblem, SepaIban};
use super::identifier::{BLOCK_LIMIT, IDENTIFIER_LIMIT};
use super::payment::{Debtor, PaymentFileHeader, TownAddress, Transfer};
use super::text::{NAME_LIMIT, REMITTANCE_LIMIT, TOWN_LIMIT, is_sepa_text, sepa_text};

/// Smallest amount of a transfer, in euro cents.
pub const AMOUNT_MIN_MINOR: i64 = 1;
/// Largest amount of a transfer, in euro cents: 999,999,999.99 EUR. EPC132-08, AT-T002.
pub const AMOUNT_MAX_MINOR: i64 = 99_999_999_999;
/// Most transfers of one file.
pub const TRANSFERS_LIMIT: usize = 100_000;

/// Which transfer of the file a violation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1 in the order of the file.
    pub position: usize,
    /// The transfer's identifier as it was given.
    pub end_to_end_id: String,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "transfer {} (EndToEndId {:?})", self.position, self.end_to_end_id)
    }
}

/// A rule that the file would break, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleViolation {
    /// A file without transfers.
    #[error("the file has no transfer: do not create it")]
    NoTransfers,
    /// More transfers than a file may have.
    #[error("the file has {count} transfers, at most {TRANSFERS_LIMIT} are allowed: split it")]
    TooManyTransfers {
        /// How many there are.
        count: usize,
    },
    /// More payment blocks than their identifiers can count.
    #[error(
        "the file has {count} payment blocks, at most {BLOCK_LIMIT} are allowed: raise transfers_per_block"
    )]
    TooManyBlocks {
        /// How many there would be.
        count: usize,
    },
    /// The execution date lies before the day of creation.
    #[error(
        "execution date {execution_date} is before {created_on}, when the file was created: choose a later one"
    )]
    ExecutionDatePast {
        /// What was asked for.
        execution_date: Date,
        /// The day of creation in UTC, which is never later than in Europe.
        created_on: Date,
    },
    /// The sender's name has no letter or digit.
    #[error("the initiating party's name has no letter or digit: set it in the configuration")]
    InitiatingPartyName,
    /// The debtor's name has no letter or digit.
    #[error("the debtor's name has no letter or digit: set it in the configuration")]
    DebtorName,
    /// The debtor's account cannot be used.
    #[error("the debtor's IBAN cannot be used, {problem}: correct the configuration")]
    DebtorIban {
        /// What is wrong with it.
        problem: IbanProblem,
    },
    /// The debtor's bank is not identified rightly.
    #[error("the debtor's BIC {bic:?} is not 8 or 11 capitals and digits: correct or remove it")]
    DebtorBic {
        /// As it was given; it names a bank, not a person.
        bic: String,
    },
    /// The debtor's address has no town or no country.
    #[error(
        "the debtor's address needs a town and a two-letter country: correct the configuration"
    )]
    DebtorAddress,
    /// A creditor outside the European Economic Area, and no debtor's address.
    #[error(
        "{place} goes to {country}, outside the European Economic Area, so the debtor's address must be given: set it in the configuration, or hold the payout"
    )]
    DebtorAddressMissing {
        /// The first such transfer.
        place: Place,
        /// The country of its account.
        country: String,
    },
    /// An amount outside what a transfer may carry.
    #[error(
        "{place} has an amount of {amount_minor} cents, outside 0.01 to 999,999,999.99 EUR: leave it out or split it"
    )]
    Amount {
        /// Which transfer.
        place: Place,
        /// Euro cents.
        amount_minor: i64,
    },
    /// An identifier that is too long, empty, or has forbidden characters or slashes.
    #[error(
        "{place} has an identifier that is not 1 to {IDENTIFIER_LIMIT} SEPA characters without leading, trailing or double slash: make it with PayoutAttempt"
    )]
    EndToEndId {
        /// Which transfer.
        place: Place,
    },
    /// Two transfers with the same identifier.
    #[error(
        "{place} has the identifier of transfer {first} already: a payout is in the file twice, remove one"
    )]
    DuplicateEndToEndId {
        /// The later of the two.
        place: Place,
        /// The position of the earlier one, counted from 1.
        first: usize,
    },
    /// A creditor's name without a letter or digit.
    #[error(
        "{place} has a creditor's name without a letter or digit: hold the payout and ask for the payee's name"
    )]
    CreditorName {
        /// Which transfer.
        place: Place,
    },
    /// An account that cannot be paid.
    #[error(
        "{place} has an IBAN that cannot be used, {problem}: hold the payout and ask for the payee's account"
    )]
    CreditorIban {
        /// Which transfer.
        place: Place,
        /// What is wrong with it.
        problem: IbanProblem,
    },
    /// Remittance information that is not empty, but has no letter or digit.
    #[error(
        "{place} has remittance information without a letter or digit: correct it or leave it empty"
    )]
    Remittance {
        /// Which transfer.
        place: Place,
    },
}

/// A file that has passed the rules; only [`pain001`](super::pain001) reads it.
pub(super) struct PreparedFile {
    pub(super) initiating_party: String,
    pub(super) debtor: PreparedDebtor,
    pub(super) transfers: Vec<PreparedTransfer>,
}

/// The debtor in SEPA text.
pub(super) struct PreparedDebtor {
    pub(super) name: String,
    pub(super) iban: SepaIban,
    pub(super) bic: Option<String>,
    pub(super) address: Option<TownAddress>,
}

/// A transfer in SEPA text.
pub(super) struct PreparedTransfer {
    pub(super) end_to_end_id: String,
    pub(super) amount_minor: i64,
    pub(super) creditor_name: String,
    pub(super) creditor_iban: SepaIban,
    pub(super) remittance: Option<String>,
}

/// Lists everything that is wrong with a file: what concerns the whole, then at most one violation
/// for each transfer. Empty when [`write`](super::write) would succeed.
pub fn violations(
    header: &PaymentFileHeader,
    debtor: &Debtor,
    transfers: &[Transfer],
) -> Vec<RuleViolation> {
    prepare(header, debtor, transfers).err().unwrap_or_default()
}

/// Checks one transfer alone, so that a payout which no file could carry is held before it is
/// reserved for one. `position` only names it in the violation.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_transfer(position: usize, transfer: &Transfer) -> Result<(), RuleViolation> {
    prepare_transfer(position, transfer).map(|_prepared| ())
}

/// Checks all rules and puts every text into its SEPA form. The list of an error is never empty.
pub(super) fn prepare(
    header: &PaymentFileHeader,
    debtor: &Debtor,
    transfers: &[Transfer],
) -> Result<PreparedFile, Vec<RuleViolation>> {
    let mut found = size_violations(header, transfers.len());
    found.extend(date_violation(header));
    let initiating_party = sepa_text(&header.initiating_party, NAME_LIMIT);
    if initiating_party.is_none() {
        found.push(RuleViolation::InitiatingPartyName);
    }
    let prepared_debtor = prepare_debtor(debtor).map_err(|violation| found.push(violation)).ok();
    let mut prepared_transfers = Vec::with_capacity(transfers.len());
    for (index, transfer) in transfers.iter().enumerate() {
        match prepare_transfer(index + 1, transfer) {
            Ok(prepared) => prepared_transfers.push(prepared),
            Err(violation) => found.push(violation),
        }
    }
    found.extend(duplicate_violations(transfers));
    if debtor.address.is_none() {
        found.extend(address_violation(&prepared_transfers));
    }
    match (initiating_party, prepared_debtor) {
        (Some(initiating_party), Some(debtor)) if found.is_empty() => {
            Ok(PreparedFile { initiating_party, debtor, transfers: prepared_transfers })
        }
        (_, _) => Err(found),
    }
}

fn size_violations(header: &PaymentFileHeader, count: usize) -> Vec<RuleViolation> {
    let blocks = count.div_ceil(header.transfers_per_block.get());
    let mut found = Vec::new();
    if count == 0 {
        found.push(RuleViolation::NoTransfers);
    }
    if count > TRANSFERS_LIMIT {
        found.push(RuleViolation::TooManyTransfers { count });
    }
    if blocks > BLOCK_LIMIT as usize {
        found.push(RuleViolation::TooManyBlocks { count: blocks });
    }
    found
}

fn date_violation(header: &PaymentFileHeader) -> Option<RuleViolation> {
    let created_on = Offset::UTC.to_datetime(header.created_at).date();
    let execution_date = header.execution_date;
    (execution_date < created_on)
        .then_some(RuleViolation::ExecutionDatePast { execution_date, created_on })
}

fn prepare_debtor(debtor: &Debtor) -> Result<PreparedDebtor, RuleViolation> {
    let name = sepa_text(&debtor.name, NAME_LIMIT).ok_or(RuleViolation::DebtorName)?;
    let iban =
        SepaIban::parse(&debtor.iban).map_err(|problem| RuleViolation::DebtorIban { problem })?;
    if let Some(bic) = debtor.bic.as_ref().filter(|bic| !is_bic(bic)) {
        return Err(RuleViolation::DebtorBic { bic: bic.clone() });
    }
    let address = debtor.address.as_ref().map(prepare_address).transpose()?;
    Ok(PreparedDebtor { name, iban, bic: debtor.bic.clone(), address })
}

fn prepare_address(address: &TownAddress) -> Result<TownAddress, RuleViolation> {
    let country = &address.country;
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(RuleViolation::DebtorAddress);
    }
    let town = sepa_text(&address.town, TOWN_LIMIT).ok_or(RuleViolation::DebtorAddress)?;
    Ok(TownAddress { town, country: country.clone() })
}

/// ISO 9362: four characters of the institution, two letters of the country, two of the place and,
/// if eleven, three of the branch. The same pattern as the schema's.
fn is_bic(bic: &str) -> bool {
    let characters = bic.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let country = bic.bytes().skip(4).take(2).all(|byte| byte.is_ascii_uppercase());
    matches!(bic.len(), 8 | 11) && characters && country
}

fn prepare_transfer(
    position: usize,
    transfer: &Transfer,
) -> Result<PreparedTransfer, RuleViolation> {
    let end_to_end_id = transfer.end_to_end_id.clone();
    let place = || Place { position, end_to_end_id: end_to_end_id.clone() };
    if !is_sepa_text(&end_to_end_id, IDENTIFIER_LIMIT) {
        return Err(RuleViolation::EndToEndId { place: place() });
    }
    let amount_minor = transfer.amount_minor;
    if !(AMOUNT_MIN_MINOR..=AMOUNT_MAX_MINOR).contains(&amount_minor) {
        return Err(RuleViolation::Amount { place: place(), amount_minor });
    }
    let creditor_name = sepa_text(&transfer.creditor_name, NAME_LIMIT)
        .ok_or_else(|| RuleViolation::CreditorName { place: place() })?;
    let creditor_iban = SepaIban::parse(&transfer.creditor_iban)
        .map_err(|problem| RuleViolation::CreditorIban { place: place(), problem })?;
    let remittance = sepa_text(&transfer.remittance, REMITTANCE_LIMIT);
    if remittance.is_none() && !transfer.remittance.trim().is_empty() {
        return Err(RuleViolation::Remittance { place: place() });
    }
    Ok(PreparedTransfer { end_to_end_id, amount_minor, creditor_name, creditor_iban, remittance })
}

fn duplicate_violations(transfers: &[Transfer]) -> Vec<RuleViolation> {
    let mut first_positions = HashMap::with_capacity(transfers.len());
    let mut found = Vec::new();
    for (index, transfer) in transfers.iter().enumerate() {
        let first = *first_positions.entry(transfer.end_to_end_id.as_str()).or_insert(index);
        if first != index {
            let end_to_end_id = transfer.end_to_end_id.clone();
            let place = Place { position: index + 1, end_to_end_id };
            found.push(RuleViolation::DuplicateEndToEndId { place, first: first + 1 });
        }
    }
    found
}

/// Regulation (EU) 2023/1113, article 4, and EPC132-08: outside the area the payer's address
/// travels with the payment.
fn address_violation(transfers: &[PreparedTransfer]) -> Option<RuleViolation> {
    let (index, transfer) = transfers
        .iter()
        .enumerate()
        .find(|(_, transfer)| transfer.creditor_iban.is_outside_eea())?;
    let place = Place { position: index + 1, end_to_end_id: transfer.end_to_end_id.clone() };
    let country = transfer.creditor_iban.country().to_owned();
    Some(RuleViolation::DebtorAddressMissing { place, country })
}
