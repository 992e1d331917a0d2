//! A roster as the two mail brands could have it: people, plans, cohorts, and what happened during the outage.
//!
//! Plans and fees are those of `libero-mail` and `virgilio-mail`. Nobody in it exists: addresses are under `.example`, phone
//! numbers under a country code that no country has, accounts at a bank that is none.

use std::collections::VecDeque;

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::iban::{Country, test_iban};
use super::random::SplitMix64;

/// One row of an import file, in the order of `ristoro_domain::roster::read::COLUMNS`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CsvRow {
    /// The provider's subscription id.
    pub subscription_id: String,
    /// The provider's subscriber id.
    pub subscriber_id: String,
    /// The service.
    pub service: &'static str,
    /// The plan.
    pub plan: &'static str,
    /// Consumer or business.
    pub segment: &'static str,
    /// The service's class.
    pub class: &'static str,
    /// The group of mailboxes that is restored together.
    pub cohort: &'static str,
    /// The fee as a decimal; empty where there is none.
    pub fee: String,
    /// The fee's currency.
    pub currency: &'static str,
    /// The fee's period.
    pub fee_period: &'static str,
    /// The first day on the plan.
    pub valid_from: String,
    /// The first day no longer on it; empty while it runs.
    pub valid_to: String,
    /// An address.
    pub email: String,
    /// A phone number; mostly empty.
    pub phone: String,
    /// A language.
    pub locale: &'static str,
    /// An account; mostly empty.
    pub iban: String,
    /// The account's holder.
    pub payee_name: String,
}

impl CsvRow {
    /// Gives the fields in the order of the columns.
    #[must_use]
    pub fn fields(&self) -> [&str; 17] {
        [
            &self.subscription_id,
            &self.subscriber_id,
            self.service,
            self.plan,
            self.segment,
            self.class,
            self.cohort,
            &self.fee,
            self.currency,
            self.fee_period,
            &self.valid_from,
            &self.valid_to,
            &self.email,
            &self.phone,
            self.locale,
            &self.iban,
            &self.payee_name,
        ]
    }
}

/// A plan with its yearly fee.
#[derive(Clone, Copy)]
struct Plan {
    name: &'static str,
    fee: &'static str,
}

const FREE: Plan = Plan { name: "free", fee: "" };
const PLUS_5GB: Plan = Plan { name: "plus-5gb", fee: "19.99" };
const PLUS_1TB: Plan = Plan { name: "plus-1tb", fee: "49.99" };
const PLUS_100GB: Plan = Plan { name: "plus-100gb", fee: "29.99" };
/// What certified mail costs is not among the facts; its subscribers get nothing by any rule that looks at fees.
const PEC: Plan = Plan { name: "pec", fee: "" };

const LIBERO: &str = "libero-mail";
const VIRGILIO: &str = "virgilio-mail";
const CERTIFIED: &str = "pec";

const COHORTS: [&str; 4] = ["c1", "c2", "c3", "c4"];
const GIVEN: [&str; 16] = [
    "Ada", "Bruno", "Carla", "Dario", "Elena", "Fabio", "Giulia", "Hanna", "Ivo", "Jonas", "Lucia",
    "Marco", "Niccolò", "Olga", "Paolo", "Zoë",
];
const FAMILY: [&str; 16] = [
    "Rossi",
    "Bianchi",
    "Conti",
    "D'Angelo",
    "Esposito",
    "Ferrari",
    "Gallo",
    "Huber",
    "Lombardi",
    "Müller",
    "Neri",
    "Oberhofer",
    "Ricci",
    "Santoro",
    "Verdi",
    "Zanella",
];

/// The days of the outage on which people came, went or changed plan: 23 to 28 January 2023.
const OUTAGE: (Date, i64) = (date(2023, 1, 23), 6);
/// Once in so many subscriptions somebody came, somebody went, and somebody changed plan during the outage.
const TURN: u64 = 200;

/// Generates a roster of so many subscriptions; a change of plan is a second row. A few rows are wrong on purpose, the
/// first of them among the first 150, and every import refuses them.
pub fn roster(seed: u64, subscriptions: u64) -> impl Iterator<Item = CsvRow> {
    Roster { seed, subscriptions, person: 0, subscription: 0, waiting: VecDeque::new() }
}

struct Roster {
    seed: u64,
    subscriptions: u64,
    person: u64,
    subscription: u64,
    waiting: VecDeque<CsvRow>,
}

impl Iterator for Roster {
    type Item = CsvRow;

    fn next(&mut self) -> Option<CsvRow> {
        while self.waiting.is_empty() && self.subscription < self.subscriptions {
            self.generate_person();
        }
        self.waiting.pop_front()
    }
}

impl Roster {
    fn generate_person(&mut self) {
        self.person += 1;
        let mut random = SplitMix64::at(self.seed, self.person);
        let person = Person::new(self.person, &mut random);
        let first = if random.chance(620) { LIBERO } else { VIRGILIO };
        self.subscribe(&person, first, &mut random);
        // A few have a second mailbox, or a certified one.
        if random.chance(50) && self.subscription < self.subscriptions {
            let other = if first == LIBERO { VIRGILIO } else { LIBERO };
            let second = if random.chance(300) { CERTIFIED } else { other };
            self.subscribe(&person, second, &mut random);
        }
    }

