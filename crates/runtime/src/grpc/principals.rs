//! The file that says who may call: names, roles and the hashes of their tokens, never the tokens.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;
use tonic::Code;
use tonic::Status;
use tonic::codegen::http::{HeaderMap, header::AUTHORIZATION};

use crate::config::line_and_column;
use crate::edge;
use crate::grpc::auth::Principal;
use crate::status::refuse;
use ristoro_proto::ops::v1::ErrorReason;

const HASH_BYTES: usize = 32;

/// A caller with the hash of its token.
type Known = (Principal, [u8; HASH_BYTES]);

/// Everybody who may call. Cheap to clone; all clones are the same list, so that it can be replaced while calls run.
#[derive(Clone, Debug, Default)]
pub struct Principals {
    known: Arc<RwLock<Arc<Vec<Known>>>>,
}

/// Why the file cannot be used; every problem in it, one a line.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct PrincipalsError {
    /// Each with file, line and column.
    pub problems: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    principal: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    roles: Vec<Spanned<String>>,
    token_sha256: Spanned<String>,
}

impl Principals {
    /// Reads the file.
    ///
    /// # Errors
    /// All problems at once: what cannot be read, unknown keys and roles, names or tokens that occur twice.
    pub fn load(path: &Path) -> Result<Self, PrincipalsError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|problem| PrincipalsError {
            problems: vec![format!("{shown}: cannot be read: {problem}")],
        })?;
        Self::parse(&shown, &text)
    }

    /// Reads the file's text; `file` is how problems name it.
    ///
    /// # Errors
    /// As for `load`.
    pub fn parse(file: &str, text: &str) -> Result<Self, PrincipalsError> {
        let at = |place: usize| {
            let (line, column) = line_and_column(text, place);
            format!("{file}:{line}:{column}")
        };
        let read: File = toml::from_str(text).map_err(|problem| {
            let place = problem.span().map_or(0, |span| span.start);
            PrincipalsError { problems: vec![format!("{}: {}", at(place), problem.message())] }
        })?;
        let (mut known, mut problems) = (Vec::new(), Vec::new());
        for entry in read.principal {
            add(&mut known, &entry, &at, &mut problems);
        }
        if !problems.is_empty() {
            return Err(PrincipalsError { problems });
        }
        Ok(Self { known: Arc::new(RwLock::new(Arc::new(known))) })
    }

    /// Takes over another list, for this and all clones; a call that is in work keeps who it was.
    pub fn replace(&self, other: &Principals) {
        let list = other.list();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = list;
    }

    fn list(&self) -> Arc<Vec<Known>> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list().len()
    }

    /// Finds out who calls.
    ///
    /// # Errors
    /// UNAUTHENTICATED: no token, another scheme than Bearer, or a token that nobody has.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Status> {
        let denied = |reason, message: &str| refuse(Code::Unauthenticated, reason, message, &[]);
        let Some(value) = headers.get(AUTHORIZATION) else {
            let message = "the call carries no token: send `authorization: Bearer TOKEN`";
            return Err(denied(ErrorReason::TokenMissing, message));
        };
        let value = value.to_str().unwrap_or_default();
        let token =
            value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            let message =
                "the authorization is no bearer token: send `authorization: Bearer TOKEN`";
            return Err(denied(ErrorReason::TokenMissing, message));
        };
        self.find(token.trim()).ok_or_else(|| {
            let message = "nobody has this token: check it, or ask an operator for a new one";
            denied(ErrorReason::TokenUnknown, message)
        })
    }

    /// Compares with every hash in full, so that the time tells nothing about any of them.
    fn find(&self, token: &str) -> Option<Principal> {
        let hash: [u8; HASH_BYTES] = Sha256::digest(token.as_bytes()).into();
        let mut found = None;
        for (principal, known) in self.list().iter() {
            let difference =
                known.iter().zip(&hash).fold(0, |sum, (left, right)| sum | (left ^ right));
            if std::hint::black_box(difference) == 0 {
                found = Some(principal.clone());
            }
        }
        found
    }
}

