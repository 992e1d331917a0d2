//! payout.

pub mod sepa;
