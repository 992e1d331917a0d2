//! Reads a case's words, times and amounts in a policy's zone and currency.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::Policy;
use super::super::context::{Activation, Claim, Context, Granted, Journey};
use super::super::conventions::{
    ACCESSORIES, BLOCKS, DAY_COUNTS, Overrides, RESTORATION_DAYS, SIGNED_KNOWING, minutes,
};
use super::super::fields::{
    CLASSES, KINDS, ROUNDING_MODES, ROUNDING_POINTS, SEGMENTS, VERSION_SELECTORS,
};
use super::super::gates::CAUSES;
use super::super::suggest::nearest;
use super::input::{
    ActivationInput, AmountInput, AppointmentInput, CaseInput, ChargeInput, ClaimInput,
    ConventionsInput, GrantedInput, ImpactInput, InvoiceInput, JourneyInput, OutageInput,
    PeriodInput, SubscriptionInput,
};
use super::refused::Refused;
use crate::facts::{
    Cause, Class, FeePeriod, Impact, Outage, Period, Segment, Severity, Subscription,
};
use crate::money::{Currency, Money};
use crate::time::{Instant, TimeError, Window, parse_instant};

/// A case in a policy's zone and currency.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// The subscription.
    pub subscription: Subscription,
    /// The outage.
    pub outage: Outage,
    /// When the subscriber reported it.
    pub reports: Vec<Instant>,
    /// Claims about it.
    pub claims: Vec<Claim>,
    /// What was granted for it before.
    pub granted: Vec<Granted>,
    /// What is carried over from before.
    pub carried: Vec<Granted>,
    /// When it was known.
    pub known_at: Option<Instant>,
    /// When planned work was announced.
    pub announced_at: Option<Instant>,
    /// When what is owed is paid.
    pub paid_at: Option<Instant>,
    /// The dates of unpaid invoices.
    pub unpaid_invoices: Vec<Instant>,
    /// When appointments were missed, or cancelled at short notice.
    pub missed_appointments: Vec<Instant>,
    /// The promised start of the service, and the real one.
    pub activation: Option<Activation>,
    /// The journey.
    pub journey: Option<Journey>,
    /// What was charged, by the start of its period.
    pub charges: Vec<(Instant, Money)>,
    /// What the case reads otherwise than the policy.
    pub overrides: Overrides,
}

/// Where texts are read: the policy's zone and currency.
struct Place<'p> {
    zone: &'p TimeZone,
    currency: Currency,
}

const FEE_PERIODS: &[(&str, FeePeriod)] = &[("month", FeePeriod::Month), ("year", FeePeriod::Year)];

const SEVERITIES: &[(&str, Severity)] =
    &[("total", Severity::Total), ("degraded", Severity::Degraded)];

const OUTCOMES: &[(&str, ())] = &[("missed", ()), ("short_notice", ())];

impl Case {
    /// Reads a case for a policy.
    ///
    /// # Errors
    /// `AMBIGUOUS_LOCAL_TIME`, `ABSENT_LOCAL_TIME`, `INVALID_CASE`, each naming the field.
    pub fn read(input: &CaseInput, policy: &Policy) -> Result<Case, Refused> {
        let place = Place { zone: policy.zone(), currency: policy.currency() };
        let reports = input.reports.iter().map(|report| place.time("reports.at", &report.at));
        let claims = input.claims.iter().map(|claim| place.claim(claim));
        let granted = input.granted.iter().map(|one| place.granted("granted", one));
        let carried = input.carried.iter().map(|one| place.granted("carried", one));
        Ok(Case {
            subscription: place.subscription(&input.subscription)?,
            outage: place.outage(&input.outage)?,
            reports: reports.collect::<Result<_, _>>()?,
            claims: claims.collect::<Result<_, _>>()?,
            granted: granted.collect::<Result<_, _>>()?,
            carried: carried.collect::<Result<_, _>>()?,
            known_at: place.optional_time("known_at", input.known_at.as_deref())?,
            announced_at: place.optional_time("announced_at", input.announced_at.as_deref())?,
            paid_at: place.optional_time("paid_on", input.paid_on.as_deref())?,
            unpaid_invoices: place.unpaid_invoices(&input.invoices)?,
            missed_appointments: place.appointments(&input.appointments)?,
            activation: input.activation.as_ref().map(|one| place.activation(one)).transpose()?,
            journey: input.journey.as_ref().map(journey).transpose()?,
            charges: place.charges(&input.charges)?,
            overrides: overrides(&input.conventions)?,
        })
    }

    /// Gives what is known beside the subscription and the outage.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context {
            reports: &self.reports,
            claims: &self.claims,
            granted: &self.granted,
            carried: &self.carried,
            known_at: self.known_at,
            announced_at: self.announced_at,
            paid_at: self.paid_at,
            unpaid_invoices: &self.unpaid_invoices,
            missed_appointments: &self.missed_appointments,
            activation: self.activation,
            journey: self.journey,
            charges: &self.charges,
        }
    }
}

