//! A consumer that asks for at most once, and hosts that are killed at each step.

use anyhow::ensure;

use crate::contract::{Contract, Retry};
use crate::evidence::Victim;
use crate::host::Start;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, now_ms, until};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "with `delivery: at-most-once` no message is run twice, whatever is killed; each kill loses no more than the \
                prefetch of 50, and what comes again is dead-lettered",
    on: On::SINGLE,
    quick: Some(Size { messages: 400, faults: 8 }),
    full: Size { messages: 6000, faults: 100 },
    run,
};

const STEPS: [&str; 5] = [
    "after-delivery=kill(0.05)",
    "mid-handler=kill(0.05)",
    "after-publish=kill(0.05)",
    "after-confirm=kill(0.05)",
    "before-ack-flush=kill(0.05)",
];
const PREFETCH: u16 = 50;

fn run(world: &World) -> anyhow::Result<()> {
    let consumer = "delivery: at-most-once";
    let contract = Contract { retry: Retry::None, prefetch: PREFETCH, consumer, ..Contract::default() };
    world.write_contract(&contract)?;
    world.dead_may_be("redelivered");
    world.may_lose(PREFETCH.into());
    world.host()?.kill9()?;
    let Size { messages, faults } = world.size;
    world.load(Plan { tasks: &[Task::Succeed, Task::Succeed, Task::Fail], ..Plan::mixed(messages) });
    for life in 0..faults {
        let failpoints = STEPS[life % STEPS.len()];
        let start =
            Start { url: world.direct(), failpoints: failpoints.to_owned(), grace_seconds: GRACE_SECONDS };
        let host = world.launch(&start)?;
        until(&format!("the host kills itself: {failpoints}"), SOON, || {
            Ok(host.ended()?.is_some().then_some(()))
        })?;
        ensure!(host.was_killed()?, "the host ended in another way than by its failpoint {failpoints}");
        let died_ms = now_ms();
        world.fault_was(Victim::Host, died_ms, died_ms);
    }
    world.note(&format!("{faults} hosts have killed themselves"));
    world.host()?;
    world.account()?;
    let again = world.verdict().again;
    ensure!(again == 0, "{again} messages were run twice");
    Ok(())
}
