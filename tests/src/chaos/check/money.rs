//! Every transfer once: what the bank got against the log's holds, reservations and files, and the ledger against both.

use std::collections::{BTreeMap, BTreeSet};

use ristoro_log::Topic;
use ristoro_proto::payout::v1::{GrantsDelivered, PayoutsReserved};

use super::super::Error;
use super::super::cluster::Cluster;
use super::super::load::files::{Bank, Transfer};
use super::super::load::grants::Made;
use super::super::load::holds::Holds;
use super::super::load::people;
use super::super::reader::columns::{parse, payload, roster};
use super::super::reader::{Entry, Story};
use super::Findings;
use super::decisions::{Assessed, End};

/// A payout: its assessment and its number.
type Payout = (String, u64);

/// The money of the log, folded by hand partition by partition.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Money {
    /// What is held back now.
    held: BTreeSet<Payout>,
    /// The file that has a payout now, with its amount.
    reserved: BTreeMap<Payout, (String, i64)>,
    /// Streams of reservations that take no more.
    closed: BTreeSet<(String, u32)>,
    /// Files at the bank.
    submitted: BTreeSet<String>,
    /// Grants that were made, and how often the log says so.
    delivered: BTreeMap<Payout, u64>,
}

impl Money {
    /// Folds the log.
    #[must_use]
    pub fn read(story: &Story, assessed: &Assessed) -> Self {
        let mut amounts = BTreeMap::new();
        for ((assessment, partition, _), chunk) in &assessed.ordered {
            let end = assessed.orders.get(&(assessment.clone(), *partition));
            for (number, lines) in chunk.iter().filter(|_| matches!(end, Some(End::Released(_)))) {
                let transfers = lines.iter().filter(|line| line.0 == "transfer");
                let minor: i64 = transfers.map(|line| line.1.2).sum();
                amounts.insert((assessment.clone(), *number), minor);
            }
        }
        let mut money = Self::default();
        for entry in story.accepted(Topic::Payout) {
            money.fold(entry, &amounts);
        }
        money
    }

