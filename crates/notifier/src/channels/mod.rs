//! The channels that notices go out over.

pub mod mail;
pub mod smtp;