fn journey(input: &JourneyInput) -> Result<Journey, Refused> {
    let JourneyInput { distance_km, intra_eu, delay_minutes, passengers } = *input;
    let passengers = passengers.unwrap_or(1);
    if !(1..=1_000).contains(&passengers) {
        return Err(Refused::invalid("journey.passengers", "give 1 to 1000"));
    }
    Ok(Journey { distance_km, intra_eu, delay_minutes, passengers })
}

impl Place<'_> {
    /// Both outcomes, missed and short notice, are compensated alike.
    fn appointments(&self, inputs: &[AppointmentInput]) -> Result<Vec<Instant>, Refused> {
        let read = |input: &AppointmentInput| {
            word("appointments.outcome", &input.outcome, OUTCOMES)?;
            self.time("appointments.on", &input.on)
        };
        inputs.iter().map(read).collect()
    }

    fn activation(&self, input: &ActivationInput) -> Result<Activation, Refused> {
        let promised = self.time("activation.promised", &input.promised)?;
        let done = self.optional_time("activation.done", input.done.as_deref())?;
        Ok(Activation { promised, done })
    }

    fn charges(&self, inputs: &[ChargeInput]) -> Result<Vec<(Instant, Money)>, Refused> {
        let read = |input: &ChargeInput| {
            let window = self.window("charges", &input.from, Some(&input.to))?;
            Ok((window.from, self.money("charges", &input.amount, &input.currency)?))
        };
        inputs.iter().map(read).collect()
    }

    /// Paid invoices change no amount, only how it is settled; a slip in them is refused all the same.
    fn unpaid_invoices(&self, inputs: &[InvoiceInput]) -> Result<Vec<Instant>, Refused> {
        let mut unpaid = Vec::new();
        for invoice in inputs {
            let on = self.time("invoices.on", &invoice.on)?;
            self.money("invoices", &invoice.amount, &invoice.currency)?;
            unpaid.extend(invoice.unpaid.then_some(on));
        }
        Ok(unpaid)
    }

    fn time(&self, field: &str, text: &str) -> Result<Instant, Refused> {
        parse_instant(text, self.zone).map_err(|error| Refused::time(field, &error))
    }

    fn optional_time(&self, field: &str, text: Option<&str>) -> Result<Option<Instant>, Refused> {
        text.map(|text| self.time(field, text)).transpose()
    }

    fn window(&self, field: &str, from: &str, to: Option<&str>) -> Result<Window, Refused> {
        let from = self.time(&format!("{field}.from"), from)?;
        let to = self.optional_time(&format!("{field}.to"), to)?;
        Window::new(from, to).map_err(|error| Refused::time(field, &error))
    }

    fn money(&self, field: &str, amount: &str, currency: &str) -> Result<Money, Refused> {
        let refuse = |error| Refused::invalid(field, &format!("{error}"));
        let currency = currency.parse().map_err(refuse)?;
        Money::parse(amount, currency).map_err(refuse)
    }

    fn subscription(&self, input: &SubscriptionInput) -> Result<Subscription, Refused> {
        let class = input.class.as_deref().map(|text| word("subscription.class", text, CLASSES));
        let segment =
            input.segment.as_deref().map(|text| word("subscription.segment", text, SEGMENTS));
        let term_end = input.term_end.as_deref().map(|text| date("subscription.term_end", text));
        let periods = input.periods.iter().map(|period| self.period(period));
        let mut periods: Vec<Period> = periods.collect::<Result<_, _>>()?;
        if periods.is_empty() {
            // A case that says nothing of plans is about somebody who was subscribed all the time.
            let window = Window { from: Instant::MIN, to: None };
            let (plan, fee_period) = (String::new(), FeePeriod::Month);
            periods.push(Period { plan, fee: None, fee_period, window });
        }
        periods.sort_by_key(|period| period.window.from);
        let overlap = periods.windows(2).any(|pair| match pair {
            [left, right] => left.window.to.is_none_or(|to| to > right.window.from),
            _ => false,
        });
        if overlap {
            let what = "two periods overlap: end one before the next begins";
            return Err(Refused::invalid("subscription.periods", what));
        }
        Ok(Subscription {
            id: input.id.clone(),
            service: input.service.clone(),
            segment: segment.transpose()?.unwrap_or(Segment::Consumer),
            class: class.transpose()?.unwrap_or(Class::Principal),
            cohort: input.cohort.clone(),
            quota_bytes: input.quota_bytes,
            term_end: term_end.transpose()?,
            in_arrears: input.in_arrears,
            periods,
        })
    }

    fn period(&self, input: &PeriodInput) -> Result<Period, Refused> {
        let field = "subscription.periods";
        let currency = input.currency.as_deref().unwrap_or(self.currency.code());
        let fee = input.fee.as_deref().map(|fee| self.money(field, fee, currency)).transpose()?;
        let fee_period =
            input.fee_period.as_deref().map(|text| word(field, text, FEE_PERIODS)).transpose()?;
        if fee.is_some() && fee_period.is_none() {
            return Err(Refused::invalid(field, "a fee without fee_period: write month or year"));
        }
        Ok(Period {
            plan: input.plan.clone(),
            fee,
            fee_period: fee_period.unwrap_or(FeePeriod::Month),
            window: self.window(field, &input.from, input.to.as_deref())?,
        })
    }

    fn outage(&self, input: &OutageInput) -> Result<Outage, Refused> {
        let cause = input.cause.as_deref().map(|text| word("outage.cause", text, CAUSES));
        let impacts = input.impacts.iter().map(|impact| self.impact(impact));
        let declared_at = self.optional_time("outage.declared_at", input.declared_at.as_deref())?;
        Ok(Outage {
            id: input.id.clone(),
            cause: cause.transpose()?.unwrap_or(Cause::Fault),
            works_done_at: self
                .optional_time("outage.works_done_at", input.works_done_at.as_deref())?,
            declared: input.declared || declared_at.is_some(),
            declared_at,
            impacts: impacts.collect::<Result<_, _>>()?,
        })
    }

    fn impact(&self, input: &ImpactInput) -> Result<Impact, Refused> {
        Ok(Impact {
            service: input.service.clone(),
            component: input.component.clone(),
            severity: word("outage.impacts.severity", &input.severity, SEVERITIES)?,
            cohort: input.cohort.clone(),
            window: self.window("outage.impacts", &input.from, input.to.as_deref())?,
            restored_cohorts: std::collections::BTreeMap::new(),
            restored_subscriptions: std::collections::BTreeMap::new(),
        })
    }

    fn claim(&self, input: &ClaimInput) -> Result<Claim, Refused> {
        let money = |of: &AmountInput| self.money("claims.recognised", &of.amount, &of.currency);
        let received = self.time("claims.received", &input.received)?;
        let answered = self.optional_time("claims.answered", input.answered.as_deref())?;
        if answered.is_some_and(|answered| answered < received) {
            return Err(Refused::invalid("claims.answered", "it is before the claim was received"));
        }
        let recognised = input.recognised.as_ref().map(money).transpose()?;
        Ok(Claim { received, answered, recognised })
    }

    fn granted(&self, field: &str, input: &GrantedInput) -> Result<Granted, Refused> {
        let currency = input.currency.as_deref().unwrap_or(self.currency.code());
        let money = input.amount.as_deref().map(|amount| self.money(field, amount, currency));
        let kind = word(field, &input.kind, KINDS)?;
        Ok(Granted { kind, money: money.transpose()?, policy: input.policy.clone() })
    }
}

