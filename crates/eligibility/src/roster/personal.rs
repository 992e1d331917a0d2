//! Commands on one subscriber's own stream.

use std::time::Duration;

use ristoro_domain::subscriber::{Ask, Base, Subscriber, SubscriberCommand, SubscriberState};
use ristoro_log::Topic;
use ristoro_runtime::command::{CommandRequest, Commands, Done, StreamRef};
use ristoro_runtime::refused::command_status;
use ristoro_runtime::status;
use ristoro_runtime::views::Views;
use tonic::Status;

use super::subscriber_refused;
use crate::projections::holding::{Recorded, people};

/// How long a command waits for its tables.
pub const WAIT: Duration = Duration::from_secs(10);

/// What executes commands about subscribers.
#[derive(Clone, Debug)]
pub struct Subscribers {
    /// The tables.
    pub views: Views,
    /// The commands.
    pub commands: Commands,
}

impl Subscribers {
    /// Gives what was recorded of a subscriber before the own stream began.
    ///
    /// # Errors
    /// The database's, as a status.
    pub async fn base(&self, subscriber: &str) -> Result<Base, Status> {
        let mut view = self.views.begin().await.map_err(|error| status::database(&error))?;
        let id = subscriber.to_owned();
        let found = people(&mut view, std::slice::from_ref(&id), Recorded::First).await;
        let mut found = found.map_err(|error| status::database(&error))?;
        Ok(found.remove(&id).unwrap_or_default())
    }

    /// Asks something of a subscriber's stream.
    ///
    /// # Errors
    /// The refusal, or why the outcome is not known, as a status.
    pub async fn ask(
        &self,
        subscriber: &str,
        request: &CommandRequest,
        ask: Ask,
    ) -> Result<Done<SubscriberState>, Status> {
        let count = self.commands.partition_count();
        let id = format!("subscriber/{subscriber}");
        let stream = StreamRef::keyed(Topic::Subscriber, id, subscriber, count);
        let command = SubscriberCommand { base: self.base(subscriber).await?, ask };
        let done = self.commands.execute::<Subscriber>(&stream, request, &command).await;
        done.map_err(|error| command_status(error, subscriber_refused))
    }
}
