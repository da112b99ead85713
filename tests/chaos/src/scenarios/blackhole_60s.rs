//! The network between host and broker drops everything for a minute, and new connections find nobody either.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::proxy::{Way, Weather, Whose};
use crate::scenario::{On, Scenario, Size};
use crate::wait::pause;
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the network drops everything for 60 s: the host notices within twice the heartbeat (20 s) and half of it \
                again, works within 60 s after, and nothing is lost",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 2000, faults: 1 },
    run,
};

/// Twice the host's heartbeat of 10 s, and half a heartbeat for the timer of whoever looks.
const NOTICED: Duration = Duration::from_secs(25);

fn run(world: &World) -> anyhow::Result<()> {
    let proxy = world.proxy()?;
    let host = world.host_by(&proxy)?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let readies = host.readies()?;
        world.fault(Victim::Host, "60 s of silence", || {
            let began = Instant::now();
            proxy.set(Weather::Frozen, Whose::All, Way::Both);
            host.until_said("lost the broker", fault + 1)?;
            let noticed = began.elapsed();
            world.note(&format!("noticed after {:.1} s", noticed.as_secs_f64()));
            ensure!(noticed < NOTICED, "noticed after {} s", noticed.as_secs());
            pause(Duration::from_secs(60).saturating_sub(began.elapsed()));
            proxy.clear();
            host.until_ready(readies + 1)
        })?;
    }
    world.account()
}
