//! A host is killed at one step of one delivery, and what is left behind is just what that step explains.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use crate::contract::Contract;
use crate::evidence::{Evidence, Victim};
use crate::host::Start;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, now_ms, until};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "killed before the handler: run once and there once; in it: run twice, there once; after publishing: run \
                twice, there once or twice; after the confirm or before the ack: run twice, there twice",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 15, faults: 15 },
    run,
};

/// Each step with how often the first attempt is run, and how often what came of it is there: at least, at most.
const STEPS: [(&str, usize, usize, usize); 5] = [
    ("after-delivery", 1, 1, 1),
    ("mid-handler", 2, 1, 1),
    ("after-publish", 2, 1, 2),
    ("after-confirm", 2, 2, 2),
    ("before-ack-flush", 2, 2, 2),
];

fn run(world: &World) -> anyhow::Result<()> {
    // One at a time, or others would be in flight at some other step.
    world.write_contract(&Contract { prefetch: 1, concurrency: 1, ..Contract::default() })?;
    world.host()?.kill9()?;
    let Size { messages, faults } = world.size;
    // What is published for each is an echo, a copy in a wait queue, a dead letter.
    let tasks = &[Task::Succeed, Task::SucceedLater, Task::Fail];
    let load = world.load(Plan { tasks, allowed: 0, ..Plan::mixed(messages) });
    for (number, (step, ..)) in steps(faults).enumerate() {
        let failpoints = format!("{step}=kill(1)");
        let start = Start { url: world.direct(), failpoints, grace_seconds: GRACE_SECONDS };
        let host = world.launch(&start)?;
        load.allow(number + 1);
        until(&format!("the host kills itself {step}"), SOON, || Ok(host.ended()?.is_some().then_some(())))?;
        ensure!(host.was_killed()?, "the host ended in another way than by its failpoint {step}");
        let died_ms = now_ms();
        world.fault_was(Victim::Host, died_ms, died_ms);
        let next = world.host()?;
        world.until_drained()?;
        next.kill9()?;
    }
    world.account()?;
    world.with_evidence(|evidence| judge(world, evidence))
}

fn steps(faults: usize) -> impl Iterator<Item = &'static (&'static str, usize, usize, usize)> {
    STEPS.iter().flat_map(|step| [step; 3]).take(faults)
}

fn judge(world: &World, evidence: &Evidence) -> anyhow::Result<()> {
    let mut runs: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    for execution in &evidence.executions {
        *runs.entry((&execution.id, execution.attempt)).or_default() += 1;
    }
    for (number, (step, run, least, most)) in steps(world.size.faults).enumerate() {
        let id = world.message_id(number);
        let sent = evidence.sent.get(&id).context("a message that was not sent")?;
        let ran = runs.get(&(&*id, 1)).copied().unwrap_or_default();
        let ends = evidence.echoes.iter().filter(|echo| echo.input == id).count()
            + evidence.dead.iter().filter(|dead| dead.id == id).count();
        let task = sent.task;
        ensure!(ran == *run, "{id} ({task:?}), killed at {step}: run {ran} times and not {run}");
        ensure!(
            (*least..=*most).contains(&ends),
            "{id} ({task:?}), killed at {step}: there {ends} times and not {least} to {most}"
        );
    }
    Ok(())
}
