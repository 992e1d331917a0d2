//! How commands are sent, and how lists are read page by page.

use anyhow::{Context, Result};
use tonic::{Code, Status};
use uuid::Uuid;

/// The largest page that a service gives.
const PAGE: usize = 1000;

/// How a command is sent.
#[derive(Clone, Debug, clap::Args)]
pub struct Sending {
    /// A UUID that makes a retry the same command; a fresh one unless given
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    /// Checks everything and writes nothing
    #[arg(long)]
    pub validate_only: bool,
}

impl Sending {
    /// Sends for real, under a fresh id.
    pub fn fresh() -> Self {
        Self { request_id: None, validate_only: false }
    }

    /// Gives the request's id: the one that was given, or a fresh one. Asked once for each command.
    pub fn id(&self) -> String {
        self.request_id.unwrap_or_else(Uuid::new_v4).to_string()
    }
}

/// Says on stderr what a command did, or that it would have been accepted.
pub fn done(sending: &Sending, what: &str) {
    if sending.validate_only {
        eprintln!("it would be accepted; nothing was written");
    } else {
        eprintln!("{what}");
    }
}

/// Tells with a failure whose outcome is open how the same command is sent again.
pub fn outcome<T>(result: Result<T, Status>, request_id: &str) -> Result<T> {
    result.or_else(|status| {
        let open = matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
        );
        let failed = Err::<T, Status>(status);
        if open {
            failed.with_context(|| {
                format!(
                    "whether it took effect is open; send it again with --request-id {request_id}"
                )
            })
        } else {
            Ok(failed?)
        }
    })
}

/// How much of a list is read.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Paging {
    /// How many to give at most; 0 for all
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
}

impl Paging {
    /// Reads everything.
    pub fn all() -> Self {
        Self { limit: 0 }
    }

    /// Reads pages until there are enough or no more; `fetch` takes a page's size and token. Says where more follow.
    pub async fn read<T>(
        self,
        mut fetch: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Status>,
    ) -> Result<Vec<T>> {
        let limit = if self.limit == 0 { usize::MAX } else { self.limit };
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let size = PAGE.min(limit - found.len());
            let size = i32::try_from(size).expect("a page has at most a thousand");
            let (page, next) = fetch(size, token).await?;
            found.extend(page);
            if next.is_empty() {
                return Ok(found);
            }
            if found.len() >= limit {
                eprintln!("more follow after these {limit}: --limit 0 gives all");
                return Ok(found);
            }
            token = next;
        }
    }
}

/// Gives a resource name: what was given, or with its collection where only the id was given.
pub fn name(collection: &str, given: &str) -> String {
    if given.starts_with(&format!("{collection}/")) {
        given.to_owned()
    } else {
        format!("{collection}/{given}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(limit: usize, pages: &[&[u32]]) -> (Vec<u32>, Vec<i32>) {
        let mut sizes = Vec::new();
        let found = Paging { limit }
            .read(async |size, token: String| {
                sizes.push(size);
                let place: usize = if token.is_empty() { 0 } else { token.parse().unwrap() };
                let more = place + 1 < pages.len();
                let next = if more { (place + 1).to_string() } else { String::new() };
                Ok((pages[place].to_vec(), next))
            })
            .await;
        (found.unwrap(), sizes)
    }

    #[tokio::test]
    async fn pages_are_read_until_there_are_enough() {
        // A page may hold fewer than asked for, even none, although another follows.
        let pages: [&[u32]; 4] = [&[1, 2], &[], &[3], &[4]];
        assert_eq!(read(3, &pages).await, (vec![1, 2, 3], vec![3, 1, 1]));
        assert_eq!(read(0, &pages).await, (vec![1, 2, 3, 4], vec![1000; 4]));
        assert_eq!(read(100, &pages).await.0, vec![1, 2, 3, 4]);
    }

    #[test]
    fn an_id_alone_gets_its_collection() {
        assert_eq!(name("assessments", "a"), "assessments/a");
        assert_eq!(name("assessments", "assessments/a"), "assessments/a");
    }

    #[test]
    fn only_an_open_outcome_is_to_be_sent_again() {
        let open = outcome::<()>(Err(Status::unavailable("gone")), "id-1").unwrap_err();
        assert!(format!("{open}").contains("--request-id id-1"));
        let refused = outcome::<()>(Err(Status::permission_denied("no")), "id-1").unwrap_err();
        assert!(!format!("{refused:#}").contains("--request-id"));
    }
}
