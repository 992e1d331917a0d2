//! Connecting to Postgres, with one clear line where it fails.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use crate::config::ServiceConfig;

/// How long a start may wait for the first connection.
const CONNECT_BOUND: Duration = Duration::from_secs(10);
/// How long a query may wait for a free connection.
const ACQUIRE_BOUND: Duration = Duration::from_secs(10);

/// How long an idle connection is taken to be alive without asking.
const FRESH: Duration = Duration::from_secs(1);

/// Why the database cannot be used. No text holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is malformed.
    #[error("database_url is malformed: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Malformed,
    /// Nothing answers there.
    #[error("no Postgres answers at {place} ({problem}): start it, or correct database_url")]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// What the system says.
        problem: String,
    },
    /// The password or the user is wrong.
    #[error(
        "Postgres at {place} refuses user {user:?}: correct the user or the password in database_url"
    )]
    Refused {
        /// Host, port and database.
        place: String,
        /// The user.
        user: String,
    },
    /// The database is not there.
    #[error("Postgres at {place} has no such database: create it, or correct database_url")]
    NoDatabase {
        /// Host, port and database.
        place: String,
    },
    /// Postgres refuses for another reason.
    #[error("Postgres at {place} cannot be used: {problem}")]
    Other {
        /// Host, port and database.
        place: String,
        /// What Postgres says.
        problem: String,
    },
}

/// Opens the pool, after one connection has proved that the database can be used.
///
/// The pool alone would try again for as long as it may wait, and then only say that the time is up.
///
/// # Errors
/// `Malformed`, `Unreachable`, `Refused`, `NoDatabase`, `Other`.
pub async fn connect(config: &ServiceConfig) -> Result<PgPool, ConnectError> {
    let options: PgConnectOptions =
        config.database_url.parse().map_err(|_| ConnectError::Malformed)?;
    let options = options.application_name("ristoro");
    let first = tokio::time::timeout(CONNECT_BOUND, PgConnection::connect_with(&options)).await;
    let first = match first {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(explained(&options, &error)),
        Err(_) => {
            let problem = format!("no answer within {} s", CONNECT_BOUND.as_secs());
            return Err(ConnectError::Unreachable { place: place(&options), problem });
        }
    };
    first.close().await.map_err(|error| explained(&options, &error))?;
    Ok(PgPoolOptions::new()
        .max_connections(config.pool_size)
        .acquire_timeout(ACQUIRE_BOUND)
        // Asking costs a round trip: only where a server may have gone meanwhile.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for < FRESH {
                    return Ok(true);
                }
                Ok(connection.ping().await.is_ok())
            })
        })
        .connect_lazy_with(options))
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    format!("{}:{}/{database}", options.get_host(), options.get_port())
}

fn explained(options: &PgConnectOptions, error: &sqlx::Error) -> ConnectError {
    let place = place(options);
    if let sqlx::Error::Io(problem) = error {
        return ConnectError::Unreachable { place, problem: problem.to_string() };
    }
    let code = error.as_database_error().and_then(|answer| answer.code());
    match code.as_deref() {
        Some("28P01" | "28000") => {
            ConnectError::Refused { place, user: options.get_username().to_owned() }
        }
        Some("3D000") => ConnectError::NoDatabase { place },
        Some(_) | None => ConnectError::Other { place, problem: error.to_string() },
    }
}
