//! The wait queues take next to nothing, because an operator's policy limits them.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use crate::evidence::Victim;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{pause, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the wait queues are full for 8 s at a time: what they do not take is kept, work goes on within 45 s of the \
                repair, and nothing is lost, in duplicate or run again",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 2000, faults: 4 },
    run,
};

/// How soon work goes on once there is room.
const GOES_ON: Duration = Duration::from_secs(45);
const TASKS: &[Task] = &[Task::SucceedLater, Task::FailAgain, Task::Trap, Task::Succeed];

fn run(world: &World) -> anyhow::Result<()> {
    let host = world.host()?;
    let Size { messages, faults } = world.size;
    world.load(Plan { tasks: TASKS, ..Plan::mixed(messages) });
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        world.fault(Victim::Nobody, "wait queues full", || {
            // They refuse what does not fit by the host's own argument.
            world.management.set_policy("full", "^work-wait-", &json!({ "max-length": 0 }))?;
            pause(Duration::from_secs(8));
            world.management.clear_policy("full")?;
            // A pause of the host is 30 s at most; RabbitMQ 3.10 does not tell the host's channel that there is room again.
            let began = || host.with_log(|log| log.executions.len());
            let before = began();
            until("more messages are taken up than were in hand", GOES_ON, || {
                Ok((began() > before + 50).then_some(()))
            })
        })?;
    }
    world.account()?;
    ensure!(host.said("the message is kept and tried again")? > 0, "the wait queues have taken everything");
    let returned = host.said("goes back to its queue")?;
    ensure!(returned == 0, "{returned} messages went back to their queue");
    Ok(())
}
