//! A reserved payout as a transfer: its identifier, and the payee's account as of the file's pin.

use ristoro_domain::payment_file::Creation;
use ristoro_domain::reservation::ReservedRow;
use uuid::Uuid;

use crate::projections::account::Account;
use crate::sepa::iban::SepaIban;
use crate::sepa::identifier::{IdentifierProblem, PayoutAttempt};
use crate::sepa::rules::check_transfer;
use crate::sepa::{Debtor, TownAddress, Transfer};

/// The namespace of the keys of assessments whose ids are no UUIDs.
const ASSESSMENTS: Uuid = Uuid::from_u128(0x9c41_0d6e_5f0a_4b57_8a1e_6d02_b3f7_44c9);
/// What the id of a claim's pseudo-assessment begins with.
const CLAIM: &str = "claim-";

/// Gives the key of an assessment in the bank's identifiers: its own UUID or that of its claim, else one derived from
/// its id.
#[must_use]
pub fn assessment_key(assessment: &str) -> Uuid {
    let id = assessment.strip_prefix(CLAIM).unwrap_or(assessment);
    match Uuid::try_parse(id) {
        // Other spellings of the same UUID are other ids.
        Ok(uuid) if uuid.to_string() == id => uuid,
        Ok(_) | Err(_) => Uuid::new_v5(&ASSESSMENTS, assessment.as_bytes()),
    }
}

/// Makes the transfer that pays a reserved row.
///
/// # Errors
/// `Attempt` where its attempt has no place in the identifier.
pub fn transfer(
    assessment: &str,
    row: &ReservedRow,
    account: &Account,
) -> Result<Transfer, IdentifierProblem> {
    let attempt = PayoutAttempt {
        assessment: assessment_key(assessment),
        number: row.number,
        attempt: row.attempt,
    };
    Ok(Transfer {
        end_to_end_id: attempt.end_to_end_id()?,
        amount_minor: row.amount_minor,
        creditor_name: account.name.clone(),
        creditor_iban: account.iban.clone(),
        remittance: format!("Compensation {assessment}"),
    })
}

/// Gives the account that pays, as files write it.
#[must_use]
pub fn debtor(creation: &Creation) -> Debtor {
    let debtor = &creation.debtor;
    let address = || TownAddress { town: debtor.town.clone(), country: debtor.country.clone() };
    Debtor {
        name: debtor.name.clone(),
        iban: debtor.iban.clone(),
        bic: (!debtor.bic.is_empty()).then(|| debtor.bic.clone()),
        address: (!debtor.town.is_empty() || !debtor.country.is_empty()).then(address),
    }
}

/// Tells whether a file can carry a row, so that nothing is reserved that would stop the whole file later.
#[must_use]
pub fn is_payable(
    creation: &Creation,
    assessment: &str,
    row: &ReservedRow,
    account: &Account,
) -> bool {
    let Ok(transfer) = transfer(assessment, row, account) else { return false };
    let outside = SepaIban::parse(&account.iban).is_ok_and(|iban| iban.is_outside_eea());
    let addressed = debtor(creation).address.is_some();
    check_transfer(1, &transfer).is_ok() && (addressed || !outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assessment_s_key_is_its_own_uuid_where_it_has_one() {
        let id = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
        let uuid: Uuid = id.parse().unwrap();
        assert_eq!(assessment_key(id), uuid);
        assert_eq!(assessment_key(&format!("claim-{id}")), uuid);
        assert_ne!(assessment_key(&id.to_uppercase()), uuid);
        assert_ne!(assessment_key("a1"), assessment_key("a2"));
    }

    #[test]
    fn a_retry_is_another_transfer_to_the_bank() {
        let account = Account {
            iban: "IT60X0542811101000000123456".to_owned(),
            name: "Ada Rossi".to_owned(),
        };
        let row = |attempt| ReservedRow { number: 7, amount_minor: 3000, attempt };
        let id = |attempt| transfer("a1", &row(attempt), &account).unwrap().end_to_end_id;
        assert_ne!(id(1), id(2));
        assert!(transfer("a1", &row(62), &account).is_err());
        let read = PayoutAttempt::from_end_to_end_id(&id(2)).unwrap();
        assert_eq!((read.assessment, read.attempt), (assessment_key("a1"), 2));
    }
}
