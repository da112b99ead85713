//! The broker runs out of memory, by its own reckoning: it stops reading from connections that publish.

use std::time::Duration;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::pause;
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the broker has a memory alarm for 10 s, then for 45 s, which is longer than a confirm may take: work goes \
                on after it and nothing is lost",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 3000, faults: 2 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    world.host()?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for (fault, seconds) in [10, 45].into_iter().enumerate() {
        world.until_worked(fault + 1, faults + 2)?;
        world.fault(Victim::Host, &format!("memory alarm for {seconds} s"), || {
            world.node().ctl(&["set_vm_memory_high_watermark", "0.000001"])?;
            pause(Duration::from_secs(seconds));
            world.node().ctl(&["set_vm_memory_high_watermark", "absolute", "1GB"])?;
            // What waited is published now, and handlers go on.
            world.until_worked(fault * 2 + 3, faults * 2 + 3)
        })?;
    }
    world.account()
}
