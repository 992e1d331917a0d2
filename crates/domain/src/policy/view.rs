//! Everything that a policy can see of one case. A decision is a function of it alone, so its bytes are the memo's key.

use jiff::civil::Date;

use super::Policy;
use super::context::{ClaimSeen, Context, Granted, Journey};
use super::exclusions::Planned;
use super::fields::{Cover, VersionSelector};
use super::timeline::{Reading, Timeline};
use crate::facts::{Class, Segment, Subscription};
use crate::money::Money;
use crate::time::Instant;

/// Which optional facts a policy looks at. What it does not look at is not in the view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sees {
    /// Fees of plans.
    pub fee: bool,
    /// Storage.
    pub quota: bool,
    /// The end of the paid term.
    pub term: bool,
    /// Overdue payments.
    pub arrears: bool,
    /// Reports, and the day from which a deadline runs.
    pub reports: bool,
    /// Claims.
    pub claims: bool,
    /// What is carried over.
    pub carried: bool,
    /// Appointments.
    pub appointments: bool,
    /// The promised and the real start of the service.
    pub activation: bool,
    /// The journey.
    pub journey: bool,
    /// Charges.
    pub charges: bool,
    /// The day on which the outage was known.
    pub known_day: bool,
    /// The day of the payment.
    pub paid_on: bool,
    /// The day of the month on which the subscription began.
    pub start: bool,
    /// When the periods of a fee begin.
    pub fee_term: bool,
    /// When the outage was declared.
    pub declaration: bool,
}

/// What a policy sees of a case's surroundings, in local days.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// Sorted, so that their order is not seen.
    pub claims: Vec<ClaimSeen>,
    /// The days of appointments, sorted.
    pub appointments: Vec<Date>,
    /// The promised day and the real one.
    pub activation: Option<(Date, Option<Date>)>,
    pub journey: Option<Journey>,
    /// The days on which charged periods began, sorted.
    pub charges: Vec<(Date, Money)>,
}

/// Who reported the outage first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// The policy does not ask.
    NotAsked,
    /// Nobody did.
    Nobody,
    /// The operator declared it.
    Declared,
    /// The subscriber did, on that local day.
    On(Date),
}

/// One case as a policy sees it.
pub(crate) struct View<'a> {
    /// The timeline's number in the evaluator; equal timelines have equal numbers.
    pub timeline_number: u32,
    pub timeline: &'a Timeline,
    pub service: &'a str,
    pub segment: Segment,
    pub class: Class,
    pub in_arrears: bool,
    pub quota_bytes: Option<u64>,
    pub term_end: Option<Date>,
    pub report: Report,
    /// The local day on which the outage was known, where a deadline runs from it.
    pub known_on: Option<Date>,
    /// The local day on which the outage was declared, where the policy asks.
    pub declared_on: Option<Date>,
    /// Whether the subscription began while the outage was known, where the policy asks.
    pub joined_knowing: bool,
    /// Whether planned work was announced in time, where the policy asks.
    pub announced: bool,
    /// Whether an invoice was unpaid for too long, where the policy asks.
    pub unpaid: bool,
    /// The local day of the payment, where the policy asks.
    pub paid_on: Option<Date>,
    pub seen: &'a Seen,
    pub granted: &'a [Granted],
    pub carried: &'a [Granted],
}

