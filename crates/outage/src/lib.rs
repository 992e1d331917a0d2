//! The outage service: signals and declarations become outages with windows per component.

pub mod derive;
pub mod feeds;
pub mod projections;
pub mod streams;
