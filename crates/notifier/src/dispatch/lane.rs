//! Connections to the mail server: one for each dispatch that goes out, kept for the next.

use tokio::sync::Mutex;

use crate::channels::smtp::{ConnectError, Connection};
use crate::settings::Settings;

/// Connections that wait for a dispatch.
#[derive(Default)]
pub(super) struct Lanes {
    idle: Mutex<Vec<Connection>>,
}

/// One dispatch's connection; another one is opened when it breaks.
pub(super) struct Lane<'a> {
    lanes: &'a Lanes,
    settings: &'a Settings,
    connection: Option<Connection>,
}

impl Lanes {
    /// Gives a connection of one's own.
    pub(super) async fn lane<'a>(
        &'a self,
        settings: &'a Settings,
    ) -> Result<Lane<'a>, ConnectError> {
        let connection = self.idle.lock().await.pop();
        let mut lane = Lane { lanes: self, settings, connection };
        lane.connection().await?;
        Ok(lane)
    }

    /// Says goodbye on all that wait.
    pub(super) async fn close(&self) {
        for connection in self.idle.lock().await.drain(..) {
            connection.close().await;
        }
    }
}

impl Lane<'_> {
    /// Gives a connection that can be used.
    pub(super) async fn connection(&mut self) -> Result<&mut Connection, ConnectError> {
        let usable = self.connection.take().filter(Connection::is_usable);
        let connection = match usable {
            Some(connection) => connection,
            None => Connection::open(self.settings).await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Leaves the connection to the next dispatch.
    pub(super) async fn give_back(mut self) {
        if let Some(connection) = self.connection.take().filter(Connection::is_usable) {
            self.lanes.idle.lock().await.push(connection);
        }
    }
}
