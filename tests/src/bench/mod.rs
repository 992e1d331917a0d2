//! Measurements of the whole system: real processes, real servers, results that are compared before a time counts.

pub mod caller;
pub mod catch_up;
pub mod compare;
pub mod cpu;
pub mod hand_over;
pub mod import;
pub mod latency;
pub mod load;
pub mod meter;
pub mod people;
pub mod progress;
pub mod query;
pub mod rebuild;
pub mod report;
pub mod roster;
pub mod scripts;
pub mod second_outage;
pub mod settle;
pub mod system;
