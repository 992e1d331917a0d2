//! The generated messages and services of `proto/`, and their conversion to and from domain types.

#[allow(missing_docs, clippy::all)] // Generated; the comments stand in the proto files.
mod generated {
    include!(concat!(env!("OUT_DIR"), "/ristoro.rs"));
}

pub mod carry;
pub mod decided;
pub mod dictionary;
pub mod notice;
pub mod ops;
pub mod outage;
pub mod payout_file;
pub mod payout_order;
pub mod payout_person;
pub mod policy;
pub mod roster;
pub mod roster_page;
pub mod settlement;
pub mod signal;
pub mod subscriber;
pub mod types;
pub mod wire;

pub use generated::google;
pub use generated::ristoro::*;

/// The encoded descriptors of all files, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
