//! One message brings the host down each time, with a hundred others in hand.

use anyhow::ensure;

use crate::contract::Contract;
use crate::evidence::Victim;
use crate::host::Start;
use crate::load::{Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, now_ms, until};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "one message kills its host each time, 100 are prefetched: after 20 times it is a dead letter of class \
                `poison`, and of the innocents all are handled",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 1000, faults: 20 },
    run,
};

/// The message that does it.
const POISON: usize = 50;

fn run(world: &World) -> anyhow::Result<()> {
    crash(world, &Contract::default())
}

/// Starts hosts until the poison is dead: `faults` times one is killed.
pub(crate) fn crash(world: &World, contract: &Contract) -> anyhow::Result<()> {
    world.write_contract(&Contract { prefetch: 100, ..contract.clone() })?;
    world.host()?.kill9()?;
    let Size { messages, faults } = world.size;
    let odd = &[(POISON, Task::Poison)];
    let plan = Plan { tasks: &[Task::Succeed], odd, ms: 0..20, per_second: 2000, ..Plan::mixed(messages) };
    // All are there when the first host begins.
    world.load(plan).until_confirmed(messages, SOON)?;
    let poison = world.message_id(POISON);
    let start = Start {
        url: world.direct(),
        failpoints: format!("mid-handler=kill(id={poison})"),
        grace_seconds: GRACE_SECONDS,
    };
    for killed in 0.. {
        ensure!(killed <= faults, "{killed} hosts were killed, and should have been {faults} at most");
        let host = world.launch(&start)?;
        let dead = until("the host is killed or the poison is dead", SOON, || {
            if host.ended()?.is_some() {
                return Ok(Some(false));
            }
            let dead = world.management.messages()?.get("dead").is_some_and(|dead| *dead > 0);
            Ok(dead.then_some(true))
        })?;
        if dead {
            world.note(&format!("dead after {killed} hosts were killed"));
            ensure!(killed == faults, "{killed} hosts were killed, and should have been {faults}");
            break;
        }
        ensure!(host.was_killed()?, "the host ended in another way than by its failpoint");
        let died_ms = now_ms();
        world.fault_was(Victim::Host, died_ms, died_ms);
    }
    world.account()?;
    world.with_evidence(|evidence| {
        let dead: Vec<&str> = evidence.dead.iter().map(|dead| &*dead.id).collect();
        ensure!(dead == [poison], "dead are {}", dead.join(", "));
        Ok(())
    })
}
