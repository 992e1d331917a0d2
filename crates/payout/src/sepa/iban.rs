//! Accounts that a SEPA transfer can reach.
//!
//! Country lengths, national formats and the mod-97 check are those of the crate `iban_validate`,
//! generated from SWIFT's IBAN registry; version 5.0.1, of October 2024, knows every SEPA country
//! (tested below). National check digits inside the account, as the Italian CIN, are the bank's to
//! check.

use iban::{Iban, IbanLike, ParseBaseIbanError, ParseIbanError};

/// IBAN countries of the SEPA schemes inside the European Economic Area.
/// EPC409-09, "EPC list of SEPA scheme countries", version 8.0 of 24 December 2025. Overseas
/// territories bank under their state's code.
const INSIDE_EEA: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS",
    "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// IBAN countries of the SEPA schemes outside the European Economic Area, same source. Guernsey,
/// Jersey and the Isle of Man use `GB`.
const OUTSIDE_EEA: [&str; 12] =
    ["AD", "AL", "CH", "GB", "GI", "MC", "MD", "ME", "MK", "RS", "SM", "VA"];

/// An account number that a SEPA transfer can be sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SepaIban(Iban);

/// Why an account number cannot be used. Never holds the number itself, since errors are logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IbanProblem {
    /// Not two letters, two digits and up to 30 letters or digits.
    #[error("it is not two letters, two digits and then letters or digits")]
    Format,
    /// The mod-97 check failed.
    #[error("its check digits do not match: a character is wrong or two are swapped")]
    CheckDigits,
    /// Length or form of the country's own part is wrong.
    #[error("its length or form is not that of {country}")]
    CountryFormat {
        /// The two letters that the number begins with.
        country: String,
    },
    /// A real account number of a country that SEPA does not reach.
    #[error("{country} is not a SEPA country")]
    NotSepa {
        /// The two letters that the number begins with.
        country: String,
    },
}

impl SepaIban {
    /// Reads an account number; blanks and lower case are allowed, as people type them.
    ///
    /// # Errors
    /// [`IbanProblem`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, IbanProblem> {
        let compact: String =
            text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
        let iban: Iban = compact.parse().map_err(problem)?;
        let country = iban.country_code();
        if INSIDE_EEA.contains(&country) || OUTSIDE_EEA.contains(&country) {
            return Ok(Self(iban));
        }
        Err(IbanProblem::NotSepa { country: country.to_owned() })
    }

    /// The number without blanks, as files carry it.
    pub fn electronic(&self) -> &str {
        self.0.electronic_str()
    }

    /// The two letters of the account's country.
    pub fn country(&self) -> &str {
        self.0.country_code()
    }

    /// Says whether the account is outside the European Economic Area, where the payer's address
    /// must travel with the payment.
    pub fn is_outside_eea(&self) -> bool {
        OUTSIDE_EEA.contains(&self.country())
    }
}

fn problem(error: ParseIbanError) -> IbanProblem {
    match error {
        ParseIbanError::InvalidBaseIban { source: ParseBaseIbanError::InvalidFormat } => {
            IbanProblem::Format
        }
        ParseIbanError::InvalidBaseIban { source: ParseBaseIbanError::InvalidChecksum } => {
            IbanProblem::CheckDigits
        }
        ParseIbanError::InvalidBban(base) => {
            IbanProblem::CountryFormat { country: base.country_code().to_owned() }
        }
        ParseIbanError::UnknownCountry(base) => {
            IbanProblem::NotSepa { country: base.country_code().to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, IbanProblem>) {
        let parsed = SepaIban::parse(text).map(|iban| iban.electronic().to_owned());
        assert_eq!(parsed, expected.map(str::to_owned), "from {text:?}");
    }

    #[test]
    fn account_numbers_are_read_as_people_type_them() {
        check("IT60X0542811101000000123456", Ok("IT60X0542811101000000123456"));
        check("de89 3704 0044 0532 0130 00 ", Ok("DE89370400440532013000"));
        check("GB82 WEST 12345698765432", Ok("GB82WEST12345698765432"));
    }

    #[test]
    fn wrong_account_numbers_are_refused_with_their_reason() {
        check("", Err(IbanProblem::Format));
        check("DE89-3704-0044-0532-0130-00", Err(IbanProblem::Format));
        check("DE98370400440532013000", Err(IbanProblem::CheckDigits));
        check("DE89370400440532013001", Err(IbanProblem::CheckDigits));
        // Mod 97 holds, but an Italian number has 27 characters.
        let italy = || "IT".to_owned();
        check("IT57123456789", Err(IbanProblem::CountryFormat { country: italy() }));
        // Turkey and Brazil have account numbers, but no SEPA.
        check("TR330006100519786457841326", Err(IbanProblem::NotSepa { country: "TR".to_owned() }));
    }

    #[test]
    fn every_sepa_country_stands_in_the_registry() {
        for country in INSIDE_EEA.iter().chain(&OUTSIDE_EEA) {
            // Any number of the country is refused for its form, not for an unknown country.
            let check_digits = (2..=98).find_map(|digits| {
                let text = format!("{country}{digits:02}0");
                match SepaIban::parse(&text) {
                    Err(IbanProblem::CountryFormat { country }) => Some(country),
                    Ok(_)
                    | Err(
                        IbanProblem::Format
                        | IbanProblem::CheckDigits
                        | IbanProblem::NotSepa { .. },
                    ) => None,
                }
            });
            assert_eq!(check_digits.as_deref(), Some(*country));
        }
    }

    #[test]
    fn only_accounts_outside_the_economic_area_need_the_address() {
        let outside = |text| SepaIban::parse(text).map(|iban| iban.is_outside_eea());
        assert_eq!(outside("GB82WEST12345698765432"), Ok(true));
        assert_eq!(outside("CH9300762011623852957"), Ok(true));
        assert_eq!(outside("IT60X0542811101000000123456"), Ok(false));
    }
}
