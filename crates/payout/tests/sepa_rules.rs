//! Each rule of a SEPA payment file, broken once.

mod sepa_leaves;
mod sepa_sample;

use std::num::NonZeroUsize;

use ristoro_payout::sepa::iban::IbanProblem;
use ristoro_payout::sepa::rules::{Place, check_transfer, violations};
use ristoro_payout::sepa::{RuleViolation, TownAddress};
use sepa_leaves::leaves;
use sepa_sample::{Sample, transfer};

/// Changes a valid file of four transfers and expects this violation and no other.
fn check(change: impl FnOnce(&mut Sample), expected: RuleViolation) {
    let mut sample = Sample::of(4);
    assert_eq!(violations(&sample.header, &sample.debtor, &sample.transfers), []);
    change(&mut sample);
    assert_eq!(sample.write(), Err(expected.clone()));
    assert_eq!(violations(&sample.header, &sample.debtor, &sample.transfers), [expected]);
}

fn place(position: u64) -> Place {
    let end_to_end_id = transfer(position).end_to_end_id;
    Place { position: position as usize, end_to_end_id }
}

#[test]
fn a_file_has_1_to_100_000_transfers() {
    check(|sample| sample.transfers.clear(), RuleViolation::NoTransfers);
    let mut sample = Sample::of(100_001);
    sample.header.transfers_per_block = NonZeroUsize::new(10_000).expect("not 0");
    assert_eq!(sample.write(), Err(RuleViolation::TooManyTransfers { count: 100_001 }));
    sample.transfers.pop();
    let file = leaves(&sample.write().expect("100,000 are allowed"));
    let sums = |path: &str| {
        file.iter().filter(|leaf| leaf.0 == path).map(|leaf| leaf.1.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sums("GrpHdr/CtrlSum"), ["3000000.00"]);
    assert_eq!(sums("PmtInf/CtrlSum"), vec!["300000.00"; 10]);
}

#[test]
fn a_file_has_at_most_999_blocks() {
    let sample = Sample::of(2_000);
    assert_eq!(sample.write(), Err(RuleViolation::TooManyBlocks { count: 1_000 }));
    assert!(Sample::of(1_998).write().is_ok());
}

#[test]
fn amounts_are_between_a_cent_and_a_billion_euro() {
    for amount_minor in [0, -1, i64::MIN, 100_000_000_000, i64::MAX] {
        check(
            |sample| sample.transfers[2].amount_minor = amount_minor,
            RuleViolation::Amount { place: place(3), amount_minor },
        );
    }
    let mut sample = Sample::of(2);
    sample.transfers[0].amount_minor = 1;
    sample.transfers[1].amount_minor = 99_999_999_999;
    let file = leaves(&sample.write().expect("the limits are allowed"));
    let amounts: Vec<_> =
        file.iter().filter(|leaf| leaf.0.ends_with("InstdAmt")).map(|leaf| &leaf.1).collect();
    assert_eq!(amounts, ["0.01", "999999999.99"]);
    assert!(file.contains(&("GrpHdr/CtrlSum".to_owned(), "1000000000.00".to_owned())));
}

#[test]
fn accounts_must_exist_in_a_sepa_country() {
    let broken = |iban: &'static str, problem: IbanProblem| {
        check(
            |sample| sample.transfers[1].creditor_iban = iban.to_owned(),
            RuleViolation::CreditorIban { place: place(2), problem: problem.clone() },
        );
        check(|sample| sample.debtor.iban = iban.to_owned(), RuleViolation::DebtorIban { problem });
    };
    broken("IT60X0542811101000000123457", IbanProblem::CheckDigits);
    broken("IT57123456789", IbanProblem::CountryFormat { country: "IT".to_owned() });
    broken("BR1800360305000010009795493C1", IbanProblem::NotSepa { country: "BR".to_owned() });
    broken("not an account", IbanProblem::Format);
}

