//! The binary with files, settings and servers that are wrong.

use ristoro_log::{EventLog, LogConfig};
use uuid::Uuid;

use super::world::POLICY;
use super::{Case, Outcome, World};

const HEADER: &str = "subscription_id,subscriber_id,service,plan,segment,class,cohort,fee,currency,\
                      fee_period,valid_from,valid_to,email,phone,locale,iban,payee_name";

/// Imports a file of one row.
async fn import(world: &World, row: &str) -> Outcome {
    let file = world.file("roster.csv", &format!("{HEADER}\n{row}\n"))?;
    world.run(&["subscriptions", "import", &file, "--output", "table"], &[]).await
}

/// Starts the outage service with a setting that is wrong.
async fn start(world: &World, key: &str, value: &str) -> Outcome {
    world.run(&["outage"], &[(key, value)]).await
}

/// Gives the cases.
pub fn cases() -> Vec<Case> {
    [files(), settings(), servers()].concat()
}

fn files() -> Vec<Case> {
    let class = "row of a CSV file";
    vec![
        Case {
            class,
            sent: "an account with swapped digits",
            refused: ("exit 1", ""),
            words: &["1 rows refused", "roster.csv:2: iban: is no IBAN", "check digits"],
            run: |world| {
                let row = "m-9,p-9,libero-mail,free,consumer,free,,,,,2022-01-01,,,,,\
                           IT60X0542811101000000123465,Ada Neri";
                Box::pin(import(world, row))
            },
        },
        Case {
            class,
            sent: "30 February",
            refused: ("exit 1", ""),
            words: &["roster.csv:2: valid_from:", "2022-02-30"],
            run: |world| {
                Box::pin(import(
                    world,
                    "m-9,p-9,libero-mail,free,consumer,free,,,,,2022-02-30,,,,,,",
                ))
            },
        },
        Case {
            class,
            sent: "a fee with a comma and three decimals",
            refused: ("exit 1", ""),
            words: &["roster.csv:2: fee:", "is not an amount in EUR", "at most 2 decimals"],
            run: |world| {
                let row = "m-9,p-9,libero-mail,plus-5gb,consumer,principal,,\"19,990\",EUR,year,\
                           2022-01-01,,,,,,";
                Box::pin(import(world, row))
            },
        },
        Case {
            class,
            sent: "a column that no file has",
            refused: ("exit 1", ""),
            words: &["roster.csv", "favourite_colour"],
            run: |world| {
                Box::pin(async {
                    let text = format!("{HEADER},favourite_colour\n");
                    let file = world.file("roster.csv", &text)?;
                    world.run(&["subscriptions", "import", &file, "--output", "table"], &[]).await
                })
            },
        },
        Case {
            class: "unknown policy key",
            sent: "percnt for percent, checked without a server",
            refused: ("exit 1", ""),
            words: &["goodwill.toml:71:1", "percnt", "percent"],
            run: |world| {
                Box::pin(async {
                    let text = POLICY.replace("percent = ", "percnt = ");
                    let file = world.file("goodwill.toml", &text)?;
                    world.run(&["policy", "check", &file], &[]).await
                })
            },
        },
    ]
}

fn settings() -> Vec<Case> {
    let class = "configuration";
    vec![
        Case {
            class,
            sent: "a key that is none",
            refused: ("exit 78", ""),
            words: &["outage.toml:2:1", "lsten", "listen"],
            run: |world| {
                Box::pin(async {
                    let text = "pool_size = 8\nlsten = \"127.0.0.1:0\"\n";
                    let file = world.file("outage.toml", text)?;
                    world.run(&["outage", "--config", &file], &[]).await
                })
            },
        },
        Case {
            class,
            sent: "a principals file with a role that is none",
            refused: ("exit 78", ""),
            words: &["people.toml:3:", "\"admin\" is no role", "write one of"],
            run: |world| {
                Box::pin(async {
                    let hash = "0".repeat(64);
                    let text = format!(
                        "[[principal]]\nname = \"eve\"\nroles = [\"admin\"]\ntoken_sha256 = \"{hash}\"\n"
                    );
                    let file = world.file("people.toml", &text)?;
                    start(world, "RISTORO_PRINCIPALS_FILE", &file).await
                })
            },
        },
        Case {
            class: "port in use",
            sent: "the address of a running service",
            refused: ("exit 78", ""),
            words: &["is in use by another program", "stop it, or set `listen`"],
            run: |world| {
                let address = world.stack.service("outage").endpoint.replace("http://", "");
                Box::pin(async move { start(world, "RISTORO_LISTEN", &address).await })
            },
        },
    ]
}

fn servers() -> Vec<Case> {
    vec![
        Case {
            class: "wrong password",
            sent: "another password for the database",
            refused: ("exit 78", ""),
            words: &["refuses user \"ristoro\"", "the password in database_url"],
            run: |world| {
                Box::pin(async {
                    let (before, place) =
                        world.stack.database.rsplit_once('@').ok_or("the URL has a password")?;
                    let (user, password) = before.rsplit_once(':').ok_or("as above")?;
                    let url = format!("{user}:wrong@{place}");
                    let refused = start(world, "RISTORO_DATABASE_URL", &url).await?;
                    assert!(!refused.message.contains(password), "no password is shown");
                    Ok(refused)
                })
            },
        },
        Case {
            class: "wrong password",
            sent: "a database that is not there",
            refused: ("exit 78", ""),
            words: &["no such database", "create it, or correct database_url"],
            run: |world| {
                Box::pin(async {
                    let url = world.stack.postgres.url("nowhere");
                    start(world, "RISTORO_DATABASE_URL", &url).await
                })
            },
        },
        Case {
            class: "wrong password",
            sent: "a port where no Postgres is",
            refused: ("exit 69", ""),
            words: &["no Postgres answers at 127.0.0.1:1/", "start it, or correct database_url"],
            run: |world| {
                let url = "postgres://ristoro:x@127.0.0.1:1/ristoro";
                Box::pin(start(world, "RISTORO_DATABASE_URL", url))
            },
        },
        Case {
            class: "foreign log",
            sent: "another system's log under these tables",
            refused: ("exit 78", ""),
            words: &["another log", "connect it to its own log, or to a new database"],
            run: |world| {
                Box::pin(async {
                    let url = world.stack.postgres.create_database("foreign").await?;
                    let log = LogConfig::Postgres { url: url.clone() };
                    EventLog::create(&log, Uuid::new_v4(), 2).await?;
                    start(world, "RISTORO_LOG", &url).await
                })
            },
        },
    ]
}
