//! What a payment file is made of, as its caller knows it: untouched by rules and transliteration.

use std::fmt;
use std::num::NonZeroUsize;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

/// One payment file as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFileHeader {
    /// The payment file; its message and block identifiers are derived from it.
    pub file: Uuid,
    /// When the file was created. An argument, not the clock, so that the bytes can be made again.
    pub created_at: Timestamp,
    /// The day on which the bank should execute it. A bank takes the next TARGET business day when
    /// it is none, and may refuse a day more than 15 calendar days ahead.
    pub execution_date: Date,
    /// Who sends the file, often the debtor itself; shown to the bank only.
    pub initiating_party: String,
    /// How many transfers a payment block holds at most. A bank books a block as one debit.
    pub transfers_per_block: NonZeroUsize,
}

/// The account that pays.
#[derive(Clone, PartialEq, Eq)]
pub struct Debtor {
    /// The account holder's name as the bank knows it.
    pub name: String,
    /// The account, with or without spaces.
    pub iban: String,
    /// The bank's identifier, 8 or 11 characters. Without one `NOTPROVIDED` is written, which every
    /// SEPA bank must accept.
    pub bic: Option<String>,
    /// The debtor's address, needed as soon as one creditor's bank is outside the European Economic
    /// Area. Structured, since unstructured addresses are refused from November 2026 on.
    pub address: Option<TownAddress>,
}

/// The smallest structured address that SEPA accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TownAddress {
    /// The town.
    pub town: String,
    /// ISO 3166 code of the country, two letters.
    pub country: String,
}

/// One credit transfer in euro.
#[derive(Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Names this payout attempt from end to end; made by
    /// [`PayoutAttempt::end_to_end_id`](super::identifier::PayoutAttempt::end_to_end_id).
    pub end_to_end_id: String,
    /// Euro cents.
    pub amount_minor: i64,
    /// Who is paid.
    pub creditor_name: String,
    /// The account that is paid, with or without spaces.
    pub creditor_iban: String,
    /// What the creditor reads on the statement; left out of the file when empty.
    pub remittance: String,
}

impl fmt::Debug for Debtor {
    /// Shows no account: a debug line may end in a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Debtor").field("bic", &self.bic).finish_non_exhaustive()
    }
}

impl fmt::Debug for Transfer {
    /// Shows neither name nor account: a debug line may end in a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transfer")
            .field("end_to_end_id", &self.end_to_end_id)
            .field("amount_minor", &self.amount_minor)
            .finish_non_exhaustive()
    }
}
