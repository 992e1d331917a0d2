//! Between messages and the domain: money, times, names and texts, each refusal naming its field.
//!
//! Nothing is guessed or rounded on the way in, and nothing is lost on the way out.

mod money;
mod name;
mod text;
mod time;
mod token;

pub use money::{money, money_message, non_negative_money, positive_money};
pub use name::{SubscriptionKey, format_name, parse_name, subscription_key};
pub use text::{MAXIMUM_ID, count, digest, hex, id, optional_text, text, uuid};
pub use time::{instant, optional_date, optional_instant, timestamp, window, window_message};
pub use token::{as_of_message, consistency_token, min_position};
