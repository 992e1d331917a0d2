//! The configuration as operators meet it: sources, precedence, and every problem at once.

use std::path::PathBuf;
use std::time::Duration;

use ristoro_local::{Postgres, PostgresOptions, cache_directory};
use ristoro_runtime::config::{ConnectError, LeaseMode, Sources, connect, load, show};

const DATABASE: &str = "postgres://me:s3cret@127.0.0.1:5432/ristoro";

fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A file that is gone when the test is over.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("ristoro-edge-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("the temporary folder can be written");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("the file is there until now");
    }
}

#[test]
fn the_later_source_wins_and_what_is_not_set_has_its_default() {
    let text = format!("database_url = \"{DATABASE}\"\nlog = \"kafka://a:9092\"\npool_size = 20\n");
    let file = File::new("precedence", &text);
    let sources = Sources {
        file: Some(file.0.clone()),
        environment: pairs(&[
            ("RISTORO_POOL_SIZE", "30"),
            ("RISTORO_LEASE", "all"),
            ("RISTORO_CONFIG", "elsewhere.toml"),
            ("RISTORO_SMTP_URL", "smtp://no-setting:25"),
            ("PATH", "/bin"),
        ]),
        flags: pairs(&[("lease", "shared"), ("shutdown-bound-seconds", "3")]),
    };
    let config = load(&sources).unwrap();
    assert_eq!(config.pool_size, 30);
    assert_eq!(config.lease, LeaseMode::Shared);
    assert_eq!(config.shutdown_bound, Duration::from_secs(3));
    assert_eq!(config.call_deadline, Duration::from_secs(30));
    assert_eq!(config.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.principals_file, None);
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let text = "databse_url = \"x\"\nlisten = \"here\"\npool_size = 1\npartitions = [1]\n";
    let file = File::new("problems", text);
    let sources = Sources {
        file: Some(file.0.clone()),
        environment: pairs(&[("RISTORO_LEASE", "mine")]),
        flags: pairs(&[("log", "ftp://x")]),
    };
    let error = load(&sources).unwrap_err();
    let path = file.0.display();
    for expected in [
        format!("{path}:1:1: unknown setting \"databse_url\": did you mean database_url?"),
        format!("{path}:2:10: listen is \"here\", no address to listen on"),
        format!("{path}:3:13: pool_size is \"1\": write a whole number, 4 to 200"),
        format!("{path}:4:14: partitions is a array"),
        "RISTORO_LEASE: lease is \"mine\": write shared or all".to_owned(),
        "--set log: log ".to_owned(),
        "database_url is not set: put it into the file, or set RISTORO_DATABASE_URL".to_owned(),
    ] {
        let found = error.problems.iter().any(|problem| problem.starts_with(&expected));
        assert!(found, "{expected} is not in\n{error}");
    }
    assert_eq!(error.problems.len(), 7, "{error}");
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_told_with_its_place() {
    let file = File::new("broken", "listen = \nlog = \"memory:\"\n");
    let sources = Sources { file: Some(file.0.clone()), ..Sources::default() };
    let error = load(&sources).unwrap_err().to_string();
    assert!(error.contains(&format!("{}:1:", file.0.display())), "{error}");
    let missing = Sources { file: Some("no-such-file.toml".into()), ..Sources::default() };
    let error = load(&missing).unwrap_err().to_string();
    assert!(error.starts_with("no-such-file.toml: cannot be read"), "{error}");
}

#[test]
fn what_is_shown_has_no_password_and_can_be_loaded_again() {
    let flags = [("database_url", DATABASE), ("log", "postgres://log:geheim@h:1/l")];
    let sources = Sources { flags: pairs(&flags), ..Sources::default() };
    let config = load(&sources).unwrap();
    let shown = show(&config);
    assert!(!shown.contains("s3cret") && !shown.contains("geheim"), "{shown}");
    assert!(
        shown.contains("database_url = \"postgres://me:***@127.0.0.1:5432/ristoro\""),
        "{shown}"
    );
    assert_eq!(format!("{config:?}"), shown);
    let file = File::new("shown", &shown);
    let again = load(&Sources { file: Some(file.0.clone()), ..Sources::default() }).unwrap();
    assert_eq!(show(&again), shown);
}

#[tokio::test]
async fn an_unreachable_database_is_told_in_one_line_without_the_password() {
    // A port that was free a moment ago, so that nothing answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://me:s3cret@127.0.0.1:{port}/ristoro");
    let sources = Sources {
        flags: pairs(&[("database_url", &url), ("log", "memory:")]),
        ..Sources::default()
    };
    let error = connect(&load(&sources).unwrap()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("no Postgres answers at 127.0.0.1:{port}/ristoro")),
        "{text}"
    );
    assert!(!text.contains("s3cret") && !text.contains('\n'), "{text}");
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_told_in_one_line() {
    let options = PostgresOptions::throw_away(cache_directory());
    let postgres = Postgres::start(options).await.unwrap();
    let right = postgres.url("postgres");
    let (user, rest) = right.trim_start_matches("postgres://").split_once(':').unwrap();
    let place = rest.split_once('@').unwrap().1;
    let check = async |url: &str| {
        let flags = pairs(&[("database_url", url), ("log", "memory:")]);
        let config = load(&Sources { flags, ..Sources::default() }).unwrap();
        let connected = connect(&config).await;
        connected.map(|_| ())
    };
    check(&right).await.unwrap();
    let error = check(&format!("postgres://{user}:s3cret@{place}")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(user) && !text.contains("s3cret") && !text.contains('\n'), "{text}");
    let error = check(&postgres.url("elsewhere")).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoDatabase { .. }), "{error}");
    postgres.stop().await.unwrap();
}
