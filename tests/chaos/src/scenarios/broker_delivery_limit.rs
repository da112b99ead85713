//! Messages reach the broker's own delivery limit while there is nowhere to dead-letter them to.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use crate::client;
use crate::contract::Contract;
use crate::evidence::Victim;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, until};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the broker's own delivery limit is reached while the dead-letter queue is gone, then while it is full: the \
                messages stay in the work queue, and arrive once it is back, each once",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 400, faults: 2 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    world.broker_tries_again_after(5)?;
    world.dead_may_be("delivery_limit");
    world.write_contract(&Contract { queue: "deliveryLimit: 3", ..Contract::default() })?;
    let Size { messages, faults } = world.size;
    // Something of no host's takes these.
    let load = world.load(Plan { tasks: &[Task::Poison], allowed: 0, ..Plan::mixed(messages) });
    let limit = |messages: usize| json!({ "max-length": messages, "overflow": "reject-publish" });
    let mut host = world.host()?;
    for fault in 0..faults {
        host.terminate()?;
        host.until_exit(Duration::from_secs(GRACE_SECONDS))?;
        let gone = fault % 2 == 0;
        let what = if gone { "dead-letter queue deleted" } else { "dead-letter queue full" };
        world.fault(Victim::Nobody, what, || {
            if gone {
                world.harvest()?;
                world.management.delete_queue("dead")?.context("there is no queue to delete")?;
            } else {
                world.management.set_policy("full", "^dead$", &limit(1))?;
            }
            let (before, all) = (messages * fault / faults, messages * (fault + 1) / faults);
            load.allow(all);
            load.until_confirmed(all, SOON)?;
            let rounds = client::drop_all(&world.direct(), "work")?;
            let kept = until("the messages are counted", SOON, || {
                let kept = world.management.messages()?.get("work").copied().unwrap_or_default();
                Ok((kept > 0).then_some(kept))
            })?;
            world.note(&format!("{kept} are kept in the work queue after being handed over {rounds} times"));
            ensure!(rounds == 4, "handed over {rounds} times, and not once and 3 times more");
            if gone {
                let kept = usize::try_from(kept)?;
                ensure!(kept == all - before, "{kept} are kept of {}", all - before);
                // It declares the queue.
                host = world.host()?;
            } else {
                // Not taken away: RabbitMQ 3.10 would not tell its own dead-lettering that there is room.
                world.management.set_policy("full", "^dead$", &limit(1_000_000))?;
            }
            Ok(())
        })?;
        world.until_drained()?;
    }
    world.account()?;
    world.with_evidence(|evidence| {
        let (dead, run) = (evidence.dead.len(), evidence.executions.len());
        ensure!(dead == messages && run == 0, "{dead} of {messages} are dead, {run} were run");
        Ok(())
    })
}
