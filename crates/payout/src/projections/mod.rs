//! The tables of the service: each is folded from one topic and has one writer.

pub mod assessment;
pub mod balance;
pub mod fold;
pub mod order;
pub mod payee;
pub mod posting;
pub mod stored;