    fn subscribe(&mut self, person: &Person, service: &'static str, random: &mut SplitMix64) {
        self.subscription += 1;
        let place = self.subscription;
        let prefix = match service {
            LIBERO => "lm",
            VIRGILIO => "vm",
            _ => "pec",
        };
        let plan = plan_of(service, random);
        let mut row = person.row(format!("{prefix}-{place:08}"), service, plan, random);
        let outage_day =
            OUTAGE.0.saturating_add(random.below(OUTAGE.1.unsigned_abs()).cast_signed().days());
        match place % TURN {
            17 => row.valid_from = outage_day.to_string(),
            73 => row.valid_to = outage_day.to_string(),
            131 => {
                let mut second = row.clone();
                row.valid_to = outage_day.to_string();
                second.valid_from = outage_day.to_string();
                put_on(&mut second, other_plan(service, plan));
                self.waiting.extend([row, second]);
                return;
            }
            _ if random.chance(20) => row.valid_to = long_gone(random).to_string(),
            _ => {}
        }
        spoil(&mut row, place);
        self.waiting.push_back(row);
    }
}

/// Nine in ten have a free mailbox.
fn plan_of(service: &'static str, random: &mut SplitMix64) -> Plan {
    if service == CERTIFIED {
        return PEC;
    }
    let paying = random.chance(70);
    match (paying, service) {
        (false, _) => FREE,
        (true, VIRGILIO) => PLUS_100GB,
        (true, _) if random.chance(300) => PLUS_1TB,
        (true, _) => PLUS_5GB,
    }
}

/// The plan that somebody changed to: up from free, or to the service's other paid one, or back to free.
fn other_plan(service: &str, plan: Plan) -> Plan {
    match (service, plan.name) {
        (CERTIFIED, _) => PEC,
        (VIRGILIO, "free") => PLUS_100GB,
        (VIRGILIO, _) => FREE,
        (_, "free") => PLUS_5GB,
        (_, "plus-5gb") => PLUS_1TB,
        (_, _) => PLUS_5GB,
    }
}

fn put_on(row: &mut CsvRow, plan: Plan) {
    row.plan = plan.name;
    row.class = if plan.name == FREE.name { "free" } else { "principal" };
    plan.fee.clone_into(&mut row.fee);
    (row.currency, row.fee_period) = if plan.fee.is_empty() { ("", "") } else { ("EUR", "year") };
}

/// A day before the outage on which a subscription ended, after every start.
fn long_gone(random: &mut SplitMix64) -> Date {
    date(2022, 7, 1).saturating_add(random.below(180).cast_signed().days())
}

/// Spoils a few rows: an account with a wrong digit, a day that no calendar has, a fee with a comma.
fn spoil(row: &mut CsvRow, place: u64) {
    let turn = if place > 1000 && place.is_multiple_of(100_000) { place / 100_000 % 3 } else { 3 };
    match (place, turn) {
        (41, _) | (_, 0) => {
            row.iban = "IT61X0542811101000000123456".to_owned();
            "Ada Rossi".clone_into(&mut row.payee_name);
        }
        (83, _) | (_, 1) => "2022-02-30".clone_into(&mut row.valid_from),
        (127, _) | (_, 2) => {
            "19,99".clone_into(&mut row.fee);
            (row.currency, row.fee_period) = ("EUR", "year");
        }
        _ => {}
    }
}

struct Person {
    id: String,
    number: u64,
    name: String,
    address: String,
    locale: &'static str,
    business: bool,
    cohort: &'static str,
    phone: String,
}

impl Person {
    fn new(number: u64, random: &mut SplitMix64) -> Self {
        let (given, family) = (*random.pick(&GIVEN), *random.pick(&FAMILY));
        let locale = match random.below(100) {
            0..90 => "it",
            90..96 => "en",
            _ => "de",
        };
        let digits = random.below(10_000_000);
        let phone = if random.chance(100) { format!("+99900{digits:07}") } else { String::new() };
        Self {
            id: format!("u{number:08}"),
            number,
            name: format!("{given} {family}"),
            address: format!("{}.{}.{number}", plain(given), plain(family)),
            locale,
            business: random.chance(30),
            cohort: *random.pick(&COHORTS[..]),
            phone,
        }
    }

    fn row(
        &self,
        subscription_id: String,
        service: &'static str,
        plan: Plan,
        random: &mut SplitMix64,
    ) -> CsvRow {
        let began = date(2003, 1, 1).saturating_add(random.below(7_000).cast_signed().days());
        let mut row = CsvRow {
            subscription_id,
            subscriber_id: self.id.clone(),
            service,
            segment: if self.business { "business" } else { "consumer" },
            cohort: self.cohort,
            valid_from: began.to_string(),
            email: format!("{}@{}.example", self.address, service.trim_end_matches("-mail")),
            phone: self.phone.clone(),
            locale: self.locale,
            ..CsvRow::default()
        };
        put_on(&mut row, plan);
        if !plan.fee.is_empty() && random.chance(200) {
            let country = if self.locale == "de" { Country::Germany } else { Country::Italy };
            row.iban = test_iban(country, self.number);
            self.name.clone_into(&mut row.payee_name);
        }
        row
    }
}

/// A name's letters without marks, for an address.
fn plain(name: &str) -> String {
    let letter = |letter: char| match letter {
        'ò' => 'o',
        'ë' => 'e',
        'ü' => 'u',
        other => other.to_ascii_lowercase(),
    };
    name.chars().filter(|character| character.is_alphabetic()).map(letter).collect()
}

#[cfg(test)]
mod tests;
