//! The business of ristoro: money, time, outages, policies and deciders, as plain functions of their arguments.
//!
//! No IO, no clock, no randomness and no async: `Cargo.toml` names nothing that could.

pub mod carry;
pub mod columns;
pub mod decided;
pub mod decider;
pub mod dispatch;
pub mod facts;
pub mod grant;
pub mod ledger;
pub mod money;
pub mod notice;
pub mod ops;
pub mod order;
pub mod outage;
pub mod payment_file;
pub mod payout;
pub mod payout_chunk;
pub mod policy;
pub mod policy_registry;
pub mod recipient;
pub mod remedy;
pub mod reservation;
pub mod roster;
pub mod rounding;
pub mod settlement;
pub mod signal;
pub mod subscriber;
pub mod time;
pub mod totals;
