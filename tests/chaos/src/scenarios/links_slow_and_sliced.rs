//! The network is slow and breaks everything into tiny pieces.

use std::time::Duration;

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::proxy::{Way, Weather, Whose};
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "everything goes in pieces of 400 bytes at 200 KB/s at most, then of 40 bytes at 20 KB/s: the host just \
                works slowly, and nothing is lost, in duplicate or run again",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 1000, faults: 2 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let proxy = world.proxy()?;
    let host = world.host_by(&proxy)?;
    let Size { messages, .. } = world.size;
    let plan = Plan { bytes: 0..1024, ..Plan::mixed(messages) };
    world.load(plan);
    world.fault(Victim::Nobody, "pieces of 400 bytes", || {
        proxy.set(Weather::Sliced { bytes: 400, pause: Duration::from_millis(2) }, Whose::All, Way::Both);
        world.until_worked(6, 10)
    })?;
    world.fault(Victim::Nobody, "pieces of 40 bytes", || {
        proxy.set(Weather::Sliced { bytes: 40, pause: Duration::from_millis(2) }, Whose::All, Way::Both);
        world.until_worked(7, 10)
    })?;
    proxy.clear();
    world.account()?;
    let readies = host.readies()?;
    ensure!(readies == 1, "the host had to connect {readies} times");
    Ok(())
}
