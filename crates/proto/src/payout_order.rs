//! Events of `order/{assessment}/{partition}`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::columns::Columns;
use ristoro_domain::order::{Channel, Event, Order, OrderChunk, OrderLine};

use crate::payout::v1 as out;
use crate::types::{bad, remedy_in, remedy_out, required};
use crate::wire::{Wire, WireError, decode_message};

const ORDERED: &str = "PayoutsOrdered";
const RELEASED: &str = "OrdersReleased";
const VOIDED: &str = "OrdersVoided";

/// Writes a channel.
#[must_use]
pub fn channel_out(channel: Channel) -> out::Channel {
    match channel {
        Channel::Transfer => out::Channel::Transfer,
        Channel::Invoice => out::Channel::Invoice,
        Channel::Provisioning => out::Channel::Provisioning,
        Channel::Unclaimed => out::Channel::Unclaimed,
    }
}

fn channel_in(number: i32) -> Result<Channel, WireError> {
    match out::Channel::try_from(number) {
        Ok(out::Channel::Transfer) => Ok(Channel::Transfer),
        Ok(out::Channel::Invoice) => Ok(Channel::Invoice),
        Ok(out::Channel::Provisioning) => Ok(Channel::Provisioning),
        Ok(out::Channel::Unclaimed) => Ok(Channel::Unclaimed),
        Ok(out::Channel::Unspecified) | Err(_) => {
            Err(bad(ORDERED, "orders.lines.channel", format!("is {number}")))
        }
    }
}

/// Writes an order.
#[must_use]
pub fn order_out(order: &Order) -> out::Order {
    let line = |line: &OrderLine| out::OrderLine {
        remedy: Some(remedy_out(&line.remedy)),
        channel: channel_out(line.channel).into(),
    };
    out::Order { lines: order.lines.iter().map(line).collect() }
}

/// Reads an order.
///
/// # Errors
/// `Field` where it has no line, or one without a remedy or channel.
pub fn order_in(order: &out::Order) -> Result<Order, WireError> {
    let line = |line: &out::OrderLine| {
        let remedy = required(line.remedy.as_ref(), ORDERED, "orders.lines.remedy")?;
        Ok(OrderLine { remedy: remedy_in(remedy)?, channel: channel_in(line.channel)? })
    };
    if order.lines.is_empty() {
        return Err(bad(ORDERED, "orders.lines", "is empty"));
    }
    Ok(Order { lines: order.lines.iter().map(line).collect::<Result<_, _>>()? })
}

fn chunk_out(chunk: &OrderChunk) -> out::PayoutsOrdered {
    let (first_number, steps) = chunk.columns.pack();
    out::PayoutsOrdered {
        orders: chunk.orders.iter().map(order_out).collect(),
        first_number,
        steps,
        order: chunk.columns.entries().to_vec(),
        roster_offset: chunk.roster_offset,
        skipped: chunk.skipped,
    }
}

fn chunk_in(message: &out::PayoutsOrdered) -> Result<OrderChunk, WireError> {
    let length = message.orders.len();
    let columns = Columns::unpack(message.first_number, &message.steps, &message.order, length);
    Ok(OrderChunk {
        orders: message.orders.iter().map(order_in).collect::<Result<_, _>>()?,
        columns: columns.map_err(|error| bad(ORDERED, "order", error))?,
        roster_offset: message.roster_offset,
        skipped: message.skipped,
    })
}

impl Wire for Event {
    fn kind(&self) -> &'static str {
        match self {
            Event::PayoutsOrdered(_) => ORDERED,
            Event::OrdersReleased { .. } => RELEASED,
            Event::OrdersVoided => VOIDED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            Event::PayoutsOrdered(chunk) => chunk_out(chunk).encode_to_vec(),
            Event::OrdersReleased { chunks } => {
                out::OrdersReleased { chunks: *chunks }.encode_to_vec()
            }
            Event::OrdersVoided => out::OrdersVoided {}.encode_to_vec(),
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            ORDERED => Ok(Event::PayoutsOrdered(chunk_in(&decode_message(kind, payload)?)?)),
            RELEASED => {
                let message: out::OrdersReleased = decode_message(kind, payload)?;
                Ok(Event::OrdersReleased { chunks: message.chunks })
            }
            VOIDED => {
                decode_message::<out::OrdersVoided>(kind, payload).map(|_| Event::OrdersVoided)
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
