//! The service as its callers see it, on a real Postgres and behind the real server.

#[cfg(test)]
mod outages;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod support;