impl<'a> View<'a> {
    /// Looks at a case. `seen` is the context's, by `see`.
    pub(crate) fn new(
        reading: &Reading<'_>,
        subscription: &'a Subscription,
        context: &Context<'a>,
        (timeline_number, timeline): (u32, &'a Timeline),
        seen: &'a Seen,
    ) -> View<'a> {
        let policy = reading.policy;
        let known_at = context.known_at.or(reading.started);
        let day = |instant: Instant| policy.zone.to_datetime(instant).date();
        View {
            timeline_number,
            timeline,
            service: &subscription.service,
            segment: subscription.segment,
            class: subscription.class,
            in_arrears: policy.sees.arrears && subscription.in_arrears,
            quota_bytes: subscription.quota_bytes.filter(|_| policy.sees.quota),
            term_end: subscription.term_end.filter(|_| policy.sees.term),
            report: report(reading, context),
            known_on: known_at.filter(|_| policy.sees.known_day).map(day),
            declared_on: reading.outage.declared_at.filter(|_| policy.sees.declaration).map(day),
            joined_knowing: joined_knowing(policy, subscription, known_at),
            announced: announced(reading, context),
            unpaid: unpaid(reading, context),
            paid_on: context.paid_at.filter(|_| policy.sees.paid_on).map(day),
            seen,
            granted: context.granted,
            carried: if policy.sees.carried { context.carried } else { &[] },
        }
    }

    /// Gives the plan at the start of what was felt.
    pub(crate) fn plan(&self) -> &str {
        self.timeline.plans.first().map_or("", |seen| &seen.plan)
    }

    /// Writes the view as bytes, every field of it.
    pub(crate) fn write_key(&self, key: &mut Vec<u8>) {
        let View {
            timeline_number,
            timeline: _, // Its number stands for it.
            service,
            segment,
            class,
            in_arrears,
            quota_bytes,
            term_end,
            report,
            known_on,
            declared_on,
            joined_knowing,
            announced,
            unpaid,
            paid_on,
            seen,
            granted,
            carried,
        } = self;
        key.extend_from_slice(&timeline_number.to_be_bytes());
        key.extend([
            *segment as u8,
            *class as u8,
            u8::from(*in_arrears),
            u8::from(*joined_knowing),
            u8::from(*announced),
            u8::from(*unpaid),
        ]);
        write_text(key, service);
        write_option(key, quota_bytes.map(u64::to_be_bytes));
        write_option(key, term_end.map(date_bytes));
        match report {
            Report::NotAsked => key.push(0),
            Report::Nobody => key.push(1),
            Report::Declared => key.push(2),
            Report::On(day) => {
                key.push(3);
                key.extend(date_bytes(*day));
            }
        }
        write_option(key, known_on.map(date_bytes));
        write_option(key, declared_on.map(date_bytes));
        write_option(key, paid_on.map(date_bytes));
        seen.write_key(key);
        for list in [granted, carried] {
            write_count(key, list.len());
            for one in *list {
                key.push(one.kind as u8);
                write_money(key, one.money);
                write_text(key, &one.policy);
            }
        }
    }
}

/// Turns a case's surroundings into local days, as far as the policy looks at them.
pub(crate) fn see(policy: &Policy, context: &Context<'_>) -> Seen {
    let sees = policy.sees;
    let day = |instant: Instant| policy.zone.to_datetime(instant).date();
    let mut seen = Seen::default();
    if sees.claims {
        seen.claims.extend(context.claims.iter().map(|claim| ClaimSeen {
            received: day(claim.received),
            answered: claim.answered.map(day),
            recognised: claim.recognised,
        }));
        seen.claims.sort_unstable();
    }
    if sees.appointments {
        seen.appointments.extend(context.missed_appointments.iter().map(|at| day(*at)));
        seen.appointments.sort_unstable();
    }
    let activation = context.activation.filter(|_| sees.activation);
    seen.activation = activation.map(|one| (day(one.promised), one.done.map(day)));
    seen.journey = context.journey.filter(|_| sees.journey);
    if sees.charges {
        seen.charges.extend(context.charges.iter().map(|(at, money)| (day(*at), *money)));
        seen.charges.sort_unstable();
    }
    seen
}

