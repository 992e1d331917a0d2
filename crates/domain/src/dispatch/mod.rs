//! A dispatch: how the notices of one chunk go out over one channel, wave by wave and block by block.
//!
//! Sending cannot be undone or asked about afterwards. So one owner at a time works on a wave, reports each block
//! before it begins the next, and whoever takes over leaves the block in between alone.

mod rejection;
pub mod wave;

#[cfg(test)]
mod tests;

use crate::decider::Decider;
use crate::time::Instant;

pub use rejection::Rejection;

/// How many places one block has at most.
pub const BLOCK_SIZE: usize = 50;

/// What became of one message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// The next server took it.
    Sent,
    /// It was refused for good.
    Refused,
    /// Whether it was taken is not known; a person decides.
    Unknown,
    /// There is no address, or none is wanted.
    NoChannel,
    /// It was put off again and again; it was certainly not taken.
    Deferred,
}

/// What is asked of a dispatch. `claim` names the attempt to own a wave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Begins a wave. Places that are in an earlier wave are left out.
    Start {
        /// The owner's claim.
        claim: String,
        /// When these mailboxes were back.
        at: Instant,
        /// The outage's position that this was computed from.
        outage_position: String,
        /// Places of the chunk, ascending.
        places: Vec<u32>,
    },
    /// Goes on with a wave that was handed back, or whose owner is gone.
    TakeOver {
        /// The new owner's claim.
        claim: String,
        /// The version of the wave's start.
        started_version: u64,
        /// Where the wave was seen to stand still: an owner that has moved since is not gone.
        seen: Standing,
    },
    /// Leaves a wave between two blocks.
    HandBack {
        /// The owner's claim.
        claim: String,
        /// The version of the wave's start.
        started_version: u64,
    },
    /// States what became of the next block, or of its next places where the owner stopped before its end.
    Report {
        /// The owner's claim.
        claim: String,
        /// The version of the wave's start.
        started_version: u64,
        /// The block, from 0.
        block: u32,
        /// How many places of the block were reported before.
        first: u32,
        /// One outcome for each of the places that follow.
        outcomes: Vec<Outcome>,
    },
}

/// What has happened to a dispatch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A wave began.
    DispatchStarted {
        /// The owner's claim.
        claim: String,
        /// When these mailboxes were back.
        at: Instant,
        /// The outage's position that this was computed from.
        outage_position: String,
        /// Places of the chunk, ascending.
        places: Vec<u32>,
    },
    /// Somebody else goes on with a wave.
    DispatchTakenOver {
        /// The new owner's claim.
        claim: String,
        /// The version of the wave's start.
        started_version: u64,
    },
    /// The owner left a wave with nothing under way.
    DispatchHandedBack {
        /// The version of the wave's start.
        started_version: u64,
    },
    /// What became of a block, or of its next places.
    DispatchReported {
        /// The version of the wave's start.
        started_version: u64,
        /// The block, from 0.
        block: u32,
        /// One outcome for each of the block's places that were not reported before; fewer where the owner stopped.
        outcomes: Vec<Outcome>,
    },
}

/// Where a wave stands. Every event of an owner changes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The claim that owns it; none while it was handed back.
    pub owner: Option<String>,
    /// The first block that is not through.
    pub next_block: u32,
    /// How many places of that block were reported.
    pub reported: u32,
}

/// People whose mailboxes came back at one time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wave {
    /// The version of its start on the stream.
    pub started_version: u64,
    /// When these mailboxes were back.
    pub at: Instant,
    /// Its places, without those of earlier waves.
    pub places: Vec<u32>,
    /// The claim that owns it; none while it was handed back.
    pub owner: Option<String>,
    /// The first block that is not through: neither reported to its end nor left in doubt.
    pub next_block: u32,
    /// How many places of that block were reported.
    pub reported: u32,
}

/// The decider of `dispatch/{assessment}/{partition}/{chunk}/{channel}`, and its state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dispatch {
    /// The version of the last event.
    pub version: u64,
    /// The waves, in the order in which they began.
    pub waves: Vec<Wave>,
}

impl Wave {
    /// Gives where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let (owner, next_block, reported) = (self.owner.clone(), self.next_block, self.reported);
        Standing { owner, next_block, reported }
    }

    /// Counts its blocks.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        let blocks = self.places.len().div_ceil(BLOCK_SIZE);
        u32::try_from(blocks).expect("a chunk has far fewer than 2^32 places")
    }

    /// Tells whether every block is through.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.next_block >= self.blocks()
    }

    /// Gives the places of a block; none beyond the last.
    #[must_use]
    pub fn block(&self, block: u32) -> &[u32] {
        self.places.chunks(BLOCK_SIZE).nth(block as usize).unwrap_or_default()
    }

    /// Gives the places of the next block that nobody has reported.
    #[must_use]
    pub fn next_places(&self) -> &[u32] {
        self.block(self.next_block).get(self.reported as usize..).unwrap_or_default()
    }

    /// Tells whether a place was reported or left in doubt.
    #[must_use]
    pub fn is_through(&self, place: u32) -> bool {
        let through = self.next_block as usize * BLOCK_SIZE + self.reported as usize;
        self.places.binary_search(&place).is_ok_and(|index| index < through)
    }

    /// Counts a report, or a block in doubt.
    fn pass(&mut self, places: usize) {
        let reported = self.reported as usize + places;
        if reported < self.block(self.next_block).len() {
            self.reported = u32::try_from(reported).expect("a block is short");
        } else {
            (self.next_block, self.reported) = (self.next_block + 1, 0);
        }
    }
}

