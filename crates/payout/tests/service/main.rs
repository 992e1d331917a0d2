//! The service on a real Postgres, fed through the log as its neighbours feed it, and called over gRPC.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod credits;
#[cfg(test)]
mod files;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod payables;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod support;
#[cfg(test)]
mod world;
