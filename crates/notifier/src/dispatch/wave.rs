//! One owned wave goes out, block by block: a block begins only after the report of the last one was accepted.

use std::sync::Arc;
use std::time::Duration;

use ristoro_domain::dispatch::{Command, Dispatch, Outcome, Standing, Wave};
use ristoro_domain::time::Instant;
use ristoro_runtime::command::{CommandError, CommandRequest, Done};
use uuid::Uuid;

use super::DispatchError;
use super::block::Stop;
use super::budget::Budget;
use super::known::Seen;
use super::lane::Lane;
use super::turn::{Desk, Looked};
use super::write::Drafts;
use crate::projections::chunk::{self, ChunkRow};
use crate::projections::contact::{self, Member};
use crate::projections::payout_switch;
use crate::projections::wave::OpenWave;
use crate::streams::DispatchKey;

/// The namespace of the request ids of reports.
const REPORTS: Uuid = Uuid::from_u128(0x91c7_20d4_5b6e_47a8_83f1_0d2c_b94e_6a35);
/// How long a report rests that could not be written.
const REPORT_REST: Duration = Duration::from_secs(1);
/// Under which name the loop writes.
const ACTOR: &str = "system:notifier.dispatch";

/// A wave that this process owns.
pub(super) struct Going {
    pub(super) key: DispatchKey,
    pub(super) chunk: ChunkRow,
    pub(super) outage: String,
    pub(super) wave: Wave,
    pub(super) drafts: Drafts,
}

/// Whether the next block may begin, or go on.
pub(super) enum Next {
    Block(Block),
    Leave {
        reason: &'static str,
        /// The outage's version on which the wave has to wait; none where it is not that.
        outage_version: Option<u64>,
    },
}

/// The places of a block with the people behind them; none for somebody who is no longer known.
pub(super) struct Block {
    pub(super) seen: Arc<Seen>,
    pub(super) members: Vec<(u32, Option<Member>)>,
}

/// How a wave was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    /// All its blocks are through.
    Through,
    /// It was handed back, or somebody else has it.
    Open,
}

impl Next {
    fn leave(reason: &'static str) -> Self {
        Next::Leave { reason, outage_version: None }
    }
}

