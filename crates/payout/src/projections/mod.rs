//! The tables of the service: each is folded from one topic and has one writer.

pub mod account;
pub mod assessment;
pub mod balance;
pub mod check;
mod check_file;
mod check_hold;
pub mod difference;
pub mod draw;
pub mod fold;
pub mod grant;
pub mod order;
mod page;
pub mod payable;
pub mod payee;
pub mod payment_file;
pub mod payout_switch;
pub mod posting;
pub mod reservation;
pub mod standing;
