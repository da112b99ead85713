//! The consuming connection is lost when all outputs are confirmed and not one ack has arrived.

use std::time::Duration;

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::proxy::{Way, Weather, Whose};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, pause, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "acks are held back until a whole prefetch is finished, then the connection is reset: what comes again is \
                acked without being run, and nothing is lost or in duplicate",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 5000, faults: 12 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let proxy = world.proxy()?;
    let host = world.host_by(&proxy)?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let (readies, lost) = (host.readies()?, host.said("lost the broker")?);
        world.fault(Victim::Host, "acks lost", || {
            proxy.set(Weather::Frozen, Whose::Consuming, Way::ToBroker);
            let mut seen = Vec::new();
            until("everything in hand is finished", SOON, || {
                pause(Duration::from_millis(250));
                seen.push(host.with_log(|log| log.executions.len()));
                // No call takes longer than 60 ms.
                let still =
                    seen.len() > 8 && seen[seen.len() - 8..].iter().all(|count| Some(count) == seen.last());
                Ok(still.then_some(()))
            })?;
            proxy.set(Weather::Reset, Whose::Consuming, Way::Both);
            host.until_said("lost the broker", lost + 1)?;
            proxy.clear();
            host.until_ready(readies + 1)
        })?;
    }
    world.account()?;
    let known = host.said("was finished before its ack was lost")?;
    let verdict = world.verdict();
    world.note(&format!("{known} messages came again and were acked, {} were run again", verdict.again));
    ensure!(known >= faults * 25, "only {known} messages came again and were known");
    ensure!(
        verdict.again == 0 && verdict.duplicates == 0,
        "{} were run again, {} are in duplicate",
        verdict.again,
        verdict.duplicates
    );
    Ok(())
}
