//! Runs local servers until ctrl-C, for trying things by hand: `local-servers postgres kafka mail`.
//! Prints one line for each, its name and its address, in the order of the arguments.
#![expect(clippy::print_stdout, reason = "a program that talks to a person")]

use anyhow::{Result, bail};
use ristoro_local::{
    Kafka, KafkaOptions, MailCatcher, MailOptions, Postgres, PostgresOptions, cache_directory,
};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Default)]
struct Servers {
    postgres: Option<Postgres>,
    kafka: Option<Kafka>,
    mail: Option<MailCatcher>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut servers = Servers::default();
    let mut terminate = signal(SignalKind::terminate())?;
    // A signal during a start ends the process at once, and each supervisor its server.
    tokio::select! {
        started = start(&mut servers) => started?,
        _ = tokio::signal::ctrl_c() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    }
    tokio::select! {
        signalled = tokio::signal::ctrl_c() => signalled?,
        _ = terminate.recv() => {}
    }
    stop(servers).await
}

async fn start(servers: &mut Servers) -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        bail!("name the servers to run: postgres, kafka, mail");
    }
    for name in names {
        match name.as_str() {
            "postgres" => {
                let postgres = start_postgres().await?;
                println!("postgres {}", postgres.url("postgres"));
                servers.postgres = Some(postgres);
            }
            "kafka" => {
                let kafka = Kafka::start(KafkaOptions::throw_away(cache_directory())).await?;
                println!("kafka {}", kafka.bootstrap());
                servers.kafka = Some(kafka);
            }
            "mail" => {
                let mail = MailCatcher::start(MailOptions::default()).await?;
                println!("mail {}", mail.url());
                servers.mail = Some(mail);
            }
            _ => bail!("no server is called {name}: there are postgres, kafka, mail"),
        }
    }
    Ok(())
}

async fn start_postgres() -> ristoro_local::Result<Postgres> {
    Postgres::start(PostgresOptions::throw_away(cache_directory())).await
}

async fn stop(servers: Servers) -> Result<()> {
    drop(servers.mail);
    if let Some(kafka) = servers.kafka {
        kafka.stop().await?;
    }
    if let Some(postgres) = servers.postgres {
        postgres.stop().await?;
    }
    Ok(())
}
