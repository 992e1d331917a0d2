//! The service as its callers see it, on a real Postgres and behind the real server.

#[cfg(test)]
mod facts;
#[cfg(test)]
mod leftovers;
#[cfg(test)]
mod people;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod rosters;
#[cfg(test)]
mod settlements;
#[cfg(test)]
mod simulations;
#[cfg(test)]
mod support;
