//! The gRPC edge: who calls, how long a call may take, and the server that answers.

mod address;
mod auth;
mod body;
mod call;
mod content;
mod library;
mod method;
mod ops;
mod principals;
mod request;
mod serve;

pub use address::Addresses;
pub use auth::{Principal, Role, principal, require};
pub use ops::with_operations;
pub use principals::{Principals, PrincipalsError};
pub use request::command_request;
pub use serve::{GrpcRoutes, RoutesOf, ServeError, ServeOptions, bind, serve};
