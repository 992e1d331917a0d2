//! Whose mailboxes are back: the waves of a dispatch that can begin, each claimed before anything goes out.

use ristoro_domain::dispatch::wave::Waves;
use ristoro_domain::dispatch::{Command, Dispatch, Wave};
use ristoro_domain::time::Instant;
use ristoro_runtime::command::CommandError;
use tokio::time::Instant as Clock;
use uuid::Uuid;

use super::DispatchError;
use super::budget::Budget;
use super::turn::{Desk, Looked};
use super::wave::{Going, Left};
use super::write::Drafts;
use crate::projections::chunk::{self, ChunkRow};
use crate::projections::contact;
use crate::streams::DispatchKey;

/// What a look at a dispatch gave.
struct Planned {
    chunk: ChunkRow,
    waves: Waves,
    outage_position: String,
    looked: Looked,
}

impl Desk<'_> {
    /// Sends all waves of a dispatch whose time has come; tells whether anything went out.
    pub(super) async fn plan(
        &self,
        key: &DispatchKey,
        outage: &str,
        only: Option<Vec<u64>>,
    ) -> Result<bool, DispatchError> {
        let Some(planned) = self.look(key, outage, only.as_deref()).await? else {
            return Ok(false);
        };
        let mut went_out = false;
        for (at, places) in &planned.waves.due {
            let lane = self.lanes.lane(self.settings).await?;
            let budget = Budget::begin(self.settings);
            let Some(wave) = self.claim(key, &planned, *at, places).await? else {
                // Somebody else works on this dispatch: what was seen of it is no longer so.
                lane.give_back().await;
                return Ok(went_out);
            };
            let (chunk, outage) = (planned.chunk.clone(), outage.to_owned());
            let drafts = Drafts::default();
            let going = Going { key: key.clone(), chunk, outage, wave, drafts };
            went_out = true;
            if self.send(going, budget, lane).await? == Left::Open {
                return Ok(went_out);
            }
        }
        self.remember(key, None, planned.looked);
        Ok(went_out)
    }

    async fn look(
        &self,
        key: &DispatchKey,
        outage: &str,
        only: Option<&[u64]>,
    ) -> Result<Option<Planned>, DispatchError> {
        let mut view = self.context.views.begin().await?;
        let Some(seen) = self.outages.get(&mut view, outage).await? else { return Ok(None) };
        let Some(chunk) = chunk::read(&mut view, &key.chunk).await? else { return Ok(None) };
        let members = contact::members(&mut view, chunk.columns.numbers()).await?;
        view.rollback().await?;
        let (state, _) = self.journal(key).await?;
        let wanted = |number: u64| only.is_none_or(|only| only.binary_search(&number).is_ok());
        let free = (0..).zip(chunk.columns.numbers().iter().copied());
        let free =
            free.filter(|(place, number)| state.wave_of(*place).is_none() && wanted(*number));
        let mut complete = true;
        let mut back = Vec::new();
        for (place, number) in free {
            let member = members.get(&number);
            complete &= member.is_some();
            back.push((place, member.and_then(|member| seen.back_since(member))));
        }
        let waves = Waves::plan(back, Instant::now());
        let (outage_version, next_at) = (seen.now.version, waves.next_at);
        let only = only.map(<[u64]>::to_vec);
        let looked = Looked { outage_version, next_at, complete, only, at: Clock::now() };
        let outage_position = seen.now.position.to_string();
        Ok(Some(Planned { chunk, waves, outage_position, looked }))
    }

    /// Tries to own a wave; none where somebody else was first.
    async fn claim(
        &self,
        key: &DispatchKey,
        planned: &Planned,
        at: Instant,
        places: &[u32],
    ) -> Result<Option<Wave>, DispatchError> {
        let claim = Uuid::new_v4().to_string();
        let command = Command::Start {
            claim: claim.clone(),
            at,
            outage_position: planned.outage_position.clone(),
            places: places.to_vec(),
        };
        tracing::debug!(dispatch = %key, places = places.len(), "claiming a wave");
        self.own(key, &planned.chunk.traceparent, &claim, &command, "a start").await
    }

    /// Gives the dispatch as the journal knows it.
    pub(super) async fn journal(
        &self,
        key: &DispatchKey,
    ) -> Result<(Dispatch, u64), DispatchError> {
        let stream = key.stream();
        let journal = &self.context.journal;
        let (state, head) = journal.state::<Dispatch>(stream.topic, &stream.id).await?;
        Ok((state, head.map_or(0, |head| head.version)))
    }

    /// Writes a claim and gives the wave that it owns, if it was accepted.
    pub(super) async fn own(
        &self,
        key: &DispatchKey,
        traceparent: &str,
        claim: &str,
        command: &Command,
        what: &'static str,
    ) -> Result<Option<Wave>, DispatchError> {
        let stream = key.stream();
        let commands = &self.context.commands;
        let claimed =
            commands.claim::<Dispatch>(&stream, traceparent, Instant::now(), command).await;
        let state = match claimed {
            Ok(claimed) => claimed.state,
            // It may still come to count: the journal is the only one to know.
            Err(CommandError::Unknown(problem)) => {
                tracing::warn!(problem, dispatch = %key, "the outcome of a claim is not known yet");
                self.journal(key).await?.0
            }
            Err(CommandError::Rejected(rejection)) => {
                tracing::debug!(%rejection, dispatch = %key, "the dispatch is not as it was seen");
                return Ok(None);
            }
            Err(
                source @ (CommandError::Conflict { .. }
                | CommandError::RequestIdReused
                | CommandError::Failure(_)),
            ) => return Err(DispatchError::Command { command: what, source }),
        };
        let owned = |wave: &&Wave| wave.owner.as_deref() == Some(claim);
        Ok(state.waves.iter().find(owned).cloned())
    }
}
