//! `ristoro projection back`: the tables that were built before the live ones are live again.

use anyhow::{Context, Result, bail};
use ristoro_proto::ops::v1 as api;

use super::which::{Which, schemas_of};
use super::{COLUMNS, list, shown, switch};
use crate::call::Sending;
use crate::client::{Caller, Service};
use crate::output::{Output, print_list};

/// Switches every service that is meant back, once it is known that each can be.
pub async fn run(which: &Which, caller: &Caller, output: Output) -> Result<()> {
    let listed = list(caller).await?;
    let mut found = Vec::new();
    for service in which.services(&listed)? {
        match before(&listed, service) {
            Some(pair) => found.push(pair),
            // Of all services, those go back that can.
            None if which.all => {}
            None => bail!("the {} service has no tables from before the live ones", service.name()),
        }
    }
    if found.is_empty() {
        bail!("no service has tables from before the live ones");
    }
    let mut rows = Vec::new();
    for (old, live) in found {
        let switched = switch(caller, &old.name, &live.name, &Sending::fresh()).await;
        let switched = switched.with_context(|| format!("the switch to {}", old.name))?;
        rows.push(shown(output, &switched.context("the answer has no schema")?));
    }
    print_list(output, &rows, COLUMNS)
}

/// Gives a service's newest schema of those before the live one, and the live one.
fn before(
    listed: &[api::Projection],
    service: Service,
) -> Option<(&api::Projection, &api::Projection)> {
    let mut newest_first = schemas_of(listed, service).rev();
    let live = newest_first.find(|one| one.live)?;
    Some((newest_first.next()?, live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_before_the_live_one_comes_back() {
        let one = |name: &str, live| api::Projection {
            name: format!("projections/{name}"),
            live,
            ..api::Projection::default()
        };
        let listed = [
            one("outage/schemas/1", true),
            one("payout/schemas/1", false),
            one("payout/schemas/3", false),
            one("payout/schemas/4", true),
            one("payout/schemas/5", false),
        ];
        let found = before(&listed, Service::Payout).map(|(old, live)| (&*old.name, &*live.name));
        assert_eq!(found, Some(("projections/payout/schemas/3", "projections/payout/schemas/4")));
        assert_eq!(before(&listed, Service::Outage), None);
    }
}