    fn fold(&mut self, entry: &Entry, amounts: &BTreeMap<Payout, i64>) {
        let stream = entry.envelope.stream.as_str();
        let partition = entry.position.partition;
        let payout = || {
            let (assessment, number) = stream.strip_prefix("payout/")?.rsplit_once('/')?;
            Some((assessment.to_owned(), number.parse().ok()?))
        };
        let file = || parse(stream, "reserve").map(|(file, _)| file.to_owned()).unwrap_or_default();
        match entry.envelope.r#type.as_str() {
            "PayoutHeld" => {
                let payout = payout().expect("holds stand on streams of payouts");
                // A hold that comes after the reservation has no effect.
                if !self.reserved.contains_key(&payout) {
                    self.held.insert(payout);
                }
            }
            "PayoutReleased" => {
                self.held.remove(&payout().expect("so do releases"));
            }
            "PayoutsReserved" if !self.closed.contains(&(file(), partition)) => {
                let batch: PayoutsReserved = payload(entry);
                for (number, amount) in batch.numbers.into_iter().zip(batch.amounts_minor) {
                    let payout = (batch.assessment.clone(), number);
                    let free = !self.held.contains(&payout) && !self.reserved.contains_key(&payout);
                    if free && amounts.get(&payout) == Some(&amount) {
                        self.reserved.insert(payout, (file(), amount));
                    }
                }
            }
            "ReservationClosed" => {
                self.closed.insert((file(), partition));
            }
            "ReservationReleased" => {
                let of_partition = |payout: &Payout| payout.1 >> 48 == u64::from(partition);
                let file = file();
                self.reserved.retain(|payout, at| at.0 != file || !of_partition(payout));
                self.closed.insert((file, partition));
            }
            "PaymentFileSubmitted" => {
                self.submitted.insert(stream.trim_start_matches("payment-file/").to_owned());
            }
            "GrantsDelivered" => {
                let batch: GrantsDelivered = payload(entry);
                let (assessment, _) = parse(stream, "grant").expect("deliveries stand there");
                for number in batch.numbers {
                    *self.delivered.entry((assessment.to_owned(), number)).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// Compares with what the bank got.
    pub fn check_bank(&self, bank: &Bank, findings: &mut Findings) {
        let mut once = BTreeMap::new();
        for Transfer { end_to_end_id, amount } in &bank.transfers {
            let before = once.insert(attempt_of(end_to_end_id), amount.clone());
            findings.holds(|| format!("the bank got {end_to_end_id} twice"), before.is_none());
        }
        let mut should = BTreeMap::new();
        for ((assessment, number), (file, minor)) in &self.reserved {
            if self.submitted.contains(file) {
                let id: uuid::Uuid = assessment.parse().expect("assessments have UUIDs");
                let amount = format!("{}.{:02}", minor / 100, minor % 100);
                should.insert((id.as_u128(), *number, 1), amount);
            }
        }
        let keys: BTreeSet<_> = once.keys().chain(should.keys()).copied().collect();
        for key in keys {
            let what = || format!("the transfer of {key:?} at the bank");
            findings.same(what, &once.get(&key), &should.get(&key));
        }
        let names: BTreeSet<String> =
            self.submitted.iter().map(|file| format!("paymentFiles/{file}")).collect();
        let told: BTreeSet<String> = bank.files.iter().cloned().collect();
        findings.same(|| "the submitted files".to_owned(), &told, &names);
    }

    /// Whoever was told that a payout is held finds it in no file, and everybody else is paid.
    pub fn check_holds(
        &self,
        story: &Story,
        (assessments, holds): (&[String], &Holds),
        findings: &mut Findings,
    ) {
        let people = roster(story);
        let places: BTreeMap<&str, u64> =
            people.iter().map(|(number, (_, id))| (id.as_str(), *number)).collect();
        for (assessment, place) in &holds.for_ever {
            let number = places[people::subscription(*place).as_str()];
            let payout = (assessment.clone(), number);
            let fine = self.held.contains(&payout) && !self.reserved.contains_key(&payout);
            findings.holds(|| format!("{payout:?} was held and is on its way"), fine);
        }
        for assessment in assessments {
            for place in (0..people.len() as u64).filter(|place| people::has_account(*place)) {
                let number = places[people::subscription(place).as_str()];
                let payout = (assessment.clone(), number);
                let fine = self.held.contains(&payout) || self.reserved.contains_key(&payout);
                findings.holds(|| format!("{payout:?} is neither held nor paid"), fine);
            }
        }
    }

    /// Every grant was made once under one key, and the log says so once.
    pub fn check_grants(
        &self,
        assessed: &Assessed,
        (assessments, made): (&[String], &BTreeMap<String, Made>),
        findings: &mut Findings,
    ) {
        let mut should = 0;
        for ((assessment, _, _), chunk) in &assessed.ordered {
            if !assessments.contains(assessment) {
                continue;
            }
            for (number, lines) in chunk {
                let grants = lines.iter().filter(|line| line.0 == "provisioning").count();
                should += grants;
                let said = self.delivered.get(&(assessment.clone(), *number)).copied();
                let what = || format!("how often {number} of {assessment} is said to be made");
                findings.same(what, &said, &(grants > 0).then_some(1));
            }
        }
        findings.same(|| "grants that were made".to_owned(), &made.len(), &should);
        let mut payouts = BTreeSet::new();
        for (key, grant) in made {
            let once = payouts.insert((&grant.payout, &grant.remedy));
            findings.holds(|| format!("{key} was made before under another key"), once);
        }
    }

    /// Compares the ledger's sums.
    ///
    /// # Errors
    /// Where Postgres refuses.
    pub async fn check_ledger(
        &self,
        cluster: &Cluster,
        assessed: &Assessed,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let mut should: BTreeMap<(String, String, String), i64> = BTreeMap::new();
        for ((assessment, partition, _), chunk) in &assessed.ordered {
            let end = assessed.orders.get(&(assessment.clone(), *partition));
            for (_, lines) in chunk.iter().filter(|_| matches!(end, Some(End::Released(_)))) {
                for (channel, (_, _, minor)) in lines.iter().filter(|line| line.1.2 != 0) {
                    let account = format!("payable-{channel}");
                    let key = ("released".to_owned(), account, assessment.clone());
                    *should.entry(key).or_default() += minor;
                    let expense = "compensation-expense".to_owned();
                    let key = ("released".to_owned(), expense, assessment.clone());
                    *should.entry(key).or_default() -= minor;
                }
            }
        }
        for (file, minor) in self.reserved.values() {
            if self.submitted.contains(file) {
                for (account, sign) in [("payable-transfer", -1), ("bank-clearing", 1)] {
                    let key = ("submitted".to_owned(), account.to_owned(), file.clone());
                    *should.entry(key).or_default() += sign * minor;
                }
            }
        }
        let sql = "select reason, account, assessment || file, sum(credit_minor - debit_minor) \
                   from payout.posting group by 1, 2, 3 having sum(credit_minor - debit_minor) <> 0";
        let mut kept = BTreeMap::new();
        for row in cluster.rows(sql).await? {
            let key = (row[0].clone(), row[1].clone(), row[2].clone());
            kept.insert(key, row[3].parse::<i64>()?);
        }
        let keys: BTreeSet<_> = kept.keys().chain(should.keys()).collect();
        for key in keys {
            findings.same(|| format!("the postings {key:?}"), &kept.get(key), &should.get(key));
        }
        Ok(())
    }

    /// Counts what is held back in effect.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

/// Reads an `EndToEndId` by hand: assessment (22), number (11) and attempt (1) in base 62, and a check character.
fn attempt_of(text: &str) -> (u128, u64, u32) {
    let value = |text: &str| {
        text.bytes().fold(0_u128, |value, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                b'a'..=b'z' => byte - b'a' + 36,
                _ => panic!("{text} has a character that no identifier has"),
            };
            value * 62 + u128::from(digit)
        })
    };
    assert_eq!(text.len(), 35, "{text}");
    let number = u64::try_from(value(&text[22..33])).expect("numbers have 64 bits");
    (value(&text[..22]), number, u32::try_from(value(&text[33..34])).expect("it is below 62"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSESSMENT: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
    /// Number 7 of that assessment at its first attempt, with any check character.
    const ID: &str = "3OYkBO56jcpiKfTziaK4T90000000000710";

    fn money() -> Money {
        let payout = (ASSESSMENT.to_owned(), 7);
        Money {
            reserved: BTreeMap::from([(payout, ("f".to_owned(), 3_600))]),
            submitted: BTreeSet::from(["f".to_owned()]),
            ..Money::default()
        }
    }

    fn differences(transfers: &[(&str, &str)]) -> usize {
        let transfer = |(id, amount): &(&str, &str)| Transfer {
            end_to_end_id: (*id).to_owned(),
            amount: (*amount).to_owned(),
        };
        let transfers = transfers.iter().map(transfer).collect();
        let files = vec!["paymentFiles/f".to_owned()];
        let bank = Bank { transfers, files, ..Bank::default() };
        let mut findings = Findings::default();
        money().check_bank(&bank, &mut findings);
        findings.lines().len()
    }

    #[test]
    fn an_identifier_reads_back() {
        let uuid: uuid::Uuid = ASSESSMENT.parse().unwrap();
        assert_eq!(attempt_of(ID), (uuid.as_u128(), 7, 1));
    }

    #[test]
    fn the_bank_gets_every_transfer_once_and_right() {
        assert_eq!(differences(&[(ID, "36.00")]), 0);
        assert_eq!(differences(&[(ID, "36.00"), (ID, "36.00")]), 1);
        assert_eq!(differences(&[(ID, "36.01")]), 1);
        assert_eq!(differences(&[]), 1);
        let other = ID.replace("710", "810");
        assert_eq!(differences(&[(ID, "36.00"), (&other, "36.00")]), 1);
    }
}
