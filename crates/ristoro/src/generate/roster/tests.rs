//! A generated roster is what it says it is, and an import takes all of it but the few rows that are wrong on purpose.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_domain::roster::read::{COLUMNS, read};
use ristoro_domain::time::zone;

use super::*;

fn rows(subscriptions: u64) -> Vec<CsvRow> {
    roster(7, subscriptions).collect()
}

#[test]
fn the_same_seed_gives_the_same_roster_and_a_longer_one_begins_with_it() {
    let (short, long) = (rows(500), rows(2_000));
    assert_eq!(short, rows(500));
    assert_eq!(short[..], long[..short.len()]);
    assert_ne!(short, roster(8, 500).collect::<Vec<_>>());
}

#[test]
fn it_has_the_number_of_subscriptions_that_was_asked_for() {
    let rows = rows(5_000);
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.subscription_id.as_str()).collect();
    assert_eq!(ids.len(), 5_000);
    assert_eq!(rows.len(), 5_000 + 25, "one in 200 changes plan and has two rows");
}

#[test]
fn plans_languages_cohorts_and_accounts_are_spread_as_described() {
    let rows = rows(20_000);
    let mut plans: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &rows {
        *plans.entry((row.service, row.plan)).or_default() += 1;
    }
    let known: Vec<_> = plans.keys().copied().collect();
    let expected = [
        ("libero-mail", "free"),
        ("libero-mail", "plus-1tb"),
        ("libero-mail", "plus-5gb"),
        ("pec", "pec"),
        ("virgilio-mail", "free"),
        ("virgilio-mail", "plus-100gb"),
    ];
    assert_eq!(known, expected);
    let share = |count: usize| count * 100 / rows.len();
    let count = |test: &dyn Fn(&CsvRow) -> bool| rows.iter().filter(|row| test(row)).count();
    assert!((90..=94).contains(&share(count(&|row| row.plan == "free"))));
    assert!((85..=94).contains(&share(count(&|row| row.locale == "it"))));
    for cohort in COHORTS {
        assert!((20..=30).contains(&share(count(&|row| row.cohort == cohort))));
    }
    let paying = count(&|row| !row.fee.is_empty());
    let with_account = count(&|row| !row.fee.is_empty() && !row.iban.is_empty());
    assert!((15..=25).contains(&(with_account * 100 / paying)), "{with_account} of {paying}");
    assert!(rows.iter().all(|row| row.email.ends_with(".example")));
}

#[test]
fn people_came_went_and_changed_plan_during_the_outage() {
    let rows = rows(400);
    let days = |text: &str| ("2023-01-23".."2023-01-29").contains(&text);
    assert_eq!(rows.iter().filter(|row| days(&row.valid_from)).count(), 4);
    assert_eq!(rows.iter().filter(|row| days(&row.valid_to)).count(), 4);
}

#[test]
fn an_import_reads_every_row_but_those_that_are_wrong_on_purpose() {
    let rome = zone("Europe/Rome").unwrap();
    let mut refused = Vec::new();
    for row in rows(3_000) {
        let fields = row.fields();
        let column = |name: &'static str| {
            let place = COLUMNS.iter().position(|column| *column == name).unwrap();
            fields[place]
        };
        if let Err(faults) = read(column, &rome) {
            refused.extend(faults.iter().map(|fault| fault.column));
        }
    }
    assert_eq!(refused, ["iban", "valid_from", "fee"]);
}
