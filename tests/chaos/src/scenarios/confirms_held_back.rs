//! The broker takes what the host publishes, and its confirms do not arrive: for a while, or never.

use std::time::Duration;

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::proxy::{Way, Weather, Whose};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, pause, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "confirms are late by 8 s, or never come and the host is killed: not one message is acknowledged meanwhile, \
                and nothing is lost",
    on: On::SINGLE,
    quick: Some(Size { messages: 600, faults: 1 }),
    full: Size { messages: 3000, faults: 4 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let proxy = world.proxy()?;
    let mut host = world.host_by(&proxy)?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let (victim, what) = if fault % 2 == 1 {
            (Victim::Nobody, "confirms late by 8 s")
        } else {
            (Victim::Host, "confirms never come, host killed")
        };
        world.fault(victim, what, || {
            proxy.set(Weather::Frozen, Whose::Publishing, Way::ToHost);
            let settled = until_settling_stops(world)?;
            pause(Duration::from_secs(8));
            let now = settled_now(world)?;
            ensure!(now == settled, "{} messages were settled without a confirm", now - settled);
            if fault % 2 == 0 {
                host.kill9()?;
            }
            proxy.clear();
            if fault % 2 == 0 {
                host = world.host_by(&proxy)?;
            }
            Ok(())
        })?;
    }
    world.account()
}

/// Acks that were on their way when the confirms stopped still arrive, and are counted a second or two later.
fn until_settling_stops(world: &World) -> anyhow::Result<u64> {
    let mut seen = Vec::new();
    until("no more acks arrive", SOON, || {
        pause(Duration::from_millis(500));
        seen.push(settled_now(world)?);
        let still = seen.len() > 5 && seen[seen.len() - 5..].iter().all(|count| Some(count) == seen.last());
        Ok(seen.last().copied().filter(|_| still))
    })
}

fn settled_now(world: &World) -> anyhow::Result<u64> {
    let queues = world.management.queues()?;
    Ok(queues.get("work").map_or(0, |queue| queue["message_stats"]["ack"].as_u64().unwrap_or(0)))
}
