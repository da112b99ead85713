//! The wait queues are deleted, and messages fail at once that should go there. What is in a queue goes with it, so they
//! are empty then.

use anyhow::Context;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "both wait queues are deleted before messages fail: the host declares them again by itself, and nothing is \
                lost, in duplicate or run again",
    on: On::SINGLE,
    quick: Some(Size { messages: 200, faults: 1 }),
    full: Size { messages: 2000, faults: 4 },
    run,
};

const QUEUES: [&str; 2] = ["work-wait-200ms", "work-wait-400ms"];

fn run(world: &World) -> anyhow::Result<()> {
    world.host()?;
    let Size { messages, faults } = world.size;
    let load = world.load(Plan { allowed: 0, ..Plan::mixed(messages) });
    for fault in 0..faults {
        world.fault(Victim::Nobody, "wait queues deleted", || {
            for queue in QUEUES {
                world
                    .management
                    .delete_queue(queue)?
                    .with_context(|| format!("there is no queue {queue}"))?;
            }
            load.allow(messages * (fault + 1) / faults);
            until("the wait queues are there again", SOON, || {
                let queues = world.management.queues()?;
                Ok(QUEUES.iter().all(|queue| queues.contains_key(*queue)).then_some(()))
            })
        })?;
        load.until_confirmed(messages * (fault + 1) / faults, SOON)?;
        world.until_drained()?;
    }
    world.account()
}
