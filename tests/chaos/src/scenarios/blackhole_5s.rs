//! The network between host and broker drops everything for five seconds, which is less than the heartbeats allow.

use std::time::Duration;

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::proxy::{Way, Weather, Whose};
use crate::scenario::{On, Scenario, Size};
use crate::wait::pause;
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the network drops everything for 5 s: the connections live on, and nothing is lost, in duplicate or run \
                again",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 3000, faults: 4 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let proxy = world.proxy()?;
    let host = world.host_by(&proxy)?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        world.fault(Victim::Nobody, "5 s of silence", || {
            proxy.set(Weather::Frozen, Whose::All, Way::Both);
            pause(Duration::from_secs(5));
            proxy.clear();
            Ok(())
        })?;
    }
    world.account()?;
    let (readies, lost) = (host.readies()?, host.said("lost the")?);
    ensure!(readies == 1 && lost == 0, "the host was ready {readies} times and lost {lost} connections");
    Ok(())
}
