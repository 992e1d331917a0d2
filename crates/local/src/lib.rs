//! Throw-away servers as child processes on free loopback ports: a Postgres, a Kafka and a mail
//! catcher, for `ristoro dev`, tests and benchmarks.
//!
//! What a machine lacks is installed once into a cache directory, through the package tools that
//! are there (pip, Maven); after that nothing needs a network. Every server runs under a small
//! shell supervisor that stops it, and removes its throw-away files, as soon as the process that
//! started it is gone, however that process ended.

mod account;
mod cache;
mod error;
mod home;
mod kafka;
mod mail;
mod ports;
mod postgres;
mod programs;
mod python;
mod supervisor;

pub use cache::cache_directory;
pub use error::{Error, Result};
pub use home::DataDirectory;
pub use kafka::{Kafka, KafkaOptions, kafka_jars};
pub use mail::{AfterData, MailCatcher, MailOptions, Message};
pub use ports::free_port;
pub use postgres::{Durability, Postgres, PostgresOptions};
