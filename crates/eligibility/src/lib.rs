//! eligibility: subscriptions, outages and policies become entitlements, each with its reason.

pub mod projections;
