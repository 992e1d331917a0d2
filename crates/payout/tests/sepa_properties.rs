//! What holds for every SEPA payment file that is written, whatever went in.

mod sepa_leaves;
mod sepa_sample;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use proptest::prelude::*;
use ristoro_payout::sepa::identifier::{PayoutAttempt, file_and_block, file_of_message_id};
use ristoro_payout::sepa::text::is_sepa_text;
use sepa_leaves::leaves;
use sepa_sample::{ASSESSMENT, IBANS, Sample, transfer};

type Leaves = Vec<(String, String)>;

fn texts<'a>(file: &'a Leaves, ending: &str) -> Vec<&'a str> {
    file.iter().filter(|leaf| leaf.0.ends_with(ending)).map(|leaf| leaf.1.as_str()).collect()
}

/// Reads euro as cents with no help from the code under test.
fn cents(text: &str) -> i64 {
    let (euro, cents) = text.split_once('.').expect("two decimals");
    assert_eq!(cents.len(), 2, "{text}");
    format!("{euro}{cents}").parse().expect("digits")
}

/// ISO 13616: the first four characters go to the end, letters become 10 to 35, and the number is 1
/// modulo 97.
fn mod_97_holds(iban: &str) -> bool {
    let rotated = format!("{}{}", &iban[4..], &iban[..4]);
    let remainder = rotated.chars().fold(0, |remainder, character| {
        let value = character.to_digit(36).expect("letters and digits");
        (remainder * if value < 10 { 10 } else { 100 } + value) % 97
    });
    remainder == 1
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let payout =
        (1..=99_999_999_999_i64, ".{0,90}[a-zA-Zà-öø-ž].{0,90}", ".{0,200}", 0..IBANS.len());
    (prop::collection::vec(payout, 1..12), 1..5_usize, any::<bool>()).prop_map(
        |(payouts, transfers_per_block, has_bic)| {
            let mut sample = Sample::of(0);
            sample.header.transfers_per_block =
                NonZeroUsize::new(transfers_per_block).expect("1 up");
            sample.debtor.bic = sample.debtor.bic.filter(|_| has_bic);
            for (number, (amount_minor, name, remittance, iban)) in (1..).zip(payouts) {
                let mut payout = transfer(number);
                payout.amount_minor = amount_minor;
                payout.creditor_name = name;
                payout.creditor_iban = IBANS[iban].to_lowercase();
                payout.remittance = format!("Ristoro {remittance}");
                sample.transfers.push(payout);
            }
            sample
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sums_of_blocks_and_file_are_those_of_the_transfers(sample in any_sample()) {
        let file = leaves(&sample.write().expect("a valid file"));
        let total: i64 = sample.transfers.iter().map(|payout| payout.amount_minor).sum();
        let amounts: Vec<i64> = texts(&file, "Amt/InstdAmt").into_iter().map(cents).collect();
        prop_assert_eq!(amounts.iter().sum::<i64>(), total);
        prop_assert_eq!(cents(texts(&file, "GrpHdr/CtrlSum")[0]), total);
        prop_assert_eq!(texts(&file, "GrpHdr/NbOfTxs"), [sample.transfers.len().to_string()]);
        let blocks: Vec<&[i64]> = amounts.chunks(sample.header.transfers_per_block.get()).collect();
        let sums: Vec<i64> = texts(&file, "PmtInf/CtrlSum").into_iter().map(cents).collect();
        prop_assert_eq!(sums, blocks.iter().map(|block| block.iter().sum()).collect::<Vec<i64>>());
        let counts: Vec<String> = blocks.iter().map(|block| block.len().to_string()).collect();
        prop_assert_eq!(texts(&file, "PmtInf/NbOfTxs"), counts);
    }

    #[test]
    fn identifiers_are_unique_and_lead_back(sample in any_sample()) {
        let file = leaves(&sample.write().expect("a valid file"));
        prop_assert_eq!(file_of_message_id(texts(&file, "MsgId")[0]), Ok(sample.header.file));
        let mut seen = BTreeSet::new();
        for (block, id) in (1..).zip(texts(&file, "PmtInfId")) {
            prop_assert_eq!(file_and_block(id), Ok((sample.header.file, block)));
            prop_assert!(seen.insert(id));
        }
        for (number, id) in (1..).zip(texts(&file, "EndToEndId")) {
            let expected = PayoutAttempt { assessment: ASSESSMENT, number, attempt: 1 };
            prop_assert_eq!(PayoutAttempt::from_end_to_end_id(id), Ok(expected));
            prop_assert!(seen.insert(id));
        }
        prop_assert!(seen.iter().all(|id| is_sepa_text(id, 35)));
    }

    #[test]
    fn every_text_and_account_is_one_that_a_bank_takes(sample in any_sample()) {
        let file = leaves(&sample.write().expect("a valid file"));
        for name in texts(&file, "/Nm") {
            prop_assert!(is_sepa_text(name, 70), "{name:?}");
        }
        for remittance in texts(&file, "/Ustrd") {
            prop_assert!(is_sepa_text(remittance, 140), "{remittance:?}");
        }
        let accounts = texts(&file, "/IBAN");
        prop_assert!(accounts.len() > sample.transfers.len());
        for iban in accounts {
            prop_assert!(mod_97_holds(iban), "{iban}");
        }
    }

    #[test]
    fn the_same_arguments_give_the_same_bytes(sample in any_sample()) {
        prop_assert_eq!(sample.write(), sample.clone().write());
    }
}

#[test]
fn the_file_is_the_one_that_was_first_written() {
    let written = Sample::of(1).write().expect("a valid file");
    let golden = include_str!("sepa_sample/golden.xml");
    assert_eq!(String::from_utf8(written).expect("UTF-8"), golden.trim_end());
}
