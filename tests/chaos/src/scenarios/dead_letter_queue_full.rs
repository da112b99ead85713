//! The dead-letter queue is full, for longer than the host keeps a dead letter; then the broker keeps it.

use anyhow::ensure;
use serde_json::json;

use crate::evidence::Victim;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the dead-letter queue is full until the host leaves dead letters to the broker: every one is still in the \
                work queue, work goes on, and after the repair each is there once",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 1000, faults: 1 },
    run,
};

/// Few enough of them die for the others to go on beside them.
const TASKS: &[Task] = &[Task::Fail, Task::Succeed, Task::Succeed, Task::Succeed, Task::Succeed];

fn run(world: &World) -> anyhow::Result<()> {
    world.broker_tries_again_after(5)?;
    let host = world.host()?;
    let Size { messages, .. } = world.size;
    let load = world.load(Plan { tasks: TASKS, allowed: 0, ..Plan::mixed(messages) });
    world.fault(Victim::Nobody, "dead-letter queue full", || {
        let limit = |messages: usize| json!({ "max-length": messages, "overflow": "reject-publish" });
        world.management.set_policy("full", "^dead$", &limit(1))?;
        load.allow(messages);
        host.until_said("a dead letter cannot be published and is left to the broker", 50)?;
        until("all but what cannot die are handled", SOON, || {
            let queues = world.management.messages()?;
            let count = |queue: &str| queues.get(queue).copied().unwrap_or_default();
            let handled = u64::try_from(messages * 4 / 5)?;
            ensure!(count("echoes") == handled, "{} are handled of {handled}", count("echoes"));
            let (kept, dead, all) = (count("work"), count("dead"), u64::try_from(messages / 5)?);
            ensure!(kept + dead == all, "{kept} are in the work queue and {dead} dead, of {all}");
            world.note(&format!("{kept} dead letters are kept in the work queue"));
            Ok(Some(()))
        })?;
        // Were the limit taken away and not raised, RabbitMQ 3.10 would not tell its own dead-lettering that there is room.
        world.management.set_policy("full", "^dead$", &limit(1_000_000))
    })?;
    world.account()?;
    let by_broker =
        world.with_evidence(|evidence| evidence.dead.iter().filter(|dead| dead.class == "rejected").count());
    world.note(&format!("{by_broker} of them were dead-lettered by the broker"));
    ensure!(by_broker > 0, "none was dead-lettered by the broker");
    Ok(())
}
