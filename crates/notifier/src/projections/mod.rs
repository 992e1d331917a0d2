//! The tables of this service: each with its only writer and its readers.

pub mod chunk;
pub mod contact;
pub mod notice;
pub mod notice_row;
pub mod outage_event;
pub mod payout_switch;
pub mod retry;
mod roster_page;
pub mod suppressed;
pub mod wave;
