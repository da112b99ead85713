//! Among what is published in one go is what the broker cannot route, which it confirms after returning it.

use std::time::Duration;

use anyhow::ensure;

use crate::contract::Contract;
use crate::evidence::Victim;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::pause;
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "one output in ten has no queue, again and again for 3 s, with 200 in flight: no message is acknowledged \
                whose output is nowhere, and nothing is lost, in duplicate or run again",
    on: On::SINGLE,
    quick: Some(Size { messages: 1500, faults: 2 }),
    full: Size { messages: 15_000, faults: 12 },
    run,
};

const TASKS: &[Task] = &[
    Task::Succeed,
    Task::Succeed,
    Task::Succeed,
    Task::Stray,
    Task::Succeed,
    Task::Succeed,
    Task::Succeed,
    Task::Succeed,
    Task::Succeed,
    Task::Succeed,
];

fn run(world: &World) -> anyhow::Result<()> {
    world.write_contract(&Contract { prefetch: 200, concurrency: 50, ..Contract::default() })?;
    let host = world.host()?;
    world.management.bind("out", "echoes", "strayed")?;
    let Size { messages, faults } = world.size;
    world.load(Plan { tasks: TASKS, per_second: 600, ms: 0..10, bytes: 0..512, ..Plan::mixed(messages) });
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        world.fault(Victim::Nobody, "no queue for some outputs", || {
            world.management.unbind("out", "echoes", "strayed")?;
            pause(Duration::from_secs(3));
            world.management.bind("out", "echoes", "strayed")
        })?;
    }
    world.account()?;
    ensure!(
        host.said("the message is kept and tried again")? > 0,
        "there was nothing that could not be routed"
    );
    Ok(())
}
