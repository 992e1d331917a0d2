//! A real SMTP server that keeps what it is sent, for demos and tests, and fails when asked to.
//!
//! Written here because the kept crates for SMTP servers cannot end a connection without an answer,
//! which is the very failure that the notifier's `outcome unknown` has to be tested with.

mod message;
mod session;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

pub use message::Message;
use session::{Desk, Fate};

use crate::error::{Error, Result, at};

/// So many of the newest mails stay in memory; a journal has them all.
const KEPT: usize = 10_000;
const CONNECTION_LIMIT: usize = 256;

/// How a mail catcher is to be started.
#[derive(Debug, Clone, Default)]
pub struct MailOptions {
    /// The loopback port, or any free one.
    pub port: Option<u16>,
    /// A file to which each mail is appended as one line of JSON: `received_at_ms`, `from`,
    /// `recipients`, `raw`.
    pub journal: Option<PathBuf>,
}

/// What happens to a mail whose sender gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterData {
    /// It was delivered; only the answer is lost.
    KeepAndHangUp,
    /// It is lost as well.
    LoseAndHangUp,
}

/// A running SMTP server. Dropped, it ends with all its connections.
#[derive(Debug)]
pub struct MailCatcher {
    address: SocketAddr,
    office: Arc<Office>,
    task: JoinHandle<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Office {
    state: Mutex<State>,
    /// How many mails were taken since the start.
    count: watch::Sender<usize>,
    /// Locked over a whole line, so that lines of two connections never mix.
    journal: Option<tokio::sync::Mutex<File>>,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    refusals: HashMap<String, u16>,
    hang_ups: VecDeque<AfterData>,
}

impl MailCatcher {
    /// Listens on a loopback port.
    ///
    /// # Errors
    /// If the port is taken or the journal cannot be opened.
    pub async fn start(options: MailOptions) -> Result<Self> {
        let journal = match &options.journal {
            None => None,
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path).await;
                Some(tokio::sync::Mutex::new(file.map_err(at(path))?))
            }
        };
        let network = |problem| Error::Network { problem };
        let port = options.port.unwrap_or(0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(network)?;
        let address = listener.local_addr().map_err(network)?;
        let (count, _) = watch::channel(0);
        let office = Arc::new(Office { state: Mutex::default(), count, journal });
        let task = tokio::spawn(listen(listener, Arc::clone(&office)));
        Ok(Self { address, office, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for clients: SMTP without TLS.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The mails so far, the oldest first; of more than 10,000 the newest.
    pub fn messages(&self) -> Vec<Message> {
        self.office.state().messages.iter().cloned().collect()
    }

    /// How many mails were taken since the start.
    pub fn count(&self) -> usize {
        *self.office.count.borrow()
    }

    /// Waits until at least so many mails were taken, and gives those of [`Self::messages`].
    ///
    /// # Errors
    /// If they are not there in time; the error says how many are.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Result<Vec<Message>> {
        let mut counts = self.office.count.subscribe();
        let waited = timeout(limit, counts.wait_for(|taken| *taken >= count)).await;
        if waited.is_ok() {
            return Ok(self.messages());
        }
        Err(Error::Time {
            what: format!("the arrival of {count} mails"),
            limit,
            hint: format!(": {} came", self.count()),
        })
    }

    /// From now on refuses a recipient with a reply code: 550 for ever, 450 for now.
    pub fn refuse(&self, recipient: &str, code: u16) {
        self.office.state().refusals.insert(recipient.to_lowercase(), code);
    }

    /// No longer refuses a recipient.
    pub fn accept(&self, recipient: &str) {
        self.office.state().refusals.remove(&recipient.to_lowercase());
    }

    /// Closes the connection of the next mail not yet spoken of when its data is there, without an
    /// answer. Each call is for one mail.
    pub fn hang_up(&self, after_data: AfterData) {
        self.office.state().hang_ups.push_back(after_data);
    }
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Office {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this, and the state is whole between any two changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(&self, message: Message) -> io::Result<()> {
        if let Some(journal) = &self.journal {
            let mut file = journal.lock().await;
            file.write_all(message.to_json_line().as_bytes()).await?;
            file.flush().await?;
        }
        {
            let mut state = self.state();
            if state.messages.len() == KEPT {
                state.messages.pop_front();
            }
            state.messages.push_back(message);
        }
        self.count.send_modify(|count| *count += 1);
        Ok(())
    }
}

impl Desk for Office {
    fn refusal(&self, recipient: &str) -> Option<u16> {
        self.state().refusals.get(&recipient.to_lowercase()).copied()
    }

    async fn take(&self, message: Message) -> io::Result<Fate> {
        let hang_up = self.state().hang_ups.pop_front();
        if hang_up != Some(AfterData::LoseAndHangUp) {
            self.keep(message).await?;
        }
        Ok(if hang_up.is_some() { Fate::Silence } else { Fate::Taken })
    }
}

/// Takes connections until it is aborted, which ends them all.
async fn listen(listener: TcpListener, office: Arc<Office>) {
    let slots = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    let mut connections = JoinSet::new();
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("it is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let office = Arc::clone(&office);
                connections.spawn(async move {
                    serve(stream, &office).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, office: &Office) {
    // Answers to commands that came together are small writes: each would wait 40 ms for the one before it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "an SMTP connection answers slowly");
    }
    if let Err(error) = session::serve(stream, office).await {
        tracing::debug!(%error, "an SMTP connection ended early");
    }
}
