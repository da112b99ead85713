//! The work queue is deleted while the host consumes from it. What is in a queue goes with it, so it is empty then; the
//! publisher goes on at once.

use anyhow::Context;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the work queue is deleted while it is consumed: the host declares it again by itself, and nothing that was \
                confirmed later is lost",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 2000, faults: 3 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let host = world.host()?;
    let Size { messages, faults } = world.size;
    let load = world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        load.allow(0);
        world.until_drained()?;
        world.fault(Victim::Host, "queue deleted", || {
            world.management.delete_queue("work")?.context("there is no queue to delete")?;
            load.allow(messages);
            host.until_said("consuming again", fault + 1)
        })?;
    }
    world.account()
}
