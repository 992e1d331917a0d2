//! What an assessment depends on, read in one consistent state and pinned.

use jiff::Span;
use jiff::civil::Date;
use ristoro_domain::facts::{Outage, Subscription};
use ristoro_domain::policy::{Context, Evaluator, Policy, ReasonIndex, Refusal};
use ristoro_domain::settlement::{self, Leftovers, Pins, Settlement, Status};
use ristoro_domain::time::{Instant, time_zone_data};
use ristoro_log::{Position, Topic};
use ristoro_runtime::stored::fold_events;
use ristoro_runtime::views::Views;
use sqlx::PgConnection;

use super::AssessError;
use super::walk::Known;
use crate::projections::{assessment, carry, outage_event, policy};

/// How many years ahead a payment may be.
const PAYMENT_YEARS: i32 = 10;

/// A completed assessment of the same outage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Earlier {
    /// Its id.
    pub assessment: String,
    /// Its policy.
    pub policy: String,
}

/// What decisions are made from.
#[derive(Debug)]
pub struct Inputs {
    /// The policy in the pinned version.
    pub policy: Policy,
    /// The outage as of its pin.
    pub outage: Outage,
    /// When planned work was announced, as of the same pin.
    pub announced_at: Option<Instant>,
    /// The pins.
    pub pins: Pins,
    /// What was granted before.
    pub earlier: Vec<Earlier>,
}

/// A policy as callers name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyName {
    /// Its id.
    pub policy: String,
    /// Its version; the newest where none is given.
    pub version: Option<String>,
}

/// What the caller states of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stated {
    /// When the outage became known, where that differs from its start.
    pub known_at: Option<Instant>,
    /// The day on which what is owed is to be paid.
    pub payment_day: Option<Date>,
}

impl Inputs {
    /// Pins what is known now.
    ///
    /// # Errors
    /// `UnknownOutage`, `NothingToAssess`, `UnknownPolicy`, `UnreadablePolicy`, `PaymentDay`, `Database`.
    pub async fn now(
        connection: &mut PgConnection,
        outage: &str,
        name: &PolicyName,
        stated: Stated,
        partition_count: u32,
    ) -> Result<Self, AssessError> {
        let found = outage_event::read(connection, outage, None).await?;
        let found = found.ok_or_else(|| AssessError::UnknownOutage(outage.to_owned()))?;
        let (policy, policy_position) = load(connection, name).await?;
        let state = settlement_state(connection, outage).await?;
        let positions = Views::positions(connection).await?;
        let offset = |partition| positions.get(&(Topic::Subscriber, partition)).copied();
        let leftovers = match policy.carries_over() {
            true => {
                let from = carry::last_completed(connection, policy.id()).await?;
                Some(Leftovers { from })
            }
            false => None,
        };
        let pins = Pins {
            policy: policy.id().to_owned(),
            policy_version: policy.version().to_owned(),
            policy_position: policy_position.to_string(),
            outage_position: found.position.to_string(),
            roster_offsets: (0..partition_count).map(|p| offset(p).unwrap_or_default()).collect(),
            settlement_version: state.version,
            time_zone_data: time_zone_data().to_owned(),
            known_at: stated.known_at,
            payment_day: stated.payment_day,
            leftovers,
        };
        let facts = found.state.facts(outage);
        let outage = facts.ok_or_else(|| AssessError::NothingToAssess(outage.to_owned()))?;
        if let Some(day) = stated.payment_day {
            payable_on(day, &policy, &outage)?;
        }
        let announced_at = found.state.announced_at;
        Ok(Self { policy, outage, announced_at, pins, earlier: earlier(&state, u64::MAX) })
    }

    /// Reads again what a proposal was made from.
    ///
    /// # Errors
    /// As `now`; also `Database` where a projection has not come as far as a pin.
    pub async fn pinned(
        connection: &mut PgConnection,
        outage: &str,
        pins: &Pins,
    ) -> Result<Self, AssessError> {
        let unknown = || AssessError::UnknownOutage(outage.to_owned());
        let position: Position = pins.outage_position.parse().map_err(|_| unknown())?;
        let found = outage_event::read(connection, outage, Some(position)).await?;
        let found = found.filter(|found| found.position == position).ok_or_else(unknown)?;
        let name =
            PolicyName { policy: pins.policy.clone(), version: Some(pins.policy_version.clone()) };
        let (policy, _) = load(connection, &name).await?;
        let state = settlement_state(connection, outage).await?;
        let facts = found.state.facts(outage);
        Ok(Self {
            policy,
            outage: facts.ok_or_else(|| AssessError::NothingToAssess(outage.to_owned()))?,
            announced_at: found.state.announced_at,
            pins: pins.clone(),
            earlier: earlier(&state, pins.settlement_version),
        })
    }
}

