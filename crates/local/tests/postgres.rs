//! A real Postgres: started, asked, crashed, restarted and gone.

mod support;

use ristoro_local::{DataDirectory, Postgres, PostgresOptions, cache_directory};
use support::{is_running, until};

#[tokio::test]
async fn a_postgres_answers_and_leaves_nothing_behind() {
    let postgres = Postgres::start(PostgresOptions::throw_away(cache_directory())).await.unwrap();
    let (pid, directory) = (postgres.process_id(), postgres.directory().to_path_buf());
    let url = postgres.create_database("outage \"one\"").await.unwrap();
    assert_eq!(postgres.create_database("outage \"one\"").await.unwrap(), url);
    let answer = postgres.execute("outage \"one\"", "SELECT 1, current_database()").await.unwrap();
    assert_eq!(answer, "1|outage \"one\"");
    assert!(is_running(pid) && directory.is_dir());
    postgres.stop().await.unwrap();
    assert!(!is_running(pid), "the server is gone");
    assert!(!directory.exists(), "so is its data");
}

#[tokio::test]
async fn a_wrong_statement_is_told_in_postgres_s_words() {
    let postgres = Postgres::start(PostgresOptions::throw_away(cache_directory())).await.unwrap();
    let error = postgres.execute("postgres", "SELECT * FROM nowhere").await.unwrap_err();
    assert!(error.to_string().contains("relation \"nowhere\" does not exist"), "{error}");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn commits_survive_a_crash() {
    let options = PostgresOptions::throw_away(cache_directory());
    let mut postgres = Postgres::start(options).await.unwrap();
    let (url, first_pid) = (postgres.url("postgres"), postgres.process_id());
    postgres.execute("postgres", "CREATE TABLE t AS SELECT 42 AS answer").await.unwrap();
    postgres.kill().await.unwrap();
    assert!(!is_running(first_pid));
    postgres.restart().await.unwrap();
    assert_eq!(postgres.url("postgres"), url);
    assert_ne!(postgres.process_id(), first_pid);
    assert_eq!(postgres.execute("postgres", "SELECT answer FROM t").await.unwrap(), "42");
    let directory = postgres.directory().to_path_buf();
    postgres.stop().await.unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_named_directory_is_found_again() {
    let name = format!("ristoro-kept-{}", uuid::Uuid::new_v4().simple());
    let directory = std::env::temp_dir().join(name);
    let options = || PostgresOptions::persistent(cache_directory(), directory.clone());
    let postgres = Postgres::start(options()).await.unwrap();
    postgres.execute("postgres", "CREATE TABLE t AS SELECT 42 AS answer").await.unwrap();
    let second = Postgres::start(options()).await.unwrap_err();
    assert!(second.to_string().contains("lock file"), "{second}");
    postgres.stop().await.unwrap();
    let postgres = Postgres::start(options()).await.unwrap();
    assert_eq!(postgres.execute("postgres", "SELECT answer FROM t").await.unwrap(), "42");
    postgres.stop().await.unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn a_dropped_postgres_goes_too() {
    let options = PostgresOptions::throw_away(cache_directory());
    assert_eq!(options.data, DataDirectory::ThrowAway);
    let postgres = Postgres::start(options).await.unwrap();
    let (pid, directory) = (postgres.process_id(), postgres.directory().to_path_buf());
    drop(postgres);
    until("the dropped server is gone", || !is_running(pid) && !directory.exists()).await;
}
