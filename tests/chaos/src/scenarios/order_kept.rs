//! A queue with a single active consumer keeps the order of publishing when nothing fails, over deployments too.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::contract::Contract;
use crate::evidence::Victim;
use crate::load::{Plan, Task};
use crate::log::Execution;
use crate::scenario::{On, Scenario, Size};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "one call at a time on a queue with a single active consumer, 20 prefetched, hosts replaced under load while others \
                wait: every message is executed once, in the order of publishing",
    on: On::SINGLE,
    quick: Some(Size { messages: 600, faults: 2 }),
    full: Size { messages: 5000, faults: 10 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let queue = "singleActiveConsumer: true";
    world.write_contract(&Contract { prefetch: 20, concurrency: 1, queue, ..Contract::default() })?;
    // The active one, and one that waits for its place from before the first message.
    let mut hosts = VecDeque::from([world.host()?, world.host()?]);
    let Size { messages, faults } = world.size;
    world.load(Plan { tasks: &[Task::Succeed], ms: 0..6, bytes: 0..512, ..Plan::mixed(messages) });
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        // Two wait when the active one goes: what comes first is for one of them, and not yet for the other.
        hosts.push_back(world.host()?);
        let oldest = hosts.pop_front().context("no host")?;
        world.fault(Victim::Nobody, "host replaced", || {
            oldest.terminate()?;
            let code = oldest.until_exit(Duration::from_secs(GRACE_SECONDS))?;
            ensure!(code == 0, "the host ended with exit code {code}");
            Ok(())
        })?;
    }
    world.account()?;
    world.with_evidence(|evidence| {
        // Between two hosts' turns is more than a millisecond: the log of the one that stops ends before.
        let mut executions: Vec<&Execution> = evidence.executions.iter().collect();
        executions.sort_by_key(|execution| execution.at_ms);
        let executed: Vec<&str> = executions.iter().map(|execution| &*execution.id).collect();
        let ordered = executed.windows(2).position(|pair| pair[0] >= pair[1]);
        if let Some(at) = ordered {
            let around = executed.get(at.saturating_sub(3)..(at + 5).min(executed.len()));
            ensure!(false, "out of order: {}", around.context("nothing around it")?.join(", "));
        }
        ensure!(executed.len() == messages, "{} executions of {messages} messages", executed.len());
        Ok(())
    })
}
