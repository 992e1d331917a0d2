//! payout.
