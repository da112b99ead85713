//! A queue with a single active consumer keeps the order of publishing when nothing fails, over deployments too.

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::contract::Contract;
use crate::evidence::Victim;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "one call at a time on a queue with a single active consumer, 20 prefetched, hosts replaced under load: every \
                message is executed once, in the order of publishing",
    on: On::SINGLE,
    quick: Some(Size { messages: 600, faults: 2 }),
    full: Size { messages: 5000, faults: 10 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let queue = "singleActiveConsumer: true";
    world.write_contract(&Contract { prefetch: 20, concurrency: 1, queue, ..Contract::default() })?;
    let mut host = world.host()?;
    let Size { messages, faults } = world.size;
    world.load(Plan { tasks: &[Task::Succeed], ms: 0..6, bytes: 0..512, ..Plan::mixed(messages) });
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        // It is there before the old one goes, and active after.
        let next = world.host()?;
        world.fault(Victim::Nobody, "host replaced", || {
            host.terminate()?;
            let code = host.until_exit(Duration::from_secs(GRACE_SECONDS))?;
            ensure!(code == 0, "the host ended with exit code {code}");
            Ok(())
        })?;
        host = next;
    }
    world.account()?;
    world.with_evidence(|evidence| {
        // One host's after the other's, each in the order of its log.
        let executed: Vec<&str> = evidence.executions.iter().map(|execution| &*execution.id).collect();
        let ordered = executed.windows(2).position(|pair| pair[0] >= pair[1]);
        if let Some(at) = ordered {
            let around = executed.get(at.saturating_sub(3)..(at + 5).min(executed.len()));
            ensure!(false, "out of order: {}", around.context("nothing around it")?.join(", "));
        }
        ensure!(executed.len() == messages, "{} executions of {messages} messages", executed.len());
        Ok(())
    })
}
