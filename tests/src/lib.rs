//! What the tests of the whole system share.

pub mod chaos;
pub mod conformance;
pub mod interleave;
