//! What an assessment depends on, read in one consistent state and pinned.

use ristoro_domain::facts::Outage;
use ristoro_domain::policy::Policy;
use ristoro_domain::settlement::{self, Pins, Settlement, Status};
use ristoro_domain::time::{Instant, time_zone_data};
use ristoro_log::{Position, Topic};
use ristoro_runtime::stored::fold_events;
use ristoro_runtime::views::Views;
use sqlx::PgConnection;

use super::AssessError;
use super::walk::Basis;
use crate::projections::{assessment, outage_event, policy};

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

impl Inputs {
    /// Pins what is known now.
    ///
    /// # Errors
    /// `UnknownOutage`, `NothingToAssess`, `UnknownPolicy`, `UnreadablePolicy`, `Database`.
    pub async fn now(
        connection: &mut PgConnection,
        outage: &str,
        name: &PolicyName,
        known_at: Option<Instant>,
        partition_count: u32,
    ) -> Result<Self, AssessError> {
        let found = outage_event::read(connection, outage, None).await?;
        let found = found.ok_or_else(|| AssessError::UnknownOutage(outage.to_owned()))?;
        let (policy, policy_position) = load(connection, name).await?;
        let state = settlement_state(connection, outage).await?;
        let positions = Views::positions(connection).await?;
        let offset = |partition| positions.get(&(Topic::Subscriber, partition)).copied();
        let pins = Pins {
            policy: policy.id().to_owned(),
            policy_version: policy.version().to_owned(),
            policy_position: policy_position.to_string(),
            outage_position: found.position.to_string(),
            roster_offsets: (0..partition_count).map(|p| offset(p).unwrap_or_default()).collect(),
            settlement_version: state.version,
            time_zone_data: time_zone_data().to_owned(),
            known_at,
        };
        let facts = found.state.facts(outage);
        let outage = facts.ok_or_else(|| AssessError::NothingToAssess(outage.to_owned()))?;
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
    /// Gives what everybody is decided with.
    #[must_use]
    pub fn basis(&self) -> Basis<'_> {
        Basis { pins: &self.pins, announced_at: self.announced_at, earlier: &self.earlier }
    }
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
