//! One owned wave goes out, block by block: a block begins only after the report of the last one was accepted.

use std::sync::Arc;
use std::time::Duration;

use ristoro_domain::dispatch::{Command, Dispatch, Outcome, Wave};
use ristoro_domain::time::Instant;
use ristoro_runtime::command::{CommandError, CommandRequest, Done};
use uuid::Uuid;

use super::DispatchError;
use super::block::Block;
use super::known::Seen;
use super::lane::Lane;
use super::turn::Desk;
use crate::projections::chunk::{self, ChunkRow};
use crate::projections::wave::OpenWave;
use crate::projections::{contact, payout_switch};
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
}

/// Whether the next block may begin.
enum Next {
    Block(Arc<Seen>, Block),
    Leave(&'static str),
}

impl Desk<'_> {
    /// Goes on with a wave that nobody works on; tells whether anything went out.
    pub(super) async fn resume(&self, open: OpenWave) -> Result<bool, DispatchError> {
        let OpenWave { key, wave, outage } = open;
        let mut view = self.context.views.begin().await?;
        let Some(chunk) = chunk::read(&mut view, &key.chunk).await? else { return Ok(false) };
        view.rollback().await?;
        let going = Going { key, chunk, outage, wave };
        // A claim that would only be handed back again is not worth its event.
        if let Next::Leave(reason) = self.next(&going).await? {
            tracing::debug!(dispatch = %going.key, reason, "a wave waits");
            return Ok(false);
        }
        let lane = self.lanes.lane(self.settings).await?;
        let (claim, started_version) = (Uuid::new_v4().to_string(), going.wave.started_version);
        let command = Command::TakeOver { claim: claim.clone(), started_version };
        let traceparent = &going.chunk.traceparent;
        let owned = self.own(&going.key, traceparent, &claim, &command, "a takeover").await?;
        let Some(wave) = owned else {
            lane.give_back().await;
            return Ok(false);
        };
        if going.wave.owner.is_some() {
            let block = going.wave.next_block;
            tracing::warn!(dispatch = %going.key, block, "a wave was taken over: a block is in doubt");
        }
        self.send(Going { wave, ..going }, lane).await?;
        Ok(true)
    }

    /// Sends an owned wave; tells whether it is through.
    pub(super) async fn send(
        &self,
        mut going: Going,
        mut lane: Lane<'_>,
    ) -> Result<bool, DispatchError> {
        while !going.wave.is_finished() {
            let next = match lane.connection().await {
                Ok(_) => self.next(&going).await,
                Err(error) => {
                    self.hand_back(&going).await;
                    return Err(error.into());
                }
            };
            let (seen, block) = match next {
                Ok(Next::Block(seen, block)) => (seen, block),
                Ok(Next::Leave(reason)) => {
                    tracing::info!(dispatch = %going.key, reason, "a wave is handed back");
                    self.hand_back(&going).await;
                    lane.give_back().await;
                    return Ok(false);
                }
                Err(error) => {
                    self.hand_back(&going).await;
                    return Err(error);
                }
            };
            let outcomes = self.send_block(&going, &seen, &block, &mut lane).await;
            match self.report(&going, outcomes).await? {
                Some(wave) => going.wave = wave,
                None => {
                    lane.give_back().await;
                    return Ok(false);
                }
            }
        }
        lane.give_back().await;
        Ok(true)
    }

    /// Looks whether the next block may begin, as of now.
    async fn next(&self, going: &Going) -> Result<Next, DispatchError> {
        if self.context.shutdown.is_cancelled() {
            return Ok(Next::Leave("the process ends"));
        }
        if !self.is_owned(going.key.chunk.partition) {
            return Ok(Next::Leave("another process works on this partition"));
        }
        let mut view = self.context.views.begin().await?;
        if payout_switch::is_stopped(&mut view).await? {
            return Ok(Next::Leave("payouts are stopped"));
        }
        let Some(seen) = self.outages.get(&mut view, &going.outage).await? else {
            return Ok(Next::Leave("the outage is not known"));
        };
        let places = going.wave.block(going.wave.next_block);
        let number = |place: &u32| going.chunk.number_at(*place).unwrap_or_default();
        let numbers: Vec<u64> = places.iter().map(number).collect();
        let mut members = contact::members(&mut view, &numbers).await?;
        view.rollback().await?;
        let now = Instant::now();
        let is_back = |since: Option<Instant>| since.is_some_and(|since| since <= now);
        // The outage may have come back since the wave began.
        if !members.values().all(|member| is_back(seen.back_since(member))) {
            return Ok(Next::Leave("a mailbox of the next block is down again"));
        }
        let members = numbers.iter().map(|number| members.remove(number));
        let members = places.iter().copied().zip(members).collect();
        Ok(Next::Block(seen, Block { members }))
    }

    /// States what became of a block, however long it takes; gives the wave, if it is still ours.
    async fn report(
        &self,
        going: &Going,
        outcomes: Vec<Outcome>,
    ) -> Result<Option<Wave>, DispatchError> {
        let (started_version, block) = (going.wave.started_version, going.wave.next_block);
        let claim = going.wave.owner.clone().unwrap_or_default();
        let request = request(going, &format!("report {block}"));
        let command = Command::Report { claim, started_version, block, outcomes };
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
        let request = request(going, &format!("hand back {}", going.wave.next_block));
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
