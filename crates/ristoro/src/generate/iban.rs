//! Account numbers for generated rosters: valid in every check digit, and nobody's.
//!
//! Their bank codes are all nines, which no bank is known to have, so that a payment file made from
//! a generated roster pays no one, even if it should reach a bank.

/// Countries whose account numbers can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Country {
    /// IT: CIN, ABI, CAB, account.
    Italy,
    /// DE: Bankleitzahl, account.
    Germany,
    /// FR: bank, branch, account, RIB key.
    France,
    /// ES: bank, branch, two check digits, account.
    Spain,
}

/// Makes an account number without blanks. The same seed gives the same one; different seeds below
/// 10,000,000,000 give different ones.
pub fn test_iban(country: Country, seed: u64) -> String {
    match country {
        Country::Italy => italian("99999", "00001", &account(seed, 12)),
        Country::Germany => iban("DE", &format!("99999999{}", account(seed, 10))),
        Country::France => french("99999", "00001", &account(seed, 11)),
        Country::Spain => spanish("9999", "0001", &account(seed, 10)),
    }
}

/// As many digits as asked for, scattered: the factor shares no divisor with ten, so that this is a
/// permutation of the numbers of that many digits.
fn account(seed: u64, digits: u32) -> String {
    let value = (u128::from(seed) * 7_654_321_987 + 1_234_567) % 10_u128.pow(digits);
    format!("{value:0width$}", width = digits as usize)
}

/// Puts country and check digits in front: 98 less the remainder modulo 97. ISO 13616.
fn iban(country: &str, national: &str) -> String {
    let remainder = format!("{national}{country}00").bytes().fold(0, |remainder, byte| {
        let value = character_value(byte);
        (remainder * if value < 10 { 10 } else { 100 } + value) % 97
    });
    format!("{country}{:02}{national}", 98 - remainder)
}

/// Digits count as themselves, letters as 10 to 35.
fn character_value(byte: u8) -> u32 {
    char::from(byte).to_digit(36).expect("account numbers consist of letters and digits")
}

/// The control character CIN: characters at odd places (the first is 1) count by the table, those at
/// even places as they are, and the sum modulo 26 is a letter. ABI's standard for the BBAN.
fn italian(bank: &str, branch: &str, account: &str) -> String {
    const ODD_PLACES: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let national = format!("{bank}{branch}{account}");
    let sum: u32 = national
        .bytes()
        .map(character_value)
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { ODD_PLACES[digit as usize] } else { digit })
        .sum();
    let control = char::from_digit(10 + sum % 26, 36).expect("10 to 35 are letters");
    iban("IT", &format!("{}{national}", control.to_ascii_uppercase()))
}

/// The RIB key: 97 less the remainder modulo 97 of 89 times the bank, 15 times the branch and 3
/// times the account.
fn french(bank: &str, branch: &str, account: &str) -> String {
    let number = |digits: &str| digits.parse::<u64>().expect("digits only");
    let weighted = 89 * number(bank) + 15 * number(branch) + 3 * number(account);
    iban("FR", &format!("{bank}{branch}{account}{:02}", 97 - weighted % 97))
}

/// Two check digits, one over bank and branch, one over the account: 11 less the weighted sum modulo
/// 11, where 10 becomes 1 and 11 becomes 0.
fn spanish(bank: &str, branch: &str, account: &str) -> String {
    let check_digit = |digits: &str| {
        let weights = [1, 2, 4, 8, 5, 10, 9, 7, 3, 6];
        let sum: u32 = digits
            .bytes()
            .map(character_value)
            .zip(weights)
            .map(|(digit, weight)| digit * weight)
            .sum();
        match 11 - sum % 11 {
            10 => 1,
            11 => 0,
            digit => digit,
        }
    };
    let first = check_digit(&format!("00{bank}{branch}"));
    let second = check_digit(account);
    iban("ES", &format!("{bank}{branch}{first}{second}{account}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ristoro_payout::sepa::iban::SepaIban;
    use std::collections::BTreeSet;

    const COUNTRIES: [Country; 4] =
        [Country::Italy, Country::Germany, Country::France, Country::Spain];

    #[test]
    fn published_examples_come_out_as_published() {
        assert_eq!(italian("05428", "11101", "000000123456"), "IT60X0542811101000000123456");
        assert_eq!(iban("DE", "370400440532013000"), "DE89370400440532013000");
        assert_eq!(french("30006", "00001", "12345678901"), "FR7630006000011234567890189");
        assert_eq!(spanish("2100", "0418", "0200051332"), "ES9121000418450200051332");
    }

    #[test]
    fn every_generated_account_number_is_valid_and_its_own() {
        for country in COUNTRIES {
            let mut seen = BTreeSet::new();
            for seed in (0..2_000).chain([9_999_999_999, u64::MAX]) {
                let generated = test_iban(country, seed);
                let read = SepaIban::parse(&generated).map(|iban| iban.electronic().to_owned());
                assert_eq!(read.as_ref(), Ok(&generated));
                assert!(generated[4..].contains("9999"), "a bank that is none: {generated}");
                assert!(
                    seen.insert(generated),
                    "seed {seed} of {country:?} repeats an earlier one"
                );
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_account_number() {
        for country in COUNTRIES {
            assert_eq!(test_iban(country, 7), test_iban(country, 7));
        }
        assert_eq!(test_iban(Country::Germany, 0), "DE85999999990001234567");
    }
}
