//! A long backlog is worked off by one host, which is replaced half-way; its memory is looked at all the time.

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::contract::Contract;
use crate::evidence::Victim;
use crate::load::{MIXED, Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::until;
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "a backlog is worked off, with the host replaced half-way: in the last tenth it holds at most 20 % more memory \
                than in the first, and nothing is lost, in duplicate or run again",
    on: On::SINGLE,
    quick: Some(Size { messages: 20_000, faults: 1 }),
    full: Size { messages: 300_000, faults: 1 },
    run,
};

/// How long all of it may take.
const ALL: Duration = Duration::from_secs(1800);
/// One in a hundred fails, as otherwise most of the time would be spent on what fails.
const TASKS: &[Task] = &{
    let mut tasks = [Task::Succeed; 1000];
    let mut at = 0;
    while at < MIXED.len() {
        tasks[at * 100] = MIXED[at];
        at += 1;
    }
    tasks
};

fn run(world: &World) -> anyhow::Result<()> {
    world.write_contract(&Contract { prefetch: 200, concurrency: 20, ..Contract::default() })?;
    let first = world.host()?;
    first.terminate()?;
    first.until_exit(Duration::from_secs(GRACE_SECONDS))?;
    let Size { messages, faults } = world.size;
    let plan = Plan { tasks: TASKS, per_second: 20_000, ms: 0..1, bytes: 0..512, ..Plan::mixed(messages) };
    let load = world.load(plan);
    load.until_confirmed(messages, ALL)?;
    world.note(&format!("{messages} messages are waiting"));
    let executions = load.executions();
    let mut samples: Vec<(usize, u64)> = Vec::new();
    let mut before = 0;
    for life in 0..=faults {
        let host = world.host()?;
        let enough = executions * (life + 1) / (faults + 1);
        let began = until("this host's part is done", ALL, || {
            let began = before + host.with_log(|log| log.executions.len());
            samples.push((began, host.memory_kib("VmRSS")?));
            Ok((began >= enough).then_some(began))
        })?;
        before = began;
        world.note(&format!("{began} executions; at most {} MiB", host.memory_kib("VmHWM")? / 1024));
        if life < faults {
            world.fault(Victim::Nobody, "host replaced", || {
                host.terminate()?;
                let code = host.until_exit(Duration::from_secs(GRACE_SECONDS))?;
                ensure!(code == 0, "the host ended with exit code {code}");
                before = host.with_log(|log| log.executions.len());
                Ok(())
            })?;
        }
    }
    let most = |from: usize, to: usize| {
        let there = samples.iter().filter(|(began, _)| (from..to).contains(&(began * 10 / executions)));
        there.map(|(_, kib)| *kib).max().context("the memory was never looked at")
    };
    let (first, last) = (most(0, 1)?, most(9, 11)?);
    world.note(&format!("at most {} MiB in the first tenth, {} MiB in the last", first / 1024, last / 1024));
    world.account()?;
    ensure!(last * 100 <= first * 120, "{first} KiB in the first tenth, {last} KiB in the last");
    Ok(())
}
