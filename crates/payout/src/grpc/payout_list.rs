//! Pages of payouts: chunks are walked in number order, and those without the wished channel are not even read.

use ristoro_domain::order::Channel;
use ristoro_proto::payout::v1 as api;
use ristoro_runtime::page::Page;
use ristoro_runtime::status;
use sqlx::PgConnection;
use tonic::Status;

use super::names::members;
use super::payout_message::{Context, hold_notes};
use crate::projections::draw;
use crate::projections::order::{self, Behind, channel_bit};
use crate::projections::standing::{self, Chunk};

/// Chunks that one page reads at most, however few of their people it shows.
const CHUNKS_A_PAGE: usize = 64;
/// Every channel's bit.
const ALL_CHANNELS: i16 = 15;

/// Which payouts are wished for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filter {
    channel: Option<Channel>,
    state: Option<api::PayoutState>,
}

impl Filter {
    /// Makes a filter; an unspecified part leaves nothing out.
    #[must_use]
    pub fn new(channel: api::Channel, state: api::PayoutState) -> Self {
        let channel = match channel {
            api::Channel::Unspecified => None,
            api::Channel::Transfer => Some(Channel::Transfer),
            api::Channel::Invoice => Some(Channel::Invoice),
            api::Channel::Provisioning => Some(Channel::Provisioning),
            api::Channel::Unclaimed => Some(Channel::Unclaimed),
        };
        let state = (state != api::PayoutState::Unspecified).then_some(state);
        Self { channel, state }
    }

    fn takes(&self, context: &Context, chunk: &Chunk, number: u64) -> bool {
        let Some(order) = chunk.standing.orders.order_of(number) else { return false };
        order.lines.iter().any(|line| {
            self.channel.is_none_or(|channel| channel == line.channel)
                && self
                    .state
                    .is_none_or(|state| state == context.state(&chunk.standing, number, line))
        })
    }
}

/// Gives a page of an assessment's payouts, and the token of the next.
///
/// # Errors
/// NOT_FOUND where nothing was ordered for the assessment, and the database's as a status.
pub async fn list(
    view: &mut PgConnection,
    assessment: &str,
    filter: Filter,
    page: &Page,
) -> Result<(Vec<api::Payout>, String), Status> {
    let database = |error| status::database(&error);
    let partitions = draw::partitions(view, assessment).await.map_err(database)?;
    if partitions.is_empty() {
        return Err(status::not_found("ristoro.dev/Assessment", assessment));
    }
    let mut after = page.after.as_deref().and_then(|key| key.parse().ok()).unwrap_or(0_u64);
    let channels = filter.channel.map_or(ALL_CHANNELS, channel_bit);
    let (mut payouts, mut chunks) = (Vec::new(), 0);
    for partition in partitions {
        loop {
            let behind = Behind { number: after, channels };
            let row = order::next_chunk(view, assessment, partition, behind).await;
            let Some(row) = row.map_err(database)? else { break };
            if chunks == CHUNKS_A_PAGE {
                return Ok((payouts, page.token(&after.to_string())));
            }
            chunks += 1;
            let chunk = standing::of(view, assessment, partition, row).await.map_err(database)?;
            let context = Context::of(view, &chunk).await?;
            let numbers = chunk.standing.orders.columns.numbers();
            let begin = numbers.partition_point(|number| *number <= after);
            let wished = |number: &u64| filter.takes(&context, &chunk, *number);
            let mut found: Vec<u64> = numbers[begin..].iter().copied().filter(wished).collect();
            let room = page.size as usize - payouts.len();
            let full = found.len() > room;
            found.truncate(room);
            push(view, assessment, (&context, &chunk), &found, &mut payouts).await?;
            after = match full {
                true => payouts.last().map_or(after, |payout| payout.number),
                false => numbers.last().copied().unwrap_or(after),
            };
            if full {
                return Ok((payouts, page.token(&after.to_string())));
            }
        }
    }
    Ok((payouts, String::new()))
}

async fn push(
    view: &mut PgConnection,
    assessment: &str,
    (context, chunk): (&Context, &Chunk),
    numbers: &[u64],
    payouts: &mut Vec<api::Payout>,
) -> Result<(), Status> {
    let members = members(view, numbers).await?;
    let mut notes = hold_notes(view, assessment, &chunk.standing, numbers).await?;
    for number in numbers {
        if let Some(member) = members.get(number) {
            let note = notes.remove(number).unwrap_or_default();
            payouts.push(context.message((assessment, member), chunk, note));
        }
    }
    Ok(())
}
