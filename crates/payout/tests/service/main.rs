//! The service on a real Postgres, fed through the log as its neighbours feed it.

#[cfg(test)]
mod orders;
#[cfg(test)]
mod support;
