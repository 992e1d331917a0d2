//! The tables that this service folds from the log: each file has a table, its only writer and its readers.

pub mod subscription;
