//! The nodes of a cluster are restarted one after the other, as for an upgrade, under load.

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "three nodes are stopped and started one after the other: nobody has to do anything, and nothing is lost",
    on: &[On::Cluster],
    quick: None,
    full: Size { messages: 6000, faults: 3 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    world.host_at(&world.url_of_all())?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let node = &world.broker.nodes[fault % world.broker.nodes.len()];
        world.fault(Victim::Broker, &format!("{} restarted", node.name()), || {
            node.stop()?;
            node.start()?;
            world.until_complete()
        })?;
    }
    world.account()
}
