//! How rows come to the roster: what is new goes in batches, what is known becomes personal events.

mod batches;
pub mod import;
pub mod personal;
pub mod rows;

use ristoro_domain::roster::RosterRejection;
use ristoro_domain::subscriber::SubscriberRejection;
use ristoro_proto::ops::v1::ErrorReason;
use ristoro_runtime::refused::Refused;
use tonic::Code;

/// Says what a roster's refusal is on the wire.
#[must_use]
pub fn roster_refused(rejection: &RosterRejection) -> Refused {
    match rejection {
        RosterRejection::RosterMoved { count, .. } => {
            Refused::new(Code::Aborted, ErrorReason::VersionConflict).with("count", count)
        }
        RosterRejection::BatchSize { rows } => {
            Refused::new(Code::InvalidArgument, ErrorReason::InvalidField).with("rows", rows)
        }
        RosterRejection::NumbersExhausted { partition } => {
            Refused::precondition(ErrorReason::WrongState).with("partition", partition)
        }
    }
}

/// Says what a subscriber's refusal is on the wire.
#[must_use]
pub fn subscriber_refused(rejection: &SubscriberRejection) -> Refused {
    match rejection {
        SubscriberRejection::UnknownSubscriber => {
            Refused::new(Code::NotFound, ErrorReason::ResourceNotFound)
        }
        SubscriberRejection::UnknownSubscription { subscription } => {
            Refused::new(Code::NotFound, ErrorReason::ResourceNotFound)
                .with("subscription", subscription)
        }
        SubscriberRejection::SubscriptionExists { subscription, .. } => {
            Refused::new(Code::AlreadyExists, ErrorReason::ResourceExists)
                .with("subscription", subscription)
        }
        SubscriberRejection::NotAfterLastChange { at, recorded_at } => {
            Refused::precondition(ErrorReason::WrongState)
                .with("at", at)
                .with("recorded_at", recorded_at)
        }
        SubscriberRejection::EndedAlready { ended_at }
        | SubscriberRejection::BeforeRecordedEnd { ended_at, .. } => {
            Refused::precondition(ErrorReason::WrongState).with("ended_at", ended_at)
        }
        SubscriberRejection::OtherService { service, .. } => {
            Refused::precondition(ErrorReason::WrongState).with("service", service)
        }
    }
}
