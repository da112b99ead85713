//! Two hosts share a queue, and one of them is killed with SIGKILL at any moment, again and again.

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "hosts are killed with SIGKILL under load: nothing is lost, and only what was in flight is run again",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 6000, faults: 30 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    world.hosts_at_once(2);
    let mut hosts = [world.host()?, world.host()?];
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let victim = &mut hosts[fault % 2];
        world.fault(Victim::Host, "host killed", || {
            victim.kill9()?;
            *victim = world.host()?;
            Ok(())
        })?;
    }
    world.account()
}
