//! Hosts kill themselves with SIGKILL at each step of a delivery, at random, again and again.

use anyhow::ensure;

use crate::evidence::Victim;
use crate::host::Start;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, now_ms, until};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "hosts are killed after a delivery, in the handler, after publishing, after the confirm and before the ack: \
                nothing is lost, and only what was in flight is run again",
    on: On::SINGLE,
    quick: Some(Size { messages: 500, faults: 25 }),
    full: Size { messages: 12_000, faults: 1_000 },
    run,
};

/// The steps of a delivery that a host can be killed at, with how likely it is each time.
const STEPS: [&str; 5] = [
    "after-delivery=kill(0.1)",
    "mid-handler=kill(0.1)",
    "after-publish=kill(0.1)",
    "after-confirm=kill(0.1)",
    "before-ack-flush=kill(0.1)",
];

fn run(world: &World) -> anyhow::Result<()> {
    // The queues have to be there before the load.
    world.host()?.kill9()?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
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
    world.account()
}
