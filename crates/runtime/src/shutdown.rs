//! From a signal to an orderly end: the first asks all loops to finish, the second ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a process that a second signal ended: 128 and SIGINT's number, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

/// Watches SIGTERM and SIGINT from now on. The token is cancelled by the first of them.
///
/// # Errors
/// Where the process cannot listen for signals.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            signals += 1;
            if signals > 1 {
                tracing::warn!(signal = name, "a second signal: ending at once");
                std::process::exit(EXIT_INTERRUPTED);
            }
            tracing::info!(signal = name, "shutting down; a second signal ends at once");
            cancelled.cancel();
        }
    });
    Ok(token)
}