fn add(
    known: &mut Vec<Known>,
    entry: &Entry,
    at: &dyn Fn(usize) -> String,
    problems: &mut Vec<String>,
) {
    let before = problems.len();
    let (name, place) = (entry.name.get_ref(), entry.name.span().start);
    if let Err(status) = edge::id("name", name) {
        problems.push(format!("{}: {}", at(place), status.message()));
    }
    if known.iter().any(|(principal, _)| principal.name == *name) {
        problems.push(format!("{}: {name:?} occurs twice: give each its own name", at(place)));
    }
    let mut roles = BTreeSet::new();
    for role in &entry.roles {
        match role.get_ref().parse() {
            Ok(role) => {
                roles.insert(role);
            }
            Err(problem) => problems.push(format!("{}: {problem}", at(role.span().start))),
        }
    }
    let place = entry.token_sha256.span().start;
    let Some(hash) = hash_from(entry.token_sha256.get_ref()) else {
        let what = "token_sha256 is not the SHA-256 of a token: write its 64 hexadecimal digits";
        problems.push(format!("{}: {what}", at(place)));
        return;
    };
    if known.iter().any(|(_, taken)| *taken == hash) {
        problems.push(format!("{}: {name:?} has the token of another", at(place)));
    }
    if problems.len() == before {
        known.push((Principal { name: name.clone(), roles }, hash));
    }
}

fn hash_from(text: &str) -> Option<[u8; HASH_BYTES]> {
    if text.len() != 2 * HASH_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; HASH_BYTES];
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `secret`.
    const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_token_finds_its_principal_and_nothing_else_does() {
        let text = format!(
            "[[principal]]\nname = \"anna\"\nroles = [\"support\"]\ntoken_sha256 = \"{HASH}\"\n"
        );
        let principals = Principals::parse("p.toml", &text).unwrap();
        let found = principals.authenticate(&headers("Bearer secret")).unwrap();
        assert_eq!(found.name, "anna");
        assert_eq!(principals.authenticate(&headers("bearer  secret")).unwrap().name, "anna");
        for value in ["Bearer secre", "Bearer", "Basic secret", "secret"] {
            let status = principals.authenticate(&headers(value)).unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{value}");
        }
        assert!(principals.authenticate(&HeaderMap::new()).is_err());
        assert!(Principals::default().authenticate(&headers("Bearer secret")).is_err());
    }

    #[test]
    fn a_list_that_is_replaced_is_replaced_for_all_clones() {
        let text =
            format!("[[principal]]\nname = \"anna\"\nroles = []\ntoken_sha256 = \"{HASH}\"\n");
        let (principals, empty) =
            (Principals::parse("p.toml", &text).unwrap(), Principals::default());
        let clone = principals.clone();
        assert!(clone.authenticate(&headers("Bearer secret")).is_ok());
        principals.replace(&empty);
        assert!(clone.authenticate(&headers("Bearer secret")).is_err());
    }

    #[test]
    fn every_problem_is_named_with_its_place() {
        let text = format!(
            "[[principal]]\nname = \"anna\"\nroles = [\"support\", \"admin\"]\ntoken_sha256 = \"x\"\n\
             [[principal]]\nname = \"bo\"\nroles = []\ntoken_sha256 = \"{HASH}\"\n\
             [[principal]]\nname = \"bo\"\nroles = []\ntoken_sha256 = \"{HASH}\"\n"
        );
        let error = Principals::parse("p.toml", &text).unwrap_err();
        let places: Vec<_> =
            error.problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
        assert_eq!(places, ["p.toml:3:21", "p.toml:4:16", "p.toml:10:8", "p.toml:12:16"]);
        let error = Principals::parse("p.toml", "[[principal]]\nnam = \"a\"\n").unwrap_err();
        assert!(error.problems[0].starts_with("p.toml:2:1: unknown field"), "{error}");
    }
}
