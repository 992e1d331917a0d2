//! Foreign events become own events: decisions become queued notices, and a completion releases them.

pub mod queue;
pub mod release;
