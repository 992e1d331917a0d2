//! Pages of a list: how many, and after which key. Tokens are opaque to callers and bound to their query.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tonic::Status;

use crate::status::invalid;

/// How many items a page has where the request names no size.
pub const DEFAULT_SIZE: u32 = 100;
/// How many items a page has at most; a larger wish is answered with this many.
pub const MAXIMUM_SIZE: u32 = 1000;
/// A token's length at most, in characters.
pub const MAXIMUM_TOKEN: usize = 1000;

/// How many leading bytes of a token say which query it belongs to.
const SCOPE_BYTES: usize = 8;

/// Which page of a list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// How many items at most, 1 to 1000.
    pub size: u32,
    /// The key of the last item of the page before; none on the first page.
    pub after: Option<String>,
    scope: [u8; SCOPE_BYTES],
}

impl Page {
    /// Reads `page_size` and `page_token`.
    ///
    /// `scope` is the method with all its filters: a token that came with other filters is refused, since the
    /// pages together would then be no list of anything.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a negative size and for a token that this query did not give.
    pub fn read(page_size: i32, page_token: &str, scope: &str) -> Result<Self, Status> {
        let wished = u32::try_from(page_size).map_err(|_| {
            invalid(
                "page_size",
                format!("is {page_size}: write 1 to {MAXIMUM_SIZE}, or 0 for {DEFAULT_SIZE}"),
            )
        })?;
        let size = if wished == 0 { DEFAULT_SIZE } else { wished.min(MAXIMUM_SIZE) };
        let digest = Sha256::digest(scope.as_bytes());
        let scope = digest[..SCOPE_BYTES].try_into().expect("SHA-256 gives 32 bytes");
        let after = if page_token.is_empty() { None } else { Some(key_of(page_token, scope)?) };
        Ok(Self { size, after, scope })
    }

    /// Gives how many rows to fetch: one more than the page shows, so that it is known whether another follows.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts what was fetched to the page's size and gives the next page's token; empty on the last page.
    pub fn cut<T>(&self, rows: &mut Vec<T>, key: impl Fn(&T) -> String) -> String {
        if rows.len() <= self.size as usize {
            return String::new();
        }
        rows.truncate(self.size as usize);
        rows.last().map_or_else(String::new, |last| self.token(&key(last)))
    }

    /// Makes the token of the page that begins after `key`.
    #[must_use]
    pub fn token(&self, key: &str) -> String {
        let mut bytes = self.scope.to_vec();
        bytes.extend_from_slice(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn key_of(token: &str, scope: [u8; SCOPE_BYTES]) -> Result<String, Status> {
    let refused =
        || invalid("page_token", "is not one that this query gave: begin again without it");
    if token.len() > MAXIMUM_TOKEN {
        return Err(refused());
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let key = bytes.strip_prefix(scope.as_slice()).ok_or_else(refused)?;
    String::from_utf8(key.to_vec()).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_defaulted_bounded_and_never_negative() {
        let size = |wished| Page::read(wished, "", "list").map(|page| page.size).ok();
        assert_eq!(size(0), Some(100));
        assert_eq!(size(7), Some(7));
        assert_eq!(size(5000), Some(1000));
        assert_eq!(size(-1), None);
    }

    #[test]
    fn pages_follow_each_other_and_the_last_has_no_token() {
        let all: Vec<u32> = (0..5).collect();
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let page = Page::read(2, &token, "list").unwrap();
            let after: i64 = page.after.as_deref().map_or(-1, |key| key.parse().unwrap());
            let fetched = usize::try_from(page.fetch()).unwrap();
            let mut rows: Vec<u32> =
                all.iter().copied().filter(|row| i64::from(*row) > after).take(fetched).collect();
            token = page.cut(&mut rows, ToString::to_string);
            seen.extend(rows);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_foreign_token_is_refused() {
        let token = Page::read(2, "", "list outages").unwrap().token("k");
        assert!(Page::read(2, &token, "list outages").is_ok());
        assert!(Page::read(2, &token, "list claims").is_err());
        assert!(Page::read(2, "!", "list outages").is_err());
        assert!(Page::read(2, &"A".repeat(1001), "list outages").is_err());
    }
}
