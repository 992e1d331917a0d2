//! The outage service: signals and declarations become outages with windows per component.

pub mod feeds;
