//! What the running service answers: one file per gRPC service, and the messages and names that they share.

pub mod export;
pub mod grant;
pub mod ledger;
mod names;
pub mod payment_file;
mod payment_file_create;
mod payment_file_message;
pub mod payout;
mod payout_list;
mod payout_message;