impl Seen {
    /// Writes all of it as bytes.
    fn write_key(&self, key: &mut Vec<u8>) {
        let Seen { claims, appointments, activation, journey, charges } = self;
        write_count(key, claims.len());
        for claim in claims {
            key.extend(date_bytes(claim.received));
            write_option(key, claim.answered.map(date_bytes));
            write_money(key, claim.recognised);
        }
        write_count(key, appointments.len());
        key.extend(appointments.iter().flat_map(|day| date_bytes(*day)));
        write_option(key, activation.map(|(promised, _)| date_bytes(promised)));
        write_option(key, activation.and_then(|(_, done)| done).map(date_bytes));
        key.push(u8::from(journey.is_some()));
        if let Some(Journey { distance_km, intra_eu, delay_minutes, passengers }) = journey {
            for number in [distance_km, delay_minutes, passengers] {
                key.extend(number.to_be_bytes());
            }
            key.push(u8::from(*intra_eu));
        }
        write_count(key, charges.len());
        for (day, money) in charges {
            key.extend(date_bytes(*day));
            write_money(key, Some(*money));
        }
    }
}

fn report(reading: &Reading<'_>, context: &Context<'_>) -> Report {
    if !reading.policy.sees.reports {
        return Report::NotAsked;
    }
    if reading.outage.declared {
        return Report::Declared;
    }
    let first = context.reports.iter().min();
    first.map_or(Report::Nobody, |at| Report::On(reading.policy.zone.to_datetime(*at).date()))
}

fn joined_knowing(policy: &Policy, subscription: &Subscription, known_at: Option<Instant>) -> bool {
    let excluded = policy.conventions.signed_knowing == Cover::Excluded;
    let joined = subscription.periods.first().map(|period| period.window.from);
    excluded && joined.zip(known_at).is_some_and(|(joined, known)| joined > known)
}

fn announced(reading: &Reading<'_>, context: &Context<'_>) -> bool {
    let Planned::ExcludedAfter(notice) = reading.policy.exclusions.planned else { return false };
    let day = |instant: Instant| reading.policy.zone.to_datetime(instant).date();
    let both = context.announced_at.zip(reading.started);
    both.is_some_and(|(announced, started)| notice.was_kept(announced, started, day))
}

fn unpaid(reading: &Reading<'_>, context: &Context<'_>) -> bool {
    let (exclusions, zone) = (reading.policy.exclusions, &reading.policy.zone);
    let Some((days, started)) = exclusions.unpaid_invoices.zip(reading.started) else {
        return false;
    };
    let day = |instant: Instant| zone.to_datetime(instant).date();
    let Ok(least) = jiff::Span::new().try_days(days) else { return false };
    let is_old = |invoice: &Instant| {
        day(*invoice).checked_add(least).is_ok_and(|excludes_from| excludes_from <= day(started))
    };
    context.unpaid_invoices.iter().any(is_old)
}

impl Sees {
    /// Says whether a version selector looks at reports.
    pub(crate) fn by_report(selector: VersionSelector) -> bool {
        match selector {
            VersionSelector::ReportDate => true,
            VersionSelector::AccrualDay | VersionSelector::OutageStart => false,
        }
    }
}

fn date_bytes(date: Date) -> [u8; 4] {
    let [high, low] = date.year().to_be_bytes();
    [high, low, date.month().unsigned_abs(), date.day().unsigned_abs()]
}

fn write_option<const N: usize>(key: &mut Vec<u8>, bytes: Option<[u8; N]>) {
    key.push(u8::from(bytes.is_some()));
    key.extend(bytes.into_iter().flatten());
}

fn write_money(key: &mut Vec<u8>, money: Option<Money>) {
    write_option(key, money.map(|money| money.minor.to_be_bytes()));
    key.extend(money.iter().flat_map(|money| money.currency.code().bytes()));
}

fn write_count(key: &mut Vec<u8>, count: usize) {
    key.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

/// Writes a text with its length before it, so that no two lists of texts look alike.
pub(crate) fn write_text(key: &mut Vec<u8>, text: &str) {
    write_count(key, text.len());
    key.extend_from_slice(text.as_bytes());
}
