//! Two hosts share a queue; one is killed with SIGKILL again and again, and the other just works.

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "one of two hosts is killed again and again: the other never loses a connection, nothing is lost or taken for \
                poison, and only what the killed one had in flight is run again",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 6000, faults: 25 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let survivor = world.host()?;
    let mut victim = world.host()?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        world.fault(Victim::Host, "host killed", || {
            victim.kill9()?;
            victim = world.host()?;
            Ok(())
        })?;
    }
    world.account()?;
    let (readies, lost) = (survivor.readies()?, survivor.said("lost")?);
    ensure!(
        readies == 1 && lost == 0,
        "the survivor was ready {readies} times, and lost something {lost} times"
    );
    Ok(())
}
