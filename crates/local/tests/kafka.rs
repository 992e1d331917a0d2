//! A real Kafka: started, asked, killed, frozen, restarted and gone.

mod support;

use std::time::Duration;

use ristoro_local::{Error, Kafka, KafkaOptions, cache_directory};
use support::{is_running, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// ApiVersions, version 0, correlation 5, no client id.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 5, 0xFF, 0xFF];

/// How many requests the broker says it understands.
async fn understood_requests(kafka: &Kafka) -> std::io::Result<i32> {
    let mut stream = TcpStream::connect(kafka.bootstrap()).await?;
    stream.write_all(&API_VERSIONS).await?;
    let mut answer = [0_u8; 14];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer[4..10], [0, 0, 0, 5, 0, 0], "the correlation, and no error");
    Ok(i32::from_be_bytes([answer[10], answer[11], answer[12], answer[13]]))
}

#[tokio::test]
async fn a_kafka_serves_through_kills_and_freezes_and_leaves_nothing_behind() {
    let mut kafka = Kafka::start(KafkaOptions::throw_away(cache_directory())).await.unwrap();
    let (bootstrap, first_pid) = (kafka.bootstrap(), kafka.process_id());
    assert!(understood_requests(&kafka).await.unwrap() > 30);

    kafka.freeze().await.unwrap();
    // The signal is still on its way when the call returns.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let waited = timeout(Duration::from_millis(300), understood_requests(&kafka)).await;
    assert!(waited.is_err(), "a frozen broker does not answer");
    kafka.thaw().await.unwrap();
    assert!(understood_requests(&kafka).await.unwrap() > 30);

    kafka.kill().await.unwrap();
    assert!(!is_running(first_pid));
    assert!(understood_requests(&kafka).await.is_err(), "a killed broker takes no connection");
    assert!(matches!(kafka.freeze().await, Err(Error::NotRunning { .. })));

    kafka.restart().await.unwrap();
    assert_eq!(kafka.bootstrap(), bootstrap);
    assert!(understood_requests(&kafka).await.unwrap() > 30);

    let (pid, directory) = (kafka.process_id(), kafka.directory().to_path_buf());
    kafka.stop().await.unwrap();
    assert!(!is_running(pid), "the server is gone");
    assert!(!directory.exists(), "so is its data");
}

#[tokio::test]
async fn a_named_directory_keeps_its_cluster_on_other_ports() {
    let name = format!("ristoro-kept-{}", uuid::Uuid::new_v4().simple());
    let directory = std::env::temp_dir().join(name);
    let options = || KafkaOptions::persistent(cache_directory(), directory.clone());
    let cluster = || std::fs::read_to_string(directory.join("data/meta.properties")).unwrap();
    let kafka = Kafka::start(options()).await.unwrap();
    let (first, first_bootstrap) = (cluster(), kafka.bootstrap());
    kafka.stop().await.unwrap();
    let kafka = Kafka::start(options()).await.unwrap();
    assert_ne!(kafka.bootstrap(), first_bootstrap);
    assert_eq!(cluster(), first);
    assert!(understood_requests(&kafka).await.unwrap() > 30);
    let pid = kafka.process_id();
    drop(kafka);
    until("the dropped broker is gone", || !is_running(pid)).await;
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn a_setting_that_kafka_refuses_is_told() {
    let mut options = KafkaOptions::throw_away(cache_directory());
    options.settings.push(("num.io.threads".into(), "none".into()));
    let error = Kafka::start(options).await.unwrap_err().to_string();
    assert!(error.starts_with("Kafka ended while it started"), "{error}");
    assert!(error.contains("num.io.threads"), "{error}");
}
