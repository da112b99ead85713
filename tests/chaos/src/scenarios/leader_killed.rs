//! The node that leads the work queue is killed with SIGKILL, under load, and comes back later.

use anyhow::{Context, bail};

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "of three nodes the one that leads the work queue is killed: work goes on while it is down, nobody has to do \
                anything, and nothing is lost",
    on: &[On::Cluster],
    quick: None,
    full: Size { messages: 6000, faults: 4 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    world.host_at(&world.url_of_all())?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    let parts = 2 * faults + 2;
    for fault in 0..faults {
        world.until_worked(2 * fault + 1, parts)?;
        let leader = world.management.leader("work")?;
        let node = world.broker.nodes.iter().find(|node| node.is(&leader));
        let node = node.with_context(|| format!("{leader} is no node of ours"))?;
        world.fault(Victim::Broker, &format!("leader {} killed", node.name()), || {
            node.kill9()?;
            let worked = world.until_worked(2 * fault + 2, parts);
            node.start()?;
            world.until_complete()?;
            if let Err(error) = worked {
                bail!("work did not go on while the node was down: {error:#}");
            }
            Ok(())
        })?;
    }
    world.account()
}
