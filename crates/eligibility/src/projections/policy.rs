//! Published policies, with their text.

use ristoro_domain::time::Instant;
use ristoro_log::Position;
use sqlx::PgConnection;

/// A published version of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRow {
    /// The policy's id.
    pub policy: String,
    /// The version that its file states.
    pub version: String,
    /// The file as it was given.
    pub text: String,
    /// The record that published it.
    pub position: Position,
    /// When.
    pub published_at: Instant,
    /// Whether it is retired.
    pub retired: bool,
}

/// PLACE
pub async fn find(
    _connection: &mut PgConnection,
    _policy: &str,
    _version: Option<&str>,
) -> Result<Option<PolicyRow>, sqlx::Error> {
    Ok(None)
}
