//! eligibility: subscriptions, outages and policies become entitlements, each with its reason.

pub mod assess;
pub mod grpc;
pub mod projections;
pub mod scan;
