//! What the tests of the whole system share.

pub mod bad_input;
pub mod bench;
pub mod chaos;
pub mod conformance;
pub mod interleave;
pub mod stack;
