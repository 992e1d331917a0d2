//! One block goes out, or as much of it as there is time for. Each place that was tried gets an outcome.

use std::time::Duration;

use lettre::Address;
use ristoro_domain::dispatch::Outcome;
use tokio::time::Instant as Clock;

use super::DispatchError;
use super::budget::Budget;
use super::known::Seen;
use super::lane::Lane;
use super::turn::Desk;
use super::wave::{Going, Next};
use crate::channels::smtp::{ConnectError, Delivery};
use crate::projections::contact::Member;

/// How long what was seen of the world counts within a block: the people with whether they want mail, the outage, the
/// stop of payouts. So a suppression stops a mail after this time at the latest.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What became of the next places of a wave.
pub(super) struct Part {
    /// One outcome for each place that was tried, in order.
    pub(super) outcomes: Vec<Outcome>,
    /// Why the wave does not go on now, where it does not.
    pub(super) stop: Option<Stop>,
}

/// Why a wave does not go on.
pub(super) enum Stop {
    /// It may not, or its time is up.
    Leave(&'static str),
    /// Something failed.
    Trouble(DispatchError),
}

/// What became of one message.
enum Offered {
    Through(Outcome),
    /// It was certainly not taken, and there was no time to offer it again.
    PutOff,
    /// No message can be given to the server.
    NoServer(ConnectError),
}

impl Desk<'_> {
    /// Sends what is left of the wave's next block, as far as its time goes.
    pub(super) async fn send_block(
        &self,
        going: &Going,
        budget: &Budget,
        lane: &mut Lane<'_>,
    ) -> Part {
        let mut outcomes = Vec::new();
        let stop = self.send_places(going, budget, lane, &mut outcomes).await;
        Part { outcomes, stop: stop.err() }
    }

    async fn send_places(
        &self,
        going: &Going,
        budget: &Budget,
        lane: &mut Lane<'_>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Stop> {
        while outcomes.len() < going.wave.next_places().len() {
            let looked_at = Clock::now();
            let block = match self.next(going, outcomes.len()).await.map_err(Stop::Trouble)? {
                Next::Block(block) => block,
                Next::Leave { reason, .. } => return Err(Stop::Leave(reason)),
            };
            if outcomes.is_empty() && !budget.is_fresh() {
                return Err(Stop::Leave("its claim or report took too long"));
            }
            for (sent, (place, member)) in block.members.iter().enumerate() {
                if sent > 0 && looked_at.elapsed() >= LOOK_AGAIN {
                    break;
                }
                if !outcomes.is_empty() && !budget.is_left_after(Duration::ZERO) {
                    return Ok(());
                }
                let whom = (&*block.seen, *place, member.as_ref());
                match self.tell(going, whom, budget, lane).await {
                    Offered::Through(outcome) => outcomes.push(outcome),
                    Offered::NoServer(error) => return Err(Stop::Trouble(error.into())),
                    Offered::PutOff if self.context.shutdown.is_cancelled() => {
                        return Err(Stop::Leave("the process ends"));
                    }
                    // It had all the time that there is, and must not hold up the others for ever.
                    Offered::PutOff if outcomes.is_empty() => outcomes.push(Outcome::Deferred),
                    // It is the first of the next part.
                    Offered::PutOff => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Tells one person.
    async fn tell(
        &self,
        going: &Going,
        (seen, place, member): (&Seen, u32, Option<&Member>),
        budget: &Budget,
        lane: &mut Lane<'_>,
    ) -> Offered {
        let Some(member) = member else { return Offered::Through(Outcome::NoChannel) };
        match going.mail(&self.settings.from, seen, (place, member)) {
            Ok(Some((address, mail))) => self.offer(lane, (&address, &mail), going, budget).await,
            Ok(None) => Offered::Through(Outcome::NoChannel),
            Err(error) => {
                // A fault of ours: nothing was sent, and a person can have it sent again.
                tracing::error!(%error, dispatch = %going.key, place, "a notice cannot be written");
                Offered::Through(Outcome::Deferred)
            }
        }
    }

    /// Offers one mail until the server takes or refuses it, has put it off often enough, or the time is up.
    async fn offer(
        &self,
        lane: &mut Lane<'_>,
        (address, mail): (&Address, &str),
        going: &Going,
        budget: &Budget,
    ) -> Offered {
        let mut pause = self.settings.pause;
        for attempt in 1..=self.settings.tries.max(1) {
            let delivery = match lane.connection().await {
                Ok(connection) => connection.deliver(address, mail, budget.last_at()).await,
                Err(error) => return Offered::NoServer(error),
            };
            match delivery {
                Delivery::Taken => return Offered::Through(Outcome::Sent),
                Delivery::Refused => return Offered::Through(Outcome::Refused),
                Delivery::Unknown { problem } => {
                    tracing::warn!(problem, dispatch = %going.key, "nobody knows whether a mail was taken");
                    return Offered::Through(Outcome::Unknown);
                }
                Delivery::NotTaken { problem } => {
                    tracing::debug!(problem, attempt, dispatch = %going.key, "a mail was put off");
                }
            }
            if attempt < self.settings.tries {
                if !budget.is_left_after(pause) || !self.rest(pause).await {
                    return Offered::PutOff;
                }
                pause *= 2;
            }
        }
        Offered::Through(Outcome::Deferred)
    }

    /// Rests; tells whether there is time for more.
    async fn rest(&self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.context.shutdown.cancelled() => false,
        }
    }
}
