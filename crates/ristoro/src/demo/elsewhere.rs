//! What others would have paid for the same outage: every policy that is shipped, as if it had been written for mailboxes.

use anyhow::Result;
use ristoro_domain::policy::shipped;

use super::libero::{POLICIES, publish};
use super::{OUTAGE, People};
use crate::simulation::overview;
use crate::verbs::assessment::{Payment, simulate};

/// What stands for the lines, supplies and machines of the other policies; apps and accessory functions are left out.
const STANDS: &str = "mailbox";

/// Publishes the policies that the case did without, and shows all of them side by side.
pub async fn play(people: &People) -> Result<()> {
    println!(
        "\n9. Elsewhere: what every policy that is shipped would have paid for these mailboxes"
    );
    let all: Vec<String> = shipped().iter().map(|one| one.id.to_owned()).collect();
    for policy in all.iter().filter(|one| !POLICIES.contains(&one.as_str())) {
        publish(&people.ada, policy).await?;
    }
    let as_if = Some(vec![STANDS.to_owned()]);
    let simulated = simulate(&people.ada, OUTAGE, (&all, as_if), &Payment::default()).await?;
    println!("{}", overview(&simulated.simulations));
    Ok(())
}