impl Dispatch {
    /// Gives a wave by the version of its start.
    #[must_use]
    pub fn wave(&self, started_version: u64) -> Option<&Wave> {
        self.waves.iter().find(|wave| wave.started_version == started_version)
    }

    /// Gives the wave that a place is in.
    #[must_use]
    pub fn wave_of(&self, place: u32) -> Option<&Wave> {
        self.waves.iter().find(|wave| wave.places.binary_search(&place).is_ok())
    }

    /// Gives the places that an event leaves in doubt: what a lost owner may have been sending.
    ///
    /// To be asked of the state before the event.
    #[must_use]
    pub fn left_in_doubt(&self, event: &Event) -> &[u32] {
        let Event::DispatchTakenOver { started_version, .. } = event else { return &[] };
        match self.wave(*started_version) {
            Some(wave) if wave.owner.is_some() => wave.next_places(),
            Some(_) | None => &[],
        }
    }

    fn known(&self, started_version: u64) -> Result<&Wave, Rejection> {
        self.wave(started_version).ok_or(Rejection::NoSuchWave { started_version })
    }

    fn owned(&self, started_version: u64, claim: &str) -> Result<&Wave, Rejection> {
        let wave = self.known(started_version)?;
        match wave.owner.as_deref() == Some(claim) {
            true => Ok(wave),
            false => Err(Rejection::NotOwner { started_version }),
        }
    }

    fn without_started(&self, places: &[u32]) -> Vec<u32> {
        places.iter().copied().filter(|place| self.wave_of(*place).is_none()).collect()
    }
}

impl Decider for Dispatch {
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type State = Self;

    fn decide(state: &Self, command: &Command) -> Result<Option<Event>, Rejection> {
        match command {
            Command::Start { claim, at, outage_position, places } => {
                if places.is_empty() || !places.is_sorted_by(|one, next| one < next) {
                    return Err(Rejection::Places { count: places.len() });
                }
                let places = state.without_started(places);
                let (claim, outage_position) = (claim.clone(), outage_position.clone());
                let any = !places.is_empty();
                Ok(any.then_some(Event::DispatchStarted {
                    claim,
                    at: *at,
                    outage_position,
                    places,
                }))
            }
            Command::TakeOver { claim, started_version, seen } => {
                take_over(state, claim, *started_version, seen)
            }
            Command::HandBack { claim, started_version } => {
                let (wave, started_version) = (state.known(*started_version)?, *started_version);
                if wave.owner.is_none() {
                    return Ok(None);
                }
                state.owned(started_version, claim)?;
                Ok(Some(Event::DispatchHandedBack { started_version }))
            }
            Command::Report { claim, started_version, block, first, outcomes } => {
                report(state.owned(*started_version, claim)?, (*block, *first), outcomes)
            }
        }
    }

    fn evolve(mut state: Self, event: &Event) -> Self {
        state.version += 1;
        let version = state.version;
        match event {
            Event::DispatchStarted { claim, at, places, .. } => {
                let places = state.without_started(places);
                let wave = Wave {
                    started_version: version,
                    at: *at,
                    places,
                    owner: Some(claim.clone()),
                    next_block: 0,
                    reported: 0,
                };
                state.waves.push(wave);
            }
            Event::DispatchTakenOver { claim, started_version } => {
                if let Some(wave) = find(&mut state, *started_version) {
                    if wave.owner.is_some() && !wave.is_finished() {
                        wave.pass(wave.next_places().len());
                    }
                    wave.owner = Some(claim.clone());
                }
            }
            Event::DispatchHandedBack { started_version } => {
                if let Some(wave) = find(&mut state, *started_version) {
                    wave.owner = None;
                }
            }
            Event::DispatchReported { started_version, outcomes, .. } => {
                if let Some(wave) = find(&mut state, *started_version) {
                    wave.pass(outcomes.len());
                }
            }
        }
        state
    }
}

fn take_over(
    state: &Dispatch,
    claim: &str,
    started_version: u64,
    seen: &Standing,
) -> Result<Option<Event>, Rejection> {
    let wave = state.known(started_version)?;
    if wave.owner.as_deref() == Some(claim) {
        return Ok(None);
    }
    if wave.is_finished() {
        return Err(Rejection::Finished { started_version, blocks: wave.blocks() });
    }
    if wave.standing() != *seen {
        return Err(Rejection::Moved { started_version });
    }
    Ok(Some(Event::DispatchTakenOver { claim: claim.to_owned(), started_version }))
}

fn report(
    wave: &Wave,
    (block, first): (u32, u32),
    outcomes: &[Outcome],
) -> Result<Option<Event>, Rejection> {
    let (started_version, next_block, next) =
        (wave.started_version, wave.next_block, wave.reported);
    if (block, first) < (next_block, next) {
        return Ok(None);
    }
    if wave.is_finished() {
        return Err(Rejection::Finished { started_version, blocks: wave.blocks() });
    }
    if (block, first) > (next_block, next) {
        return Err(Rejection::NotNext { block, first, next_block, next });
    }
    let places = wave.next_places().len();
    if outcomes.is_empty() || outcomes.len() > places {
        return Err(Rejection::Outcomes { block, places, outcomes: outcomes.len() });
    }
    let outcomes = outcomes.to_vec();
    Ok(Some(Event::DispatchReported { started_version, block, outcomes }))
}

fn find(state: &mut Dispatch, started_version: u64) -> Option<&mut Wave> {
    state.waves.iter_mut().find(|wave| wave.started_version == started_version)
}
