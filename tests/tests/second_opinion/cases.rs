//! Situations in whole minutes, and the same as the engine's facts.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use ristoro_domain::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use ristoro_domain::money::{Currency, Money};
use ristoro_domain::policy::{Activation, Claim, Context, Granted, Journey};
use ristoro_domain::remedy::RemedyKind;
use ristoro_domain::time::Window;

/// One stretch for which a component is down, in minutes since the beginning.
#[derive(Clone, Debug)]
pub struct Down {
    pub accessory: bool,
    /// Of two principal components the second.
    pub second: bool,
    pub total: bool,
    pub from: i64,
    pub to: i64,
}

/// Everything about one case.
#[derive(Clone, Debug)]
pub struct Situation {
    pub regime: &'static str,
    pub down: Vec<Down>,
    pub cause: &'static str,
    /// The necessary works were done then.
    pub works: Option<i64>,
    pub declared: bool,
    pub reports: Vec<i64>,
    /// Claims: received, and answered.
    pub claims: Vec<(i64, Option<i64>)>,
    pub business: bool,
    pub class: &'static str,
    pub free_plan: bool,
    /// The fee in cents, for a month or a year.
    pub fee: (i64, bool),
    pub in_arrears: bool,
    /// Joined then, where after the beginning.
    pub joined: Option<i64>,
    /// Charges of the month of the beginning and of the four that follow, in cents.
    pub charges: [i64; 5],
    /// Appointments that were missed.
    pub appointments: Vec<i64>,
    /// Promised start, and by how many days it was late.
    pub activation: Option<(i64, i64)>,
    /// Distance, within the Union, delay, passengers.
    pub journey: Option<(u32, bool, u32, u32)>,
    /// An indemnity of so many cents was given before.
    pub granted: Option<i64>,
}

/// The zone, the currency, the first day and the components of a regime.
pub struct Place {
    pub zone: &'static str,
    pub currency: &'static str,
    pub first: &'static str,
    pub principal: [&'static str; 2],
    pub accessory: &'static str,
    pub services: &'static str,
}

pub fn place(regime: &str) -> Place {
    let mail = ["mailbox", "imap"];
    let (zone, currency, first, principal) = match regime {
        "ofcom" => ("Europe/London", "GBP", "2024-02-05", ["broadband", "landline"]),
        "tkg-58" => ("Europe/Berlin", "EUR", "2024-02-05", ["internet", "landline"]),
        "arera-2025" => ("Europe/Rome", "EUR", "2025-02-03", ["supply", "supply"]),
        "aws-ec2-region" => ("UTC", "USD", "2023-01-02", ["ec2", "ec2"]),
        "aws-s3" => ("UTC", "USD", "2023-01-02", ["s3", "s3"]),
        "google-workspace" => {
            ("America/Los_Angeles", "USD", "2023-02-06", ["workspace", "workspace"])
        }
        "github-sla" => ("UTC", "USD", "2023-02-06", ["actions", "issues"]),
        "att-guarantee" => ("America/Chicago", "USD", "2023-02-06", ["wireless", "fibre"]),
        "eu-261" => ("Europe/Brussels", "EUR", "2023-02-06", ["flight", "flight"]),
        _ => ("Europe/Rome", "EUR", "2023-02-06", mail),
    };
    Place { zone, currency, first, principal, accessory: "ios-app", services: "libero-mail" }
}

/// Makes situations that are likely to be owed something under a regime.
pub fn situation(regime: &'static str) -> impl Strategy<Value = Situation> {
    let length = prop_oneof![1_i64..90, 60_i64..3_000, 1_000_i64..24_000];
    let down = (
        prop::bool::weighted(0.15),
        any::<bool>(),
        prop::bool::weighted(0.8),
        0_i64..30_000,
        length,
    )
        .prop_map(|(accessory, second, total, from, length)| Down {
            accessory,
            second,
            total,
            from,
            to: from + length,
        });
    let cause = prop_oneof![8 => Just("fault"), 1 => Just("planned"), 3 => Just("force_majeure"), 1 => Just("customer")];
    let class = prop_oneof![6 => Just("principal"), 1 => Just("accessory"), 1 => Just("free")];
    let claim = (0_i64..60_000, prop::option::weighted(0.7, 0_i64..150_000));
    let happened = (
        prop::collection::vec(down, 1..5),
        cause,
        prop::option::weighted(0.7, 0_i64..30_000),
        prop::bool::weighted(0.3),
        prop::collection::vec(0_i64..40_000, 0..3),
        prop::collection::vec(claim, 0..3),
    );
    let who = (
        prop::bool::weighted(0.2),
        class,
        prop::bool::weighted(0.2),
        (100_i64..20_000, any::<bool>()),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.2, 0_i64..40_000),
    );
    let beside = (
        prop::array::uniform5(
            prop_oneof![1 => Just(0_i64), 3 => 1_i64..2_500, 6 => 1_000_i64..50_000],
        ),
        prop::collection::vec(0_i64..40_000, 0..2),
        prop::option::weighted(0.3, (0_i64..40_000, 0_i64..90)),
        prop::option::weighted(0.9, (100_u32..6_000, any::<bool>(), 0_u32..500, 1_u32..5)),
        prop::option::weighted(0.2, 0_i64..4_000),
    );
    (happened, who, beside).prop_map(move |(happened, who, beside)| {
        let (down, cause, works, declared, reports, claims) = happened;
        let (business, class, free_plan, fee, in_arrears, joined) = who;
        let (charges, appointments, activation, journey, granted) = beside;
        let claims =
            claims.into_iter().map(|(at, wait)| (at, wait.map(|wait| at + wait))).collect();
        Situation {
            regime,
            down,
            cause,
            works,
            declared,
            reports,
            claims,
            business,
            class,
            free_plan,
            fee,
            in_arrears,
            joined,
            charges,
            appointments,
            activation,
            journey,
            granted,
        }
    })
}

