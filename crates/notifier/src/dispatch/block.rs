//! One block goes out. Whatever happens, each of its places gets an outcome.

use std::time::Duration;

use lettre::Address;
use ristoro_domain::dispatch::Outcome;

use super::DispatchError;
use super::known::{Seen, content};
use super::lane::Lane;
use super::turn::Desk;
use super::wave::Going;
use crate::channels::mail::{Order, compose};
use crate::channels::smtp::Delivery;
use crate::letter::{self, Language};
use crate::projections::contact::Member;

/// The places of a block with the people behind them; none for somebody who is no longer known.
pub(super) struct Block {
    pub(super) members: Vec<(u32, Option<Member>)>,
}

impl Desk<'_> {
    /// Sends a block and gives one outcome for each place.
    pub(super) async fn send_block(
        &self,
        going: &Going,
        seen: &Seen,
        block: &Block,
        lane: &mut Lane<'_>,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(block.members.len());
        for (place, member) in &block.members {
            let Some(member) = member else {
                outcomes.push(Outcome::NoChannel);
                continue;
            };
            let outcome = match self.mail(going, seen, *place, member) {
                Ok(Some((address, mail))) => self.offer(lane, &address, &mail, going).await,
                Ok(None) => Outcome::NoChannel,
                Err(error) => {
                    // A fault of ours: nothing was sent, and a person can have it sent again.
                    tracing::error!(%error, dispatch = %going.key, place, "a notice cannot be written");
                    Outcome::Deferred
                }
            };
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Writes one mail; none where there is no address that a mail can go to.
    fn mail(
        &self,
        going: &Going,
        seen: &Seen,
        place: u32,
        member: &Member,
    ) -> Result<Option<(Address, Vec<u8>)>, DispatchError> {
        let Some(address) = member.email.as_deref().and_then(|email| email.trim().parse().ok())
        else {
            return Ok(None);
        };
        let (chunk, attempt) = (&going.key.chunk, going.key.attempt);
        let order = Order { chunk, number: member.number, attempt };
        let remedies = going.chunk.told(place)?;
        let signed = (order.reference(), sender_name(&self.settings.from));
        let content = content(seen, member, remedies, signed)?;
        let language = Language::of(member.locale.as_deref());
        let letter = letter::write(&content, language);
        let mail = compose(&self.settings.from, &address, (&letter, language), &order)?;
        Ok(Some((address, mail)))
    }

    /// Offers one mail until the server takes or refuses it, or has put it off often enough.
    async fn offer(
        &self,
        lane: &mut Lane<'_>,
        address: &Address,
        mail: &[u8],
        going: &Going,
    ) -> Outcome {
        let mut pause = self.settings.pause;
        for attempt in 1..=self.settings.tries.max(1) {
            let delivery = match lane.connection().await {
                Ok(connection) => connection.deliver(address, mail).await,
                Err(error) => Delivery::NotTaken { problem: error.to_string() },
            };
            match delivery {
                Delivery::Taken => return Outcome::Sent,
                Delivery::Refused => return Outcome::Refused,
                Delivery::Unknown { problem } => {
                    tracing::warn!(problem, dispatch = %going.key, "nobody knows whether a mail was taken");
                    return Outcome::Unknown;
                }
                Delivery::NotTaken { problem } => {
                    tracing::debug!(problem, attempt, dispatch = %going.key, "a mail was put off");
                }
            }
            if attempt < self.settings.tries && !self.rest(pause).await {
                break;
            }
            pause *= 2;
        }
        Outcome::Deferred
    }

    /// Rests; tells whether there is time for more.
    async fn rest(&self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.context.shutdown.cancelled() => false,
        }
    }
}

/// Gives the name that signs the notices.
pub(crate) fn sender_name(from: &lettre::message::Mailbox) -> String {
    from.name.clone().unwrap_or_default()
}
