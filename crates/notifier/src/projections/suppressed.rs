//! Subscribers whom nobody is to write to.

use sqlx::PgConnection;

/// Keeps that nobody is to write to a subscriber.
pub(super) async fn insert(
    tx: &mut PgConnection,
    subscriber: &str,
    note: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into suppressed (subscriber, note) values ($1, $2)")
        .bind(subscriber)
        .bind(note)
        .execute(tx)
        .await
        .map(|_| ())
}