impl Inputs {
    /// Decides one person.
    ///
    /// # Errors
    /// Where the policy refuses the case.
    pub fn decide(
        &self,
        evaluator: &mut Evaluator<'_>,
        subscription: &Subscription,
        known: Known<'_>,
    ) -> Result<ReasonIndex, Refusal> {
        let unpaid = known.told.unpaid_since.map(|day| self.noon(day));
        let context = Context {
            reports: known.told.reports,
            granted: known.granted,
            known_at: self.pins.known_at,
            announced_at: self.announced_at,
            paid_at: self.pins.payment_day.map(|day| self.noon(day)),
            unpaid_invoices: unpaid.as_slice(),
            carried: self.carried_from().map_or(&[], |from| known.carried_from(from)),
            ..Context::default()
        };
        evaluator.decide(subscription, &context)
    }

    /// Names the assessment whose leftovers are taken over.
    #[must_use]
    pub fn carried_from(&self) -> Option<&str> {
        self.pins.leftovers.as_ref()?.from.as_deref()
    }

    /// Places a day of the policy's zone on the time line, where every clock of the zone shows that day.
    fn noon(&self, day: Date) -> Instant {
        let noon = self.policy.zone().to_timestamp(day.at(12, 0, 0, 0));
        noon.expect("days are read within the years of the calendar")
    }
}

/// Checks that money owed for an outage can be paid on a day.
fn payable_on(day: Date, policy: &Policy, outage: &Outage) -> Result<(), AssessError> {
    let local = |instant: Instant| policy.zone().to_datetime(instant).date();
    let began = outage.impacts.iter().map(|impact| local(impact.window.from)).min();
    let first = began.unwrap_or(Date::MIN);
    let last = local(Instant::now()).saturating_add(Span::new().years(PAYMENT_YEARS));
    let what = match day {
        _ if day < first => "before the outage began",
        _ if day > last => "more than ten years ahead",
        _ => return Ok(()),
    };
    Err(AssessError::PaymentDay { day, what, first, last })
}

async fn load(
    connection: &mut PgConnection,
    name: &PolicyName,
) -> Result<(Policy, Position), AssessError> {
    let written = || match &name.version {
        Some(version) => format!("{} version {version}", name.policy),
        None => name.policy.clone(),
    };
    let row = policy::find(connection, &name.policy, name.version.as_deref()).await?;
    let row = row.ok_or_else(|| AssessError::UnknownPolicy(written()))?;
    let policy = Policy::parse(&format!("{}.toml", name.policy), &row.text).map_err(|errors| {
        let problem = errors.first().map_or_else(String::new, ToString::to_string);
        AssessError::UnreadablePolicy { policy: written(), problem }
    })?;
    Ok((policy, row.position))
}

/// Folds an outage's settlement.
///
/// # Errors
/// The database's.
pub async fn settlement_state(
    connection: &mut PgConnection,
    outage: &str,
) -> Result<settlement::State, sqlx::Error> {
    let stored = assessment::events(connection, outage).await?;
    let events = stored.iter().map(|event| (event.kind.as_str(), &event.payload));
    fold_events::<Settlement>(events)
}

/// Gives the assessments that had granted something by a version of the settlement.
fn earlier(state: &settlement::State, settlement_version: u64) -> Vec<Earlier> {
    let given = |(id, found): (&String, &settlement::Assessment)| {
        let by_then = found.completed_version.is_some_and(|version| version <= settlement_version);
        (found.status == Status::Completed && by_then)
            .then(|| Earlier { assessment: id.clone(), policy: found.proposal.pins.policy.clone() })
    };
    state.assessments.iter().filter_map(given).collect()
}
