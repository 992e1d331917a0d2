//! Cases that are played through the public API, and the people who play them.

pub mod elsewhere;
pub mod libero;
mod money;
pub mod notices;
mod outage;
mod why;

use std::collections::BTreeMap;

use anyhow::{Context, Result};

pub use outage::OUTAGE;

use crate::client::{Caller, Endpoints};

/// The people of a case: nobody may approve what they proposed, whatever their roles, so there are two of them.
pub struct People {
    /// Declares, imports, publishes and proposes.
    pub ada: Caller,
    /// Approves.
    pub bruno: Caller,
    /// Reads and explains.
    pub carla: Caller,
}

/// The roles that each of them needs, as the principals file names them.
pub const ROLES: [(&str, &[&str]); 3] = [
    ("ada", &["observer", "declarer", "policy-author", "proposer", "approver", "operator"]),
    ("bruno", &["approver", "treasury"]),
    ("carla", &["support", "analyst"]),
];

impl People {
    /// Connects all of them; the text is TOML, `ada = "TOKEN"`.
    pub async fn connect(endpoints: &Endpoints, tokens: &str) -> Result<Self> {
        let mut tokens: BTreeMap<String, String> =
            toml::from_str(tokens).context("the file of tokens is no TOML of NAME = \"TOKEN\"")?;
        let mut token = |name: &str| {
            tokens.remove(name).with_context(|| format!("the file of tokens has none for {name}"))
        };
        let ada = Caller::connect(endpoints, &token("ada")?).await?;
        let bruno = ada.with_token(&token("bruno")?)?;
        let carla = ada.with_token(&token("carla")?)?;
        Ok(Self { ada, bruno, carla })
    }
}
