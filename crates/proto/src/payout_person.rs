//! Events of `payout/{assessment}/{number}`, of `reserve/{file}/{partition}` and of `grant/{assessment}/{partition}`.

use bytes::Bytes;
use prost::Message;
use ristoro_domain::{grant, payout, reservation};

use crate::payout::v1 as out;
use crate::types::{amount_in, amount_out, bad, digest_in, instant, required, timestamp};
use crate::wire::{Wire, WireError, decode_message};

const HELD: &str = "PayoutHeld";
const LET_GO: &str = "PayoutReleased";
const REJECTED: &str = "PayoutRejected";
const RETURNED: &str = "PayoutReturned";
const RETRIED: &str = "PayoutRetried";
const RESERVED: &str = "PayoutsReserved";
const CLOSED: &str = "ReservationClosed";
const FREED: &str = "ReservationReleased";
const LEASED: &str = "GrantsLeased";
const DELIVERED: &str = "GrantsDelivered";
const FAILED: &str = "GrantFailed";
const EXPORTED: &str = "InvoiceCreditsExported";

impl Wire for payout::Event {
    fn kind(&self) -> &'static str {
        match self {
            payout::Event::PayoutHeld { .. } => HELD,
            payout::Event::PayoutReleased { .. } => LET_GO,
            payout::Event::PayoutRejected { .. } => REJECTED,
            payout::Event::PayoutReturned { .. } => RETURNED,
            payout::Event::PayoutRetried { .. } => RETRIED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            payout::Event::PayoutHeld { note } => {
                out::PayoutHeld { note: note.clone() }.encode_to_vec()
            }
            payout::Event::PayoutReleased { note } => {
                out::PayoutReleased { note: note.clone() }.encode_to_vec()
            }
            payout::Event::PayoutRejected { reason_code } => {
                out::PayoutRejected { reason_code: reason_code.clone() }.encode_to_vec()
            }
            payout::Event::PayoutReturned { reason_code } => {
                out::PayoutReturned { reason_code: reason_code.clone() }.encode_to_vec()
            }
            payout::Event::PayoutRetried { attempt } => {
                out::PayoutRetried { attempt: *attempt }.encode_to_vec()
            }
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            HELD => {
                let message: out::PayoutHeld = decode_message(kind, payload)?;
                Ok(payout::Event::PayoutHeld { note: message.note })
            }
            LET_GO => {
                let message: out::PayoutReleased = decode_message(kind, payload)?;
                Ok(payout::Event::PayoutReleased { note: message.note })
            }
            REJECTED => {
                let message: out::PayoutRejected = decode_message(kind, payload)?;
                Ok(payout::Event::PayoutRejected { reason_code: message.reason_code })
            }
            RETURNED => {
                let message: out::PayoutReturned = decode_message(kind, payload)?;
                Ok(payout::Event::PayoutReturned { reason_code: message.reason_code })
            }
            RETRIED => {
                let message: out::PayoutRetried = decode_message(kind, payload)?;
                Ok(payout::Event::PayoutRetried { attempt: message.attempt })
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

fn reserved_out(reserved: &reservation::Reserved) -> out::PayoutsReserved {
    out::PayoutsReserved {
        assessment: reserved.assessment.clone(),
        chunk: reserved.chunk,
        numbers: reserved.rows.iter().map(|row| row.number).collect(),
        amounts_minor: reserved.rows.iter().map(|row| row.amount_minor).collect(),
        attempts: reserved.rows.iter().map(|row| row.attempt).collect(),
    }
}

fn reserved_in(message: out::PayoutsReserved) -> Result<reservation::Reserved, WireError> {
    let length = message.numbers.len();
    if message.amounts_minor.len() != length || message.attempts.len() != length {
        return Err(bad(RESERVED, "numbers", "have other lengths than their amounts or attempts"));
    }
    ascending(&message.numbers, RESERVED)?;
    let columns = message.numbers.iter().zip(&message.amounts_minor).zip(&message.attempts);
    let row = |((number, amount), attempt): ((&u64, &i64), &u32)| reservation::ReservedRow {
        number: *number,
        amount_minor: *amount,
        attempt: *attempt,
    };
    let rows = columns.map(row).collect();
    Ok(reservation::Reserved { assessment: message.assessment, chunk: message.chunk, rows })
}

fn ascending(numbers: &[u64], kind: &'static str) -> Result<(), WireError> {
    match numbers.is_sorted_by(|one, next| one < next) {
        true => Ok(()),
        false => Err(bad(kind, "numbers", "do not ascend")),
    }
}

impl Wire for reservation::Event {
    fn kind(&self) -> &'static str {
        match self {
            reservation::Event::PayoutsReserved(_) => RESERVED,
            reservation::Event::ReservationClosed(_) => CLOSED,
            reservation::Event::ReservationReleased => FREED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            reservation::Event::PayoutsReserved(reserved) => reserved_out(reserved).encode_to_vec(),
            reservation::Event::ReservationClosed(closing) => out::ReservationClosed {
                count: closing.count,
                total: Some(amount_out(closing.total)),
                digest: Bytes::copy_from_slice(&closing.digest),
            }
            .encode_to_vec(),
            reservation::Event::ReservationReleased => out::ReservationReleased {}.encode_to_vec(),
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            RESERVED => {
                let reserved = reserved_in(decode_message(kind, payload)?)?;
                Ok(reservation::Event::PayoutsReserved(reserved))
            }
            CLOSED => {
                let message: out::ReservationClosed = decode_message(kind, payload)?;
                let total = required(message.total, CLOSED, "total")?;
                Ok(reservation::Event::ReservationClosed(reservation::Closing {
                    count: message.count,
                    total: amount_in(&total, CLOSED, "total")?,
                    digest: digest_in(&message.digest, CLOSED, "digest")?,
                }))
            }
            FREED => decode_message::<out::ReservationReleased>(kind, payload)
                .map(|_| reservation::Event::ReservationReleased),
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

fn lease_in(message: out::GrantsLeased) -> Result<grant::Lease, WireError> {
    ascending(&message.numbers, LEASED)?;
    let expires_at = required(message.expires_at.as_ref(), LEASED, "expires_at")?;
    Ok(grant::Lease {
        expires_at: instant(expires_at, LEASED, "expires_at")?,
        lease: message.lease,
        chunk: message.chunk,
        numbers: message.numbers,
    })
}

impl Wire for grant::Event {
    fn kind(&self) -> &'static str {
        match self {
            grant::Event::GrantsLeased(_) => LEASED,
            grant::Event::GrantsDelivered { .. } => DELIVERED,
            grant::Event::GrantFailed { .. } => FAILED,
            grant::Event::InvoiceCreditsExported(_) => EXPORTED,
        }
    }

    fn encode(&self) -> Bytes {
        match self {
            grant::Event::GrantsLeased(lease) => out::GrantsLeased {
                lease: lease.lease.clone(),
                expires_at: Some(timestamp(lease.expires_at)),
                chunk: lease.chunk,
                numbers: lease.numbers.clone(),
            }
            .encode_to_vec(),
            grant::Event::GrantsDelivered { numbers } => {
                out::GrantsDelivered { numbers: numbers.clone() }.encode_to_vec()
            }
            grant::Event::GrantFailed { number, note } => {
                out::GrantFailed { number: *number, note: note.clone() }.encode_to_vec()
            }
            grant::Event::InvoiceCreditsExported(export) => out::InvoiceCreditsExported {
                export: export.export.clone(),
                chunk: export.chunk,
                numbers: export.numbers.clone(),
            }
            .encode_to_vec(),
        }
        .into()
    }

    fn decode(kind: &str, payload: &Bytes) -> Result<Self, WireError> {
        match kind {
            LEASED => Ok(grant::Event::GrantsLeased(lease_in(decode_message(kind, payload)?)?)),
            DELIVERED => {
                let message: out::GrantsDelivered = decode_message(kind, payload)?;
                ascending(&message.numbers, DELIVERED)?;
                Ok(grant::Event::GrantsDelivered { numbers: message.numbers })
            }
            FAILED => {
                let message: out::GrantFailed = decode_message(kind, payload)?;
                Ok(grant::Event::GrantFailed { number: message.number, note: message.note })
            }
            EXPORTED => {
                let message: out::InvoiceCreditsExported = decode_message(kind, payload)?;
                ascending(&message.numbers, EXPORTED)?;
                Ok(grant::Event::InvoiceCreditsExported(grant::Export {
                    export: message.export,
                    chunk: message.chunk,
                    numbers: message.numbers,
                }))
            }
            _ => Err(WireError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}
