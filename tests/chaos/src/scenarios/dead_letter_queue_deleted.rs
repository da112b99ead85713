//! The dead-letter queue is deleted, and messages fail for good at once.

use anyhow::Context;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the dead-letter queue is deleted before messages die: the host declares it again by itself, and nothing is \
                lost, in duplicate or run again",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 2000, faults: 4 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    world.host()?;
    let Size { messages, faults } = world.size;
    let load = world.load(Plan { allowed: 0, ..Plan::mixed(messages) });
    for fault in 0..faults {
        // What is in it goes with it.
        world.harvest()?;
        world.fault(Victim::Nobody, "dead-letter queue deleted", || {
            world.management.delete_queue("dead")?.context("there is no queue to delete")?;
            load.allow(messages * (fault + 1) / faults);
            until("the dead-letter queue is there again", SOON, || {
                Ok(world.management.queues()?.contains_key("dead").then_some(()))
            })
        })?;
        load.until_confirmed(messages * (fault + 1) / faults, SOON)?;
        world.until_drained()?;
    }
    world.account()
}