impl Situation {
    fn zone(&self) -> &'static TimeZone {
        static ZONES: LazyLock<BTreeMap<&str, TimeZone>> = LazyLock::new(|| {
            let names = [
                "Europe/Rome",
                "Europe/London",
                "Europe/Berlin",
                "Europe/Brussels",
                "UTC",
                "America/Chicago",
                "America/Los_Angeles",
            ];
            names.map(|name| (name, TimeZone::get(name).expect("a zone"))).into()
        });
        &ZONES[place(self.regime).zone]
    }

    /// The instant at which a local day begins.
    pub fn midnight(&self, day: Date) -> Timestamp {
        let midnight = day.to_datetime(jiff::civil::Time::midnight());
        self.zone().to_timestamp(midnight).expect("a midnight")
    }

    /// The instant of a minute since local midnight of the first day.
    pub fn at(&self, minute: i64) -> Timestamp {
        let first: Date = place(self.regime).first.parse().expect("a day");
        self.midnight(first) + minute.minutes()
    }

    /// The local day of a minute.
    pub fn day(&self, minute: i64) -> Date {
        self.zone().to_datetime(self.at(minute)).date()
    }

    fn money(&self, minor: i64) -> Money {
        Money::new(minor, place(self.regime).currency.parse::<Currency>().expect("a currency"))
    }

    /// The first day of the month of the beginning, or of one that follows.
    pub fn month(&self, number: usize) -> Date {
        self.day(0).first_of_month() + i32::try_from(number).expect("a few").months()
    }

    pub fn outage(&self) -> Outage {
        let place = place(self.regime);
        let impact = |down: &Down| {
            let principal = place.principal[usize::from(down.second)];
            Impact {
                service: None,
                component: if down.accessory { place.accessory } else { principal }.to_owned(),
                severity: if down.total { Severity::Total } else { Severity::Degraded },
                cohort: None,
                window: Window { from: self.at(down.from), to: Some(self.at(down.to)) },
                restored_cohorts: BTreeMap::new(),
                restored_subscriptions: BTreeMap::new(),
            }
        };
        Outage {
            id: "o".to_owned(),
            cause: match self.cause {
                "planned" => Cause::Planned,
                "force_majeure" => Cause::ForceMajeure,
                "customer" => Cause::Customer,
                _ => Cause::Fault,
            },
            works_done_at: self.works.map(|minute| self.at(minute)),
            declared: self.declared,
            declared_at: None,
            impacts: self.down.iter().map(impact).collect(),
        }
    }

    pub fn subscription(&self) -> Subscription {
        let from = self.joined.map_or(Timestamp::MIN, |minute| self.at(minute));
        let fee = (!self.free_plan).then(|| self.money(self.fee.0));
        Subscription {
            id: "s".to_owned(),
            service: place(self.regime).services.to_owned(),
            segment: if self.business { Segment::Business } else { Segment::Consumer },
            class: match self.class {
                "accessory" => Class::Accessory,
                "free" => Class::Free,
                _ => Class::Principal,
            },
            cohort: None,
            quota_bytes: None,
            term_end: None,
            in_arrears: self.in_arrears,
            periods: vec![Period {
                plan: if self.free_plan { "free" } else { "plus-5gb" }.to_owned(),
                fee,
                fee_period: if self.fee.1 { FeePeriod::Month } else { FeePeriod::Year },
                window: Window { from, to: None },
            }],
        }
    }

    pub fn surroundings(&self) -> Surroundings {
        let claim = |(received, answered): &(i64, Option<i64>)| Claim {
            received: self.at(*received),
            answered: answered.map(|minute| self.at(minute)),
            recognised: None,
        };
        let charge = |number: usize| {
            let begin = self.midnight(self.month(number));
            (begin, self.money(self.charges[number]))
        };
        Surroundings {
            reports: self.reports.iter().map(|minute| self.at(*minute)).collect(),
            claims: self.claims.iter().map(claim).collect(),
            granted: self
                .granted
                .map(|minor| Granted {
                    kind: RemedyKind::Indemnity,
                    money: Some(self.money(minor)),
                    policy: "other".to_owned(),
                })
                .into_iter()
                .collect(),
            missed_appointments: self.appointments.iter().map(|minute| self.at(*minute)).collect(),
            activation: self.activation.map(|(promised, late)| Activation {
                promised: self.at(promised),
                done: Some(self.at(promised + late * 24 * 60)),
            }),
            journey: self.journey.map(|(distance_km, intra_eu, delay_minutes, passengers)| {
                Journey { distance_km, intra_eu, delay_minutes, passengers }
            }),
            charges: (0..5).map(charge).collect(),
        }
    }
}

/// What the engine borrows.
pub struct Surroundings {
    reports: Vec<Timestamp>,
    claims: Vec<Claim>,
    granted: Vec<Granted>,
    missed_appointments: Vec<Timestamp>,
    activation: Option<Activation>,
    journey: Option<Journey>,
    charges: Vec<(Timestamp, Money)>,
}

impl Surroundings {
    pub fn context(&self) -> Context<'_> {
        Context {
            reports: &self.reports,
            claims: &self.claims,
            granted: &self.granted,
            missed_appointments: &self.missed_appointments,
            activation: self.activation,
            journey: self.journey,
            charges: &self.charges,
            ..Context::default()
        }
    }
}
