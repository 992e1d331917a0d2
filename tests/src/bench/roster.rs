//! The roster that is settled: both brands, free and paid plans, businesses, certified mail, four cohorts.
//!
//! Nobody in it exists. Everybody has one subscription that ran before the outage and runs after it, so that a script of
//! SQL can decide it too.

use std::io::{self, BufWriter, Write};
use std::path::Path;

/// The cohorts, and for how many local days each was down from 23 January 2023 on.
pub const DOWN: [(&str, i32); 4] = [("c1", 4), ("c2", 5), ("c3", 5), ("c4", 6)];

/// The cohort of the few who have certified mail and stand near the roster's beginning: an outage of theirs is a small one
/// however long the roster is.
pub const FEW: &str = "few";
/// Where that beginning ends.
const FEW_UNTIL: u64 = 30_000;

/// One subscription.
#[derive(Clone, Debug)]
pub struct Row {
    /// The subscription's id, and the subscriber's but for its first letter.
    pub id: u64,
    service: &'static str,
    plan: &'static str,
    fee: &'static str,
    segment: &'static str,
    class: &'static str,
    cohort: &'static str,
    locale: &'static str,
    iban: Option<String>,
}

/// Spreads a number over all numbers of 64 bits, the same every time.
#[must_use]
pub fn mixed(number: u64) -> u64 {
    // The constants of SplitMix64 (Steele, Lea and Flood, 2014).
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Makes the subscription of a place, the same every time.
#[must_use]
pub fn row(id: u64) -> Row {
    let mixed = mixed(id);
    let of = |shift: u32, count: u64| ((mixed >> shift) & 0xffff) % count;
    let service = match of(0, 100) {
        0 => "pec",
        1..62 => "libero-mail",
        _ => "virgilio-mail",
    };
    let (plan, fee, class) = match (service, of(16, 100)) {
        ("pec", _) => ("pec", "", "principal"),
        ("libero-mail", 0..12) => ("plus-5gb", "19.99", "principal"),
        ("libero-mail", 12..18) => ("plus-1tb", "49.99", "principal"),
        ("virgilio-mail", 0..10) => ("plus-100gb", "29.99", "principal"),
        _ => ("free", "", "free"),
    };
    let with_account = !fee.is_empty() && of(32, 5) == 0;
    Row {
        id,
        service,
        plan,
        fee,
        segment: if of(48, 20) == 0 { "business" } else { "consumer" },
        class,
        cohort: if service == "pec" && id <= FEW_UNTIL { FEW } else { DOWN[(id % 4) as usize].0 },
        locale: ["it", "it", "it", "en", "de"][of(24, 5) as usize],
        iban: with_account.then(|| iban(id)),
    }
}

impl Row {
    /// What its subscriber is owed for the outage, in minor units: what the scripts compute.
    #[must_use]
    pub fn owed_minor(&self) -> i64 {
        let days = DOWN.iter().find(|(cohort, _)| *cohort == self.cohort).map_or(0, |down| down.1);
        let a_day = if self.class == "free" { 100 } else { 600 };
        let times = if self.segment == "business" { 2 } else { 1 };
        if self.service == "pec" { 0 } else { i64::from(days) * a_day * times }
    }
}

/// An Italian IBAN at a bank that is none, with the digits that ISO 13616 asks for.
fn iban(id: u64) -> String {
    let account = format!("X0000000000{id:012}");
    // Letters count from 10: I is 18, T is 29, X is 33.
    let digits = format!("330000000000{id:012}182900");
    let rest = digits.bytes().fold(0_u64, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
    format!("IT{:02}{account}", 98 - rest)
}

/// Writes an import file.
///
/// # Errors
/// The file system's.
pub fn write_csv(subscriptions: u64, file: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(file)?);
    writeln!(
        file,
        "subscription_id,subscriber_id,service,plan,segment,class,cohort,fee,currency,fee_period,valid_from,email,locale,\
         iban,payee_name"
    )?;
    for row in (1..=subscriptions).map(row) {
        let Row { id, service, plan, fee, segment, class, cohort, locale, iban } = row;
        let (currency, period) = if fee.is_empty() { ("", "") } else { ("EUR", "year") };
        let (iban, holder) = iban.map_or((String::new(), ""), |iban| (iban, "Nobody"));
        writeln!(
            file,
            "s{id},p{id},{service},{plan},{segment},{class},{cohort},{fee},{currency},{period},2022-09-01,\
             p{id}@mail.example,{locale},{iban},{holder}"
        )?;
    }
    file.flush()
}

/// Writes rows as COPY reads them for the scripts' table.
#[must_use]
pub fn copy_text(from: u64, to: u64) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for row in (from..=to).map(row) {
        let Row { id, service, fee, segment, class, cohort, locale, iban, .. } = row;
        let (paying, iban) = (!fee.is_empty(), iban.as_deref().unwrap_or("\\N"));
        writeln!(
            text,
            "{id}\ts{id}\t{service}\t{segment}\t{class}\t{cohort}\t{paying}\tp{id}@mail.example\t{locale}\t{iban}"
        )
        .expect("writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_right_check_digits() {
        for id in 1..1_000 {
            let iban = iban(id);
            assert!(ristoro_payout::sepa::iban::SepaIban::parse(&iban).is_ok(), "{iban}");
        }
    }

    #[test]
    fn every_sort_of_subscription_is_there() {
        let rows: Vec<Row> = (1..=20_000).map(row).collect();
        let share =
            |of: fn(&Row) -> bool| rows.iter().filter(|row| of(row)).count() * 100 / rows.len();
        assert!((70..95).contains(&share(|row| row.class == "free")));
        assert!((3..8).contains(&share(|row| row.segment == "business")));
        assert!((1..5).contains(&share(|row| row.iban.is_some())));
        assert!(rows.iter().any(|row| row.service == "pec"));
        let few = |until| (1..=until).filter(|id| row(*id).cohort == FEW).count();
        assert!((200..400).contains(&few(100_000)) && few(100_000) == few(200_000));
        assert!(rows.iter().all(|row| (row.owed_minor() == 0) == (row.service == "pec")));
        let most = rows.iter().map(Row::owed_minor).max();
        assert_eq!(most, Some(6 * 600 * 2), "six days at 6.00, twice for businesses");
    }
}
