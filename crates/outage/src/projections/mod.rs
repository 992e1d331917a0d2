//! The tables of this service, each with its only writer and its readers.

pub mod fold;
pub mod outage;
pub mod signal;
pub mod state;
pub mod stored;
pub mod timeline;
