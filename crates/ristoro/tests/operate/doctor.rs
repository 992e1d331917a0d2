//! `doctor`, on a setup that is well and on what can be wrong with one.

use ristoro_local::{MailCatcher, MailOptions, Postgres};
use serde_json::Value;

use crate::support::{Ended, Scratch, command, postgres, ristoro};

const CALLER: &str = "[[principal]]\nname = \"anna\"\nroles = [\"support\"]\n\
     token_sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";

/// A database with a log and all tables.
struct Setup {
    postgres: Postgres,
    address: String,
    scratch: Scratch,
}

impl Setup {
    async fn new() -> Self {
        let (postgres, scratch) = (postgres().await, Scratch::new());
        let address = postgres.create_database("ristoro").await.unwrap();
        ristoro(&["topics", "apply", "--log", &address, "--partitions", "2"]).says(0, &[]);
        let setup = Self { postgres, address, scratch };
        setup.call("migrate", &[]).says(0, &[]);
        setup
    }

    /// Calls a verb with the setup's file, and more settings that win over it.
    fn call(&self, verb: &str, more: &[(&str, &str)]) -> Ended {
        let principals = self.scratch.file("principals.toml", CALLER);
        let address = &self.address;
        let text = format!(
            "database_url = \"{address}\"\nlog = \"{address}\"\nprincipals_file = \"{principals}\"\n"
        );
        let file = self.scratch.file("ristoro.toml", &text);
        let mut call = command(&[verb, "--config", &file]);
        for (key, value) in more {
            match key.strip_prefix("--") {
                Some(_) => call.args([key, value]),
                None => call.args(["--set", &format!("{key}={value}")]),
            };
        }
        call.output().unwrap().into()
    }

    async fn execute(&self, sql: &str) {
        self.postgres.execute("ristoro", sql).await.unwrap();
    }
}

