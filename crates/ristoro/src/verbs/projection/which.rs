//! The services whose tables are meant.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use ristoro_proto::ops::v1 as api;

use crate::client::Service;

/// Which tables.
#[derive(Debug, Args)]
pub struct Which {
    /// The tables of all services behind --endpoint
    #[arg(long, required_unless_present = "service", conflicts_with = "service")]
    pub all: bool,
    /// The tables of one service; may be repeated
    #[arg(long)]
    pub service: Vec<Service>,
}

impl ValueEnum for Service {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

impl Which {
    /// Gives the services that are meant, and makes sure that each of them is listed before anything is done.
    pub fn services(&self, listed: &[api::Projection]) -> Result<Vec<Service>> {
        let there = |service: &Service| schemas_of(listed, *service).next().is_some();
        let wanted = if self.all { &Service::ALL[..] } else { &self.service };
        if let Some(missing) = self.service.iter().find(|service| !there(service)) {
            bail!("nobody behind --endpoint serves the {} service", missing.name());
        }
        let found: Vec<Service> = wanted.iter().copied().filter(there).collect();
        if found.is_empty() {
            bail!("nobody behind --endpoint serves a service with tables");
        }
        Ok(found)
    }
}

/// Gives the schemas of a service, oldest first.
pub fn schemas_of(
    listed: &[api::Projection],
    service: Service,
) -> impl DoubleEndedIterator<Item = &api::Projection> {
    let prefix = format!("projections/{}/", service.name());
    listed.iter().filter(move |one| one.name.starts_with(&prefix))
}
