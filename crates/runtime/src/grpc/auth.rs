//! Who calls, and whether they may. Deny by default: no token, no call; no role, no command.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ristoro_proto::ops::v1::ErrorReason;
use tonic::{Code, Request, Status};

use crate::status::refuse;

/// What a principal may do. See `api.md`, section 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Submits signals.
    Observer,
    /// Declares and amends outages.
    Declarer,
    /// Publishes policies.
    PolicyAuthor,
    /// Proposes assessments and payment files.
    Proposer,
    /// Approves what somebody else proposed.
    Approver,
    /// Works on claims.
    Claims,
    /// Handles payouts and payment files.
    Treasury,
    /// Reads one subscriber.
    Support,
    /// Reads all, masked.
    Analyst,
    /// Runs the system.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 10] = [
        Role::Observer,
        Role::Declarer,
        Role::PolicyAuthor,
        Role::Proposer,
        Role::Approver,
        Role::Claims,
        Role::Treasury,
        Role::Support,
        Role::Analyst,
        Role::Operator,
    ];

    /// Who may see how far an assessment is, in each service that it goes through.
    pub const FOLLOWERS: [Role; 6] = [
        Role::Proposer,
        Role::Approver,
        Role::Treasury,
        Role::Support,
        Role::Analyst,
        Role::Operator,
    ];

    /// Gives the name as it is written in the principals file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Observer => "observer",
            Role::Declarer => "declarer",
            Role::PolicyAuthor => "policy-author",
            Role::Proposer => "proposer",
            Role::Approver => "approver",
            Role::Claims => "claims",
            Role::Treasury => "treasury",
            Role::Support => "support",
            Role::Analyst => "analyst",
            Role::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Role::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| format!("{text:?} is no role: write one of {}", list(&Role::ALL)))
    }
}

/// An authenticated caller: a person or a system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The name that stands as `actor` in what the caller's commands write.
    pub name: String,
    /// What the caller may do.
    pub roles: BTreeSet<Role>,
}

/// Gives the caller that the server authenticated.
///
/// # Errors
/// UNAUTHENTICATED where the call came past the authentication, as in a test that calls a service directly.
pub fn principal<T>(request: &Request<T>) -> Result<&Principal, Status> {
    request.extensions().get::<Principal>().ok_or_else(|| {
        let message = "the call carries no token: send `authorization: Bearer TOKEN`";
        refuse(Code::Unauthenticated, ErrorReason::TokenMissing, message, &[])
    })
}

/// Gives the caller if it has one of these roles.
///
/// # Errors
/// UNAUTHENTICATED without a caller, PERMISSION_DENIED where it has none of the roles.
pub fn require<T>(request: &Request<T>, roles: &[Role]) -> Result<Principal, Status> {
    let principal = principal(request)?;
    if roles.iter().any(|role| principal.roles.contains(role)) {
        return Ok(principal.clone());
    }
    let wanted = list(roles);
    let message = format!(
        "{} may not do this: it takes the role {wanted}; an operator gives roles in the principals file",
        principal.name
    );
    let metadata = [("principal", principal.name.clone()), ("roles", wanted)];
    Err(refuse(Code::PermissionDenied, ErrorReason::RoleMissing, message, &metadata))
}

fn list(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_asked_for_and_a_missing_one_named() {
        let mut request = Request::new(());
        let status = require(&request, &[Role::Treasury]).unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);

        let roles = BTreeSet::from([Role::Support]);
        request.extensions_mut().insert(Principal { name: "anna".to_owned(), roles });
        assert_eq!(require(&request, &[Role::Analyst, Role::Support]).unwrap().name, "anna");
        let status = require(&request, &[Role::Treasury]).unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains("treasury"), "{}", status.message());
    }

    #[test]
    fn roles_read_back_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("admin".parse::<Role>().is_err());
    }
}
