//! What a `request_id` was first sent with: a later command under the same id must be the same one.
//!
//! The id is bound just before the record is appended, so a refused or only validated command leaves it free.

use uuid::Uuid;

use super::{CommandError, CommandFailure, CommandRequest, Commands};
use crate::schema::{self, Mode};

impl Commands {
    /// Refuses a command whose id is bound to another content.
    pub(super) async fn check_content<R>(
        &self,
        request: &CommandRequest,
    ) -> Result<(), CommandError<R>> {
        let Some(content) = &request.content else { return Ok(()) };
        let known = self.known_content(request.request_id).await.map_err(CommandFailure::from)?;
        if known.is_none_or(|known| known == content) {
            return Ok(());
        }
        Err(CommandError::RequestIdReused)
    }

    /// Binds the id to the content, unless another call was faster with another one.
    pub(super) async fn bind_content<R>(
        &self,
        request: &CommandRequest,
    ) -> Result<(), CommandError<R>> {
        let Some(content) = &request.content else { return Ok(()) };
        self.keep_content(request.request_id, content).await.map_err(CommandFailure::from)?;
        self.check_content(request).await
    }

    async fn known_content(&self, command_id: Uuid) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let control = self.core.service.control();
        let mut transaction = schema::begin(&self.core.pool, &control, Mode::Snapshot).await?;
        let known = sqlx::query_scalar("select digest from command_content where command_id = $1")
            .bind(command_id)
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        Ok(known)
    }

    async fn keep_content(&self, command_id: Uuid, content: &[u8]) -> Result<(), sqlx::Error> {
        let control = self.core.service.control();
        let mut transaction = schema::begin(&self.core.pool, &control, Mode::Write).await?;
        sqlx::query(
            "insert into command_content (command_id, digest) values ($1, $2)
             on conflict (command_id) do nothing",
        )
        .bind(command_id)
        .bind(content)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }
}
