//! `/metrics`, `/healthz` and `/readyz`, asked over a plain connection.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

use std::net::SocketAddr;

use ristoro_log::{Position, Topic};
use ristoro_runtime::grpc::bind;
use ristoro_runtime::telemetry::{Telemetry, serve_pages};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_pages_tell_what_is_counted_alive_and_ready() {
    let listener = bind("127.0.0.1:0".parse().unwrap(), "metrics_listen").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
    telemetry.readiness.expect("payout.orders");
    let task = tokio::spawn(serve_pages(listener, telemetry.clone(), shutdown.clone()));

    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.ends_with("waiting for payout.orders\n"), "{answer}");
    telemetry.readiness.ready("payout.orders");
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));

    let next = Position { topic: Topic::Payout, partition: 1, offset: 5 };
    telemetry.metrics.lag("payout.orders", next, 9);
    let answer = get(address, "/metrics").await;
    assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
    let line = "ristoro_lag_records{consumer=\"payout.orders\",topic=\"ristoro.payout.v1\",partition=\"1\"} 4";
    assert!(answer.contains(line), "{answer}");
    assert!(answer.trim_end().ends_with("# EOF"), "{answer}");

    shutdown.cancel();
    task.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
