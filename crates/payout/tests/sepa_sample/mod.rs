//! A valid payment file for the SEPA tests to change.

use std::num::NonZeroUsize;

use ristoro_payout::sepa::identifier::PayoutAttempt;
use ristoro_payout::sepa::{Debtor, PaymentFileHeader, TownAddress, Transfer};
use uuid::Uuid;

/// Published examples of account numbers, none of a real person.
pub const IBANS: [&str; 6] = [
    "IT60X0542811101000000123456",
    "DE89 3704 0044 0532 0130 00",
    "FR1420041010050500013M02606",
    "ES9121000418450200051332",
    "GB82WEST12345698765432",
    "RO49AAAA1B31007593840000",
];

/// The assessment whose payouts the sample pays.
pub const ASSESSMENT: Uuid = Uuid::from_u128(0x5eed_0000_1111_4222_8333_4444_5555_6666);

/// Everything that `write` takes.
#[derive(Debug, Clone)]
pub struct Sample {
    pub header: PaymentFileHeader,
    pub debtor: Debtor,
    pub transfers: Vec<Transfer>,
}

impl Sample {
    /// A valid file of so many transfers, two in a block.
    pub fn of(count: u64) -> Self {
        let header = PaymentFileHeader {
            file: Uuid::from_u128(0xf11e),
            created_at: "2023-03-01T09:30:47.123Z".parse().expect("a time"),
            execution_date: "2023-03-02".parse().expect("a date"),
            initiating_party: "Società Esempio S.p.A.".to_owned(),
            transfers_per_block: NonZeroUsize::new(2).expect("2 is not 0"),
        };
        let debtor = Debtor {
            name: "Società Esempio S.p.A.".to_owned(),
            iban: IBANS[0].to_owned(),
            bic: Some("BLOPIT22XXX".to_owned()),
            address: Some(TownAddress { town: "Forlì".to_owned(), country: "IT".to_owned() }),
        };
        Self { header, debtor, transfers: (1..=count).map(transfer).collect() }
    }

    /// Writes the file.
    pub fn write(&self) -> Result<Vec<u8>, ristoro_payout::sepa::RuleViolation> {
        ristoro_payout::sepa::write(&self.header, &self.debtor, &self.transfers)
    }
}

/// The first attempt to pay a subscription 30.00 EUR.
pub fn transfer(number: u64) -> Transfer {
    let attempt = PayoutAttempt { assessment: ASSESSMENT, number, attempt: 1 };
    Transfer {
        end_to_end_id: attempt.end_to_end_id().expect("1 is an attempt"),
        amount_minor: 3000,
        creditor_name: format!("Anna Bianchi {number}"),
        creditor_iban: IBANS[number as usize % IBANS.len()].to_owned(),
        remittance: "Ristoro disservizio 22-28 gennaio 2023".to_owned(),
    }
}
