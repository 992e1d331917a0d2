//! The tables that this service folds from the log: each file has a table, its only writer and its readers.

pub mod account;
pub mod assessment;
pub mod carry;
pub mod chain;
pub mod decision;
pub mod everybody;
pub mod holding;
pub mod outage_event;
pub mod owed;
pub mod person;
pub mod policy;
pub mod roster;
mod roster_page;
pub mod stored;
pub mod subscription;
