//! Hosts are replaced as a deployment does it: SIGTERM to the old one, under load, once the new one is ready.

use std::time::Duration;

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::world::{GRACE_SECONDS, World};

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "hosts get SIGTERM under load: each ends within its grace with exit code 0, and not one message is lost, \
                in duplicate or run again",
    on: On::SINGLE,
    quick: Some(Size { messages: 600, faults: 3 }),
    full: Size { messages: 5000, faults: 20 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let mut host = world.host()?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let next = world.host()?;
        world.fault(Victim::Nobody, "host stopped", || {
            host.terminate()?;
            let code = host.until_exit(Duration::from_secs(GRACE_SECONDS))?;
            ensure!(code == 0, "the host ended with exit code {code}");
            Ok(())
        })?;
        host = next;
    }
    world.account()
}
