//! The broker's only node is killed with SIGKILL, and stopped as operators do, under load.

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the broker is killed and restarted under load: the host connects again by itself and nothing is lost",
    on: On::SINGLE,
    quick: Some(Size { messages: 600, faults: 1 }),
    full: Size { messages: 4000, faults: 6 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let host = world.host()?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let readies = host.readies()?;
        let node = world.node();
        let (what, stop): (_, &dyn Fn() -> _) = if fault % 2 == 0 {
            ("broker killed", &|| node.kill9())
        } else {
            ("broker restarted", &|| node.stop())
        };
        world.fault(Victim::Broker, what, || {
            stop()?;
            node.start()?;
            host.until_ready(readies + 1)
        })?;
    }
    world.account()
}
