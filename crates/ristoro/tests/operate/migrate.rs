//! `migrate`: tables without services.

use crate::support::{postgres, ristoro};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_made_once_and_found_again() {
    let postgres = postgres().await;
    let address = postgres.create_database("ristoro").await.unwrap();
    let settings =
        ["--set", &format!("database_url={address}"), "--set", &format!("log={address}")];
    let migrate = || ristoro(&[&["migrate"], &settings[..]].concat());
    migrate().says(78, &["is not on the log: run `ristoro topics apply`"]);
    ristoro(&["topics", "apply", "--log", &address, "--partitions", "2"]).says(0, &[]);

    let first = migrate().says(0, &[]).json();
    let first = first.as_array().unwrap();
    let names: Vec<_> = first.iter().map(|row| row["service"].as_str().unwrap()).collect();
    assert_eq!(names, ["outage", "eligibility", "payout", "notifier"]);
    for row in first {
        assert!(row["new"].as_u64() > Some(3) && row["new"] == row["migrations"], "{row}");
    }
    let second = migrate().says(0, &[]).json();
    for (row, before) in second.as_array().unwrap().iter().zip(first) {
        assert_eq!((&row["new"], &row["migrations"]), (&0.into(), &before["migrations"]));
    }
    let shown = postgres
        .execute("ristoro", "select count(*) > 5 from pg_views where schemaname = 'payout'")
        .await;
    assert_eq!(shown.unwrap(), "t");
    postgres.stop().await.unwrap();
    migrate().says(69, &["no Postgres answers at 127.0.0.1"]);
}
