//! Free loopback ports that stay free while a server restarts.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::{Error, Result};

/// The first port that is handed out; below it live the machine's own services.
const FIRST: u16 = 10_000;
/// One above the last. Linux gives outgoing sockets ports from 32,768 on, and such a socket could
/// hold a server's port just while the server restarts.
const END: u16 = 32_768;
/// So many busy ports in a row mean that something else is wrong.
const ATTEMPTS: usize = 200;

/// Finds a port below 32,768 on which nothing listens on 127.0.0.1. Chosen at random, so that
/// processes that look at the same time hardly ever find the same one.
///
/// # Errors
/// If 200 ports in a row cannot be bound.
pub fn free_port() -> Result<u16> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let port = random_port();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_listener) => return Ok(port),
            Err(source) => last = Some(source),
        }
    }
    Err(Error::Network { problem: last.expect("there was at least one attempt") })
}

fn random_port() -> u16 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    let random = u16::from_be_bytes([bytes[0], bytes[1]]);
    FIRST + random % (END - FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_lies_below_the_outgoing_ones() {
        for _ in 0..50 {
            let port = free_port().unwrap();
            assert!((FIRST..END).contains(&port));
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn a_busy_port_is_not_handed_out() {
        let listeners: Vec<TcpListener> = (0..200)
            .filter_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, random_port())).ok())
            .collect();
        let busy: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        for _ in 0..500 {
            assert!(!busy.contains(&free_port().unwrap()));
        }
    }
}
