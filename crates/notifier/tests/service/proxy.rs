//! A way to the mail server that is slow, or on which some answers never come.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the way does to what goes over it.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// How long each piece of an answer takes.
    pub delay: Duration,
    /// Once the client has written this, no answer comes on its connection any more.
    pub silent_after: Option<String>,
}

/// A way that ends when it is dropped.
pub struct Proxy {
    pub port: u16,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(server: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, fault.clone()));
            }
        });
        Self { port, task }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, server: SocketAddr, fault: Fault) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (silence, silent) = tokio::sync::watch::channel(false);
    let asks = ask(from_client, to_server, fault.silent_after, silence);
    let answers = answer(from_server, to_client, fault.delay, silent);
    tokio::join!(asks, answers);
}

async fn ask(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    silent_after: Option<String>,
    silence: tokio::sync::watch::Sender<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..read]);
        if silent_after.as_ref().is_some_and(|word| text.contains(word)) {
            silence.send_replace(true);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    silent: tokio::sync::watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(delay).await;
        if !*silent.borrow() && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
