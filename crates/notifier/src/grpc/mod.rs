//! What this service answers.

pub mod notice;
mod read;
mod standing;
