//! Every connection is reset, and for a while new ones are, too.

use std::time::Duration;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::pause;
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "connections are reset and new ones refused for 5 s: the host comes back by itself and nothing is lost",
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
        let (readies, publishing) = (host.readies()?, host.said("publishing again")?);
        world.fault(Victim::Host, "connections refused", || {
            proxy.close();
            pause(Duration::from_secs(5));
            proxy.clear();
            host.until_ready(readies + 1)?;
            host.until_said("publishing again", publishing + 1)
        })?;
    }
    world.account()
}