#[test]
fn identifiers_are_sepa_references_and_unique() {
    for id in ["", "/leading", "trailing/", "dou//ble", "ümlaut", " blank", &"x".repeat(36)] {
        let place = Place { position: 1, end_to_end_id: id.to_owned() };
        check(
            |sample| sample.transfers[0].end_to_end_id = id.to_owned(),
            RuleViolation::EndToEndId { place },
        );
    }
    check(
        |sample| sample.transfers[3] = sample.transfers[1].clone(),
        RuleViolation::DuplicateEndToEndId { place: Place { position: 4, ..place(2) }, first: 2 },
    );
}

#[test]
fn names_and_remittances_need_a_letter_or_digit() {
    let emoji = || "😀😀".to_owned();
    check(|sample| sample.header.initiating_party = emoji(), RuleViolation::InitiatingPartyName);
    check(|sample| sample.debtor.name = emoji(), RuleViolation::DebtorName);
    check(
        |sample| sample.transfers[0].creditor_name = emoji(),
        RuleViolation::CreditorName { place: place(1) },
    );
    check(
        |sample| sample.transfers[0].remittance = emoji(),
        RuleViolation::Remittance { place: place(1) },
    );
    let mut sample = Sample::of(1);
    sample.transfers[0].remittance = " ".to_owned();
    let file = leaves(&sample.write().expect("a remittance may be empty"));
    assert!(!file.iter().any(|leaf| leaf.0.contains("RmtInf")));
}

#[test]
fn a_bank_identifier_has_8_or_11_characters() {
    for bic in ["", "BLOPIT2", "BLOPIT22X", "blopit22", "BLOP1T22"] {
        check(
            |sample| sample.debtor.bic = Some(bic.to_owned()),
            RuleViolation::DebtorBic { bic: bic.to_owned() },
        );
    }
}

#[test]
fn a_creditor_outside_the_economic_area_needs_the_debtors_address() {
    let missing = RuleViolation::DebtorAddressMissing { place: place(4), country: "GB".to_owned() };
    check(|sample| sample.debtor.address = None, missing);
    for (town, country) in [("", "IT"), ("Forlì", "Italy"), ("Forlì", "it")] {
        let address = TownAddress { town: town.to_owned(), country: country.to_owned() };
        check(|sample| sample.debtor.address = Some(address), RuleViolation::DebtorAddress);
    }
    let mut inside = Sample::of(3);
    inside.debtor.address = None;
    assert!(inside.write().is_ok());
}

#[test]
fn a_file_is_not_executed_before_it_was_created() {
    let date = |text: &str| text.parse().expect("a date");
    check(
        |sample| sample.header.execution_date = date("2023-02-28"),
        RuleViolation::ExecutionDatePast {
            execution_date: date("2023-02-28"),
            created_on: date("2023-03-01"),
        },
    );
    let mut sample = Sample::of(1);
    sample.header.execution_date = date("2023-03-01");
    assert!(sample.write().is_ok());
}

#[test]
fn all_violations_are_listed_and_name_no_person() {
    let mut sample = Sample::of(3);
    sample.debtor.bic = Some("x".to_owned());
    sample.transfers[0].amount_minor = 0;
    sample.transfers[2].creditor_iban = "DE00370400440532013000".to_owned();
    let found = violations(&sample.header, &sample.debtor, &sample.transfers);
    assert_eq!(found.len(), 3);
    let listed: String =
        found.iter().map(|violation| format!("{violation} {violation:?}\n")).collect();
    assert!(listed.contains("transfer 1 ") && listed.contains("transfer 3 "), "{listed}");
    let shown = format!("{listed} {sample:?}");
    assert!(!shown.contains("Bianchi") && !shown.contains("DE00"), "{shown}");
}

#[test]
fn one_transfer_can_be_checked_before_there_is_a_file() {
    let mut payout = transfer(1);
    assert_eq!(check_transfer(1, &payout), Ok(()));
    payout.amount_minor = 0;
    let expected = RuleViolation::Amount { place: place(1), amount_minor: 0 };
    assert_eq!(check_transfer(1, &payout), Err(expected));
}
