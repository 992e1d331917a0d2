//! Asks a broker for its metadata, by hand, to see whether it serves.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A frozen broker takes a connection and never answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
/// Metadata, version 4, correlation 7, no client id, no topic, no creation of topics.
const REQUEST: [u8; 19] = [0, 0, 0, 15, 0, 3, 0, 4, 0, 0, 0, 7, 0xFF, 0xFF, 0, 0, 0, 0, 0];

/// Waits until the broker on a loopback port names at least one broker, which it does as soon as
/// it may lead partitions.
pub(super) async fn until_it_serves(port: u16) {
    loop {
        if matches!(timeout(ANSWER_LIMIT, broker_count(port)).await, Ok(Ok(1..))) {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// The number of live brokers in the answer: after its length, the correlation and a throttle time.
async fn broker_count(port: u16) -> io::Result<i32> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(&REQUEST).await?;
    let mut answer = [0_u8; 16];
    stream.read_exact(&mut answer).await?;
    let [.., a, b, c, d] = answer;
    Ok(i32::from_be_bytes([a, b, c, d]))
}