fn overrides(input: &ConventionsInput) -> Result<Overrides, Refused> {
    let duration =
        |field: &str, count: Option<u64>| match count.map(|count| (count, minutes(count))) {
            None => Ok(None),
            Some((_, Some(duration))) => Ok(Some(duration)),
            Some((count, None)) => {
                Err(Refused::invalid(field, &format!("{count} minutes are too many")))
            }
        };
    Ok(Overrides {
        day_count: choice("conventions.day_count", &input.day_count, DAY_COUNTS)?,
        block: choice("conventions.block", &input.block, BLOCKS)?,
        restoration_day: choice(
            "conventions.restoration_day",
            &input.restoration_day,
            RESTORATION_DAYS,
        )?,
        accessory: choice("conventions.accessory", &input.accessory, ACCESSORIES)?,
        signed_knowing: choice(
            "conventions.signed_knowing",
            &input.signed_knowing,
            SIGNED_KNOWING,
        )?,
        rate_version: choice("conventions.rate_version", &input.rate_version, VERSION_SELECTORS)?,
        rounding_point: choice(
            "conventions.rounding_point",
            &input.rounding_point,
            ROUNDING_POINTS,
        )?,
        rounding_mode: choice("conventions.rounding_mode", &input.rounding_mode, ROUNDING_MODES)?,
        relapse_merge: duration("conventions.relapse_merge_minutes", input.relapse_merge_minutes)?,
        minimum: duration("conventions.minimum_minutes", input.minimum_minutes)?,
    })
}

fn choice<T: Copy>(
    field: &str,
    text: &Option<String>,
    words: &[(&'static str, T)],
) -> Result<Option<T>, Refused> {
    text.as_deref().map(|text| word(field, text, words)).transpose()
}

/// Finds the meaning of a word.
pub(super) fn word<T: Copy>(
    field: &str,
    text: &str,
    words: &[(&'static str, T)],
) -> Result<T, Refused> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = nearest(text, &names)
            .map_or_else(String::new, |near| format!(", did you mean {near:?}?"));
        let known = names.join(", ");
        Refused::invalid(field, &format!("{text:?} is none of {known}{hint}"))
    })
}

/// Reads a date without a time.
pub(super) fn date(field: &str, text: &str) -> Result<Date, Refused> {
    let date = text.parse().ok().filter(|_| text.len() == 10);
    date.ok_or_else(|| Refused::time(field, &TimeError::NotATime { text: text.to_owned() }))
}