impl Desk<'_> {
    /// Goes on with a wave that nobody works on; tells whether anything went out.
    pub(super) async fn resume(&self, open: OpenWave) -> Result<bool, DispatchError> {
        let OpenWave { key, wave, outage } = open;
        let mut view = self.context.views.begin().await?;
        let Some(chunk) = chunk::read(&mut view, &key.chunk).await? else { return Ok(false) };
        view.rollback().await?;
        let going = Going { key, chunk, outage, wave, drafts: Drafts::default() };
        let started_version = going.wave.started_version;
        // A claim that would only be handed back again is not worth its event.
        if let Next::Leave { reason, outage_version } = self.next(&going, 0).await? {
            tracing::debug!(dispatch = %going.key, reason, "a wave waits");
            if let Some(version) = outage_version {
                self.remember(&going.key, Some(started_version), Looked::waits(version));
            }
            return Ok(false);
        }
        let lane = self.lanes.lane(self.settings).await?;
        let (claim, seen) = (Uuid::new_v4().to_string(), going.wave.standing());
        let command = Command::TakeOver { claim: claim.clone(), started_version, seen };
        let traceparent = &going.chunk.traceparent;
        let budget = Budget::begin(self.settings);
        let owned = self.own(&going.key, traceparent, &claim, &command, "a takeover").await?;
        let Some(wave) = owned else {
            lane.give_back().await;
            return Ok(false);
        };
        if going.wave.owner.is_some() {
            let block = going.wave.next_block;
            tracing::warn!(dispatch = %going.key, block, "a wave was taken over: a block is in doubt");
        }
        self.send(Going { wave, ..going }, budget, lane).await?;
        Ok(true)
    }

    /// Sends an owned wave, block by block.
    pub(super) async fn send(
        &self,
        mut going: Going,
        mut budget: Budget,
        mut lane: Lane<'_>,
    ) -> Result<Left, DispatchError> {
        while !going.wave.is_finished() {
            let part = self.send_block(&going, &budget, &mut lane).await;
            // The next part's time begins before this one's report is written.
            budget = Budget::begin(self.settings);
            if !part.outcomes.is_empty() {
                match self.report(&going, part.outcomes).await? {
                    Some(wave) => going.wave = wave,
                    None => {
                        lane.give_back().await;
                        return Ok(Left::Open);
                    }
                }
            }
            match part.stop {
                None => {}
                Some(Stop::Leave(reason)) => {
                    tracing::info!(dispatch = %going.key, reason, "a wave is handed back");
                    self.hand_back(&going).await;
                    lane.give_back().await;
                    return Ok(Left::Open);
                }
                Some(Stop::Trouble(error)) => {
                    self.hand_back(&going).await;
                    return Err(error);
                }
            }
        }
        lane.give_back().await;
        Ok(Left::Through)
    }

    /// Looks whether the next block may go on behind so many of its places, as of now.
    pub(super) async fn next(&self, going: &Going, sent: usize) -> Result<Next, DispatchError> {
        if self.context.shutdown.is_cancelled() {
            return Ok(Next::leave("the process ends"));
        }
        if !self.is_owned(going.key.chunk.partition) {
            return Ok(Next::leave("another process works on this partition"));
        }
        let mut view = self.context.views.begin().await?;
        if payout_switch::is_stopped(&mut view).await? {
            return Ok(Next::leave("payouts are stopped"));
        }
        let Some(seen) = self.outages.get(&mut view, &going.outage).await? else {
            return Ok(Next::leave("the outage is not known"));
        };
        let places = &going.wave.next_places()[sent..];
        let number = |place: &u32| going.chunk.number_at(*place).unwrap_or_default();
        let numbers: Vec<u64> = places.iter().map(number).collect();
        let mut members = contact::members(&mut view, &numbers).await?;
        view.rollback().await?;
        let now = Instant::now();
        let is_back = |since: Option<Instant>| since.is_some_and(|since| since <= now);
        // The outage may have come back since the wave began.
        if !members.values().all(|member| is_back(seen.back_since(member))) {
            let reason = "a mailbox of the next block is down again";
            return Ok(Next::Leave { reason, outage_version: Some(seen.now.version) });
        }
        let members = numbers.iter().map(|number| members.remove(number));
        let members = places.iter().copied().zip(members).collect();
        Ok(Next::Block(Block { seen, members }))
    }

    /// States what became of a block, however long it takes; gives the wave, if it is still ours.
    async fn report(
        &self,
        going: &Going,
        outcomes: Vec<Outcome>,
    ) -> Result<Option<Wave>, DispatchError> {
        let Standing { owner, next_block: block, reported: first } = going.wave.standing();
        let (started_version, claim) = (going.wave.started_version, owner.unwrap_or_default());
        let request = request(going, &format!("report {block}/{first}"));
        let command = Command::Report { claim, started_version, block, first, outcomes };
        loop {
            let problem = match self.execute(going, &request, &command).await {
                Ok(done) => return Ok(done.state.wave(started_version).cloned()),
                Err(CommandError::Rejected(rejection)) => {
                    tracing::warn!(%rejection, dispatch = %going.key, "a report came too late");
                    return Ok(None);
                }
                Err(
                    source @ (CommandError::Conflict { .. }
                    | CommandError::RequestIdReused
                    | CommandError::Failure(_)
                    | CommandError::Unknown(_)),
                ) => DispatchError::Command { command: "a report", source },
            };
            if self.context.shutdown.is_cancelled() {
                return Err(problem);
            }
            tracing::warn!(%problem, dispatch = %going.key, "a report is written again");
            tokio::time::sleep(REPORT_REST).await;
        }
    }

    /// Leaves a wave with nothing under way. Where that fails, somebody takes it over later, with a block in doubt.
    async fn hand_back(&self, going: &Going) {
        let started_version = going.wave.started_version;
        let claim = going.wave.owner.clone().unwrap_or_default();
        let request = request(going, "hand back");
        let command = Command::HandBack { claim, started_version };
        if let Err(error) = self.execute(going, &request, &command).await {
            tracing::warn!(%error, dispatch = %going.key, "a wave could not be handed back");
        }
    }

    async fn execute(
        &self,
        going: &Going,
        request: &CommandRequest,
        command: &Command,
    ) -> Result<Done<Dispatch>, CommandError<ristoro_domain::dispatch::Rejection>> {
        self.context.commands.execute::<Dispatch>(&going.key.stream(), request, command).await
    }
}

/// The same step of the same claim is the same command, however often it is sent.
fn request(going: &Going, step: &str) -> CommandRequest {
    let claim = going.wave.owner.as_deref().unwrap_or_default();
    let name = format!("{}\n{}\n{claim}\n{step}", going.key, going.wave.started_version);
    CommandRequest {
        request_id: Uuid::new_v5(&REPORTS, name.as_bytes()),
        actor: ACTOR.to_owned(),
        traceparent: going.chunk.traceparent.clone(),
        occurred_at: Instant::now(),
        expected_version: None,
        validate_only: false,
        content: None,
    }
}
