//! What `ristoro dev` says when everything runs: addresses, and what to try next.

use std::path::Path;

use crate::demo::OUTAGE;

use super::servers::Servers;

/// Where callers find what runs.
pub struct Addresses<'a> {
    /// Of the services.
    pub endpoint: &'a str,
    /// Of metrics and readiness.
    pub pages: &'a str,
    /// The file of tokens.
    pub tokens: &'a Path,
}

/// Prints addresses, who calls, and three commands that work as they stand; `played` says whether there is an outage to ask about.
pub fn print(addresses: &Addresses<'_>, servers: &Servers, played: bool) {
    let Addresses { endpoint, pages, tokens } = addresses;
    println!("\ngRPC      {endpoint}");
    println!("metrics   http://{pages}/metrics");
    println!("SMTP      {}", servers.mail.address());
    println!("Postgres  {}", servers.database);
    println!(
        "log       {}",
        if servers.kafka.is_some() { &servers.log } else { "in the Postgres above" }
    );
    println!("tokens    {}", tokens.display());
    let ristoro = quoted(&program());
    let tokens = quoted(&tokens.display().to_string());
    println!("\nTry next, in another terminal:");
    println!(
        "  export RISTORO_ENDPOINT={endpoint} RISTORO_TOKEN=$(sed -n 's/^ada = \"\\(.*\\)\"/\\1/p' {tokens})"
    );
    if played {
        println!(
            "  {ristoro} assessment simulate --outage {OUTAGE} --policies libero-2023,agcom-347-18"
        );
    } else {
        println!("  {ristoro} demo play libero-2023 --subscribers 400 --tokens {tokens}");
    }
    println!(
        "  grpcurl -plaintext -H \"authorization: Bearer $RISTORO_TOKEN\" {} ristoro.outage.v1.OutageService/ListOutages",
        endpoint.trim_start_matches("http://")
    );
    println!("  {ristoro} log verify --log {}", quoted(&servers.log));
    println!("\nCtrl-C ends everything.");
}

/// Gives how this program is called: by its name where a shell finds it, else by its path.
fn program() -> String {
    let here = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let found = std::env::var_os("PATH").and_then(|path| {
        let places = std::env::split_paths(&path).map(|folder| folder.join("ristoro"));
        places.filter_map(|place| place.canonicalize().ok()).next()
    });
    match here {
        Some(here) if found.as_ref() != Some(&here) => here.display().to_string(),
        Some(_) | None => "ristoro".to_owned(),
    }
}

/// Quotes a word for the shell where it needs that.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:@".contains(letter);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it_otherwise() {
        for (word, expected) in [
            ("/tmp/a-1", "/tmp/a-1"),
            ("/my folder", "'/my folder'"),
            ("it's", "'it'\\''s'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
