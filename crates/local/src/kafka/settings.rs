//! The text of `server.properties`.

use std::path::Path;

/// Our settings, the addresses, then the caller's, which win.
pub(super) fn text(data: &Path, port: u16, control: u16, more: &[(String, String)]) -> String {
    let mut text = String::from(include_str!("server.properties"));
    let mut set = |name: &str, value: &str| {
        text.push_str(&format!("{name}={value}\n"));
    };
    let brokers = format!("PLAINTEXT://127.0.0.1:{port}");
    set("listeners", &format!("{brokers},CONTROLLER://127.0.0.1:{control}"));
    set("advertised.listeners", &brokers);
    set("controller.quorum.voters", &format!("1@127.0.0.1:{control}"));
    set("log.dirs", &data.display().to_string());
    for (name, value) in more {
        set(name, value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_s_settings_come_last_so_that_they_win() {
        let more = [("num.io.threads".to_owned(), "8".to_owned())];
        let text = text(Path::new("/data"), 11_000, 11_001, &more);
        assert!(
            text.contains("\nlisteners=PLAINTEXT://127.0.0.1:11000,CONTROLLER://127.0.0.1:11001\n")
        );
        let last = text.lines().rfind(|line| line.starts_with("num.io.threads="));
        assert_eq!(last, Some("num.io.threads=8"));
    }
}
