//! One GET over HTTP to this machine: the mail catcher's pages.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const BOUND: Duration = Duration::from_secs(20);

/// Gets JSON from an address such as 127.0.0.1:8025.
pub fn get(address: &str, path: &str) -> Result<Value> {
    let what = || format!("http://{address}{path}");
    let mut stream = TcpStream::connect(address).with_context(what)?;
    stream.set_read_timeout(Some(BOUND))?;
    // Version 1.0: the answer comes in one piece and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").with_context(what)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(what)?;
    body(&answer).with_context(what)
}

fn body(answer: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(answer).context("the answer is no text")?;
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.split(' ').nth(1) == Some("200"), "the answer is {status}");
    serde_json::from_str(body).context("the answer is no JSON")
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn only_a_good_answer_is_read() {
        let good = body(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"total\": 3}").unwrap();
        assert_eq!(good["total"], 3);
        body(b"HTTP/1.0 500 Oops\r\n\r\n{}").unwrap_err();
        body(b"HTTP/1.0 200 OK\r\n\r\n").unwrap_err();
    }
}
