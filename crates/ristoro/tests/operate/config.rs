//! `config check` and `config show`.

use crate::support::{Scratch, command, ristoro};

const DATABASE: &str = "postgres://me:s3cret@127.0.0.1:5432/ristoro";

#[test]
fn every_problem_is_told_with_its_place_and_what_was_meant() {
    let scratch = Scratch::new();
    let text = format!("databse_url = \"{DATABASE}\"\nlog = \"kafka://a:9092\"\npool_size = 1\n");
    let file = scratch.file("ristoro.toml", &text);
    let mut check = command(&["config", "check", "--config", &file, "--set", "leese=all"]);
    let check = check.env("RISTORO_LISTEN", "here").env("RISTORO_SMTP_URL", "smtp://no-setting:25");
    let ended: crate::support::Ended = check.output().unwrap().into();
    let told = ended.says(
        78,
        &[
            &format!("{file}:1:1: unknown setting \"databse_url\": did you mean database_url?"),
            &format!("{file}:3:13: pool_size is \"1\": write a whole number, 4 to 200"),
            "--set leese: unknown setting \"leese\": did you mean lease?",
            "RISTORO_LISTEN: listen is \"here\", no address to listen on",
            "database_url is not set: put it into the file, or set RISTORO_DATABASE_URL",
        ],
    );
    assert!(!told.err.contains("s3cret") && told.out.is_empty(), "{}{}", told.out, told.err);
    assert_eq!(told.err.lines().count(), 5, "{}", told.err);
}

#[test]
fn a_complete_configuration_is_shown_with_the_source_of_every_value() {
    let scratch = Scratch::new();
    let text = format!("database_url = \"{DATABASE}\"\nlog = \"kafka://a:9092\"\npool_size = 20\n");
    let file = scratch.file("ristoro.toml", &text);
    let mut show = command(&["config", "show", "--set", "lease=all"]);
    let show = show.env("RISTORO_CONFIG", &file).env("RISTORO_POOL_SIZE", "30").output().unwrap();
    let shown = crate::support::Ended::from(show).says(0, &[]);
    assert!(!shown.out.contains("s3cret"), "{}", shown.out);
    let rows = shown.json();
    assert_eq!(rows.as_array().unwrap().len(), 14);
    let check = |key: &str, value: &str, source: &str| {
        let row = rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
        assert_eq!((&row["value"], &row["source"]), (&value.into(), &source.into()), "{key}");
    };
    check("database_url", "postgres://me:***@127.0.0.1:5432/ristoro", &format!("{file}:1:16"));
    check("pool_size", "30", "RISTORO_POOL_SIZE");
    check("lease", "all", "--set lease");
    check("partitions", "8", "default");
    let table = ristoro(&["config", "show", "--config", &file, "--output", "table"]);
    table.says(0, &["postgres://me:***@127.0.0.1:5432/ristoro", &format!("{file}:3:13")]);
}

#[test]
fn who_may_call_is_checked_too() {
    let scratch = Scratch::new();
    let principals =
        scratch.file("principals.toml", "[[principal]]\nname = \"anna\"\nroles = [\"admin\"]\n");
    let database = format!("database_url={DATABASE}");
    let call = |file: &str| {
        let file = format!("principals_file={file}");
        let settings = ["--set", &database, "--set", "log=kafka://a:1", "--set", &file];
        ristoro(&[&["config", "check"], &settings[..]].concat())
    };
    call(&principals).says(78, &["missing field `token_sha256`"]);
    call(&scratch.path("nowhere.toml")).says(78, &["nowhere.toml: cannot be read"]);
    let principals = scratch.file("principals.toml", "");
    call(&principals)
        .says(0, &["the configuration is complete: 3 of 14 settings are set, 0 callers in"]);
}