/// Gives the findings that are not ok, as `STATE CHECK: TEXT`.
fn troubles(ended: &Ended) -> Vec<String> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let findings = ended.json();
    let troubles = findings.as_array().unwrap().iter().filter(|row| row["state"] != "ok");
    troubles
        .map(|row| format!("{} {}: {}", text(row, "state"), text(row, "check"), text(row, "text")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_setup_is_good_in_every_line() {
    let setup = Setup::new().await;
    let mail = MailCatcher::start(MailOptions::default()).await.unwrap();
    let found = setup.call("doctor", &[("--smtp-url", &mail.url())]).says(0, &[" greets"]);
    assert_eq!(troubles(&found), Vec::<String>::new(), "{}", found.out);
    let checks = found.json().as_array().unwrap().len();
    assert_eq!(checks, 16, "{}", found.out);
    let table = setup.call("doctor", &[("--output", "table")]);
    table.says(0, &["1 callers in", "version 1", "notifier_1 is live and up to date"]);
    setup.postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_outside_is_told_with_its_cure() {
    let setup = Setup::new().await;
    let wrong = setup.address.replacen("ristoro:", "ristoro:wrong", 1);
    let check = |settings: &[(&str, &str)], expected: &str| {
        let found = setup.call("doctor", settings).says(1, &[]);
        let troubles = troubles(&found);
        assert!(
            troubles.iter().any(|trouble| trouble.starts_with(expected)),
            "{expected}: {troubles:#?}"
        );
        assert!(!found.out.contains("wrong@") && !found.out.contains("s3cret"), "{}", found.out);
    };
    let place = format!("127.0.0.1:{}/ristoro", setup.postgres.port());
    check(
        &[("database_url", &wrong)],
        &format!("bad postgres: Postgres at {place} refuses user \"ristoro\""),
    );
    let missing = setup.address.replace("/ristoro", "/nowhere");
    check(&[("database_url", &missing)], "bad postgres: Postgres at");
    let closed = "postgres://me:s3cret@127.0.0.1:1/ristoro";
    check(&[("database_url", closed)], "bad postgres: no Postgres answers at 127.0.0.1:1/ristoro");
    check(&[("log", closed)], "bad log: none answers at postgres://127.0.0.1:1/ristoro");
    check(&[("log", "kafka://127.0.0.1:1")], "bad log: none answers at kafka://127.0.0.1:1");
    let nobody = setup.scratch.file("bad.toml", "[[principal]]\nnam = \"a\"\n");
    check(&[("principals_file", &nobody)], &format!("bad principals: {nobody}:2:1: unknown field"));
    check(&[("--smtp-url", "smtp://127.0.0.1:1")], "bad mail: smtp://127.0.0.1:1 does not answer");
    let port = setup.postgres.port();
    check(&[("--smtp-url", &format!("smtp://127.0.0.1:{port}"))], "bad mail: smtp://127.0.0.1:");
    setup.call("doctor", &[("pool_size", "3")]).says(78, &["pool_size is \"3\""]);
    let small =
        setup.call("doctor", &[("pool_size", "4"), ("otlp_endpoint", "http://127.0.0.1:1")]);
    let troubles = troubles(&small.says(0, &[]));
    assert!(
        troubles[0].starts_with("warn pool size: 4 connections, and outage has"),
        "{troubles:#?}"
    );
    assert!(
        troubles[1].starts_with("warn spans: nothing listens at http://127.0.0.1:1"),
        "{troubles:#?}"
    );
    let many = setup.call("doctor", &[("pool_size", "190")]).says(1, &[]);
    assert!(many.out.contains("lower pool_size or raise max_connections"), "{}", many.out);
    setup.postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_do_not_fit_the_log_or_the_program_are_told() {
    let setup = Setup::new().await;
    let other = setup.postgres.create_database("other").await.unwrap();
    ristoro(&["topics", "apply", "--log", &other, "--partitions", "2"]).says(0, &[]);
    let foreign = setup.call("doctor", &[("log", &other)]).says(1, &[]);
    let told = troubles(&foreign);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(
        told[0].starts_with("bad outage reading: its tables were folded from log"),
        "{told:#?}"
    );
    let check = |code: i32, expected: &str| {
        let found = setup.call("doctor", &[]).says(code, &[]);
        assert_eq!(troubles(&found).len(), 1, "{}", found.out);
        assert!(troubles(&found)[0].starts_with(expected), "{expected}: {}", found.out);
    };
    let newer = "insert into outage_1._sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'later', true, '\\x00', 0)";
    setup.execute(newer).await;
    check(1, "bad outage tables: outage_1 was migrated by a newer program");
    setup.execute("delete from outage_1._sqlx_migrations where version = 9999").await;
    let changed = "update outage_1._sqlx_migrations set checksum = '\\x00' where version = 1";
    setup.execute(changed).await;
    check(1, "bad outage tables: outage_1 was made by other migrations");
    setup.execute("delete from outage_1._sqlx_migrations where version = 1").await;
    check(0, "warn outage tables: outage_1 lacks 1 migrations: run `ristoro migrate`");
    setup.execute("drop schema outage_control cascade").await;
    check(0, "warn outage tables: it has no tables yet");
    let ahead = "update payout_1.log_position set next_offset = 9 where partition = 1";
    setup.execute(ahead).await;
    let found = setup.call("doctor", &[]).says(1, &["it was truncated or made anew"]);
    assert!(troubles(&found)[1].starts_with("bad payout reading: payout."), "{}", found.out);
    setup.execute("update payout_1.log_position set next_offset = 0").await;
    let still = "insert into payout_control.poison (consumer, schema_name, topic, partition, \"offset\", stream, kind, problem)
                 values ('payout.orders', 'payout_control', 'ristoro.entitlement.v1', 0, 7, 's', 'k', 'p')";
    setup.execute(still).await;
    let found = setup.call("doctor", &[]);
    found.says(1, &["stands still: payout.orders at ristoro.entitlement.v1/0/7"]);
    let damage = "delete from ristoro_log.record where topic = 9 and partition = 1";
    setup.execute(damage).await;
    setup.call("doctor", &[]).says(1, &["ristoro.notice.v1/1/0"]);
    setup.postgres.stop().await.unwrap();
}
