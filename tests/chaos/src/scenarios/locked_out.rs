//! The host's password is changed under load, or its user may no longer use the vhost, and connections are closed.

use std::time::Duration;

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, pause, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the user's password is another one for 8 s, then the vhost is closed to it for 8 s, and connections are \
                closed: the host asks again and again without ending, and goes on by itself; nothing is lost",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 3000, faults: 4 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let host = world.host_at(&world.user("secret")?)?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let (readies, lost) = (host.readies()?, host.said("lost the broker")?);
        let what = if fault % 2 == 0 { "password changed" } else { "vhost closed" };
        world.fault(Victim::Host, what, || {
            if fault % 2 == 0 {
                world.management.set_password("another")?;
            } else {
                world.management.forbid()?;
            }
            // The list of connections lags: one may not be in it yet.
            until("both connections are closed", SOON, || {
                world.management.close_connections("warren")?;
                Ok((host.said("lost the broker")? > lost).then_some(()))
            })?;
            pause(Duration::from_secs(8));
            ensure!(host.ended()?.is_none(), "the host has given up");
            ensure!(host.readies()? == readies, "the host is ready without being allowed to");
            world.management.set_password("secret")?;
            world.management.permit(".*")?;
            host.until_ready(readies + 1)
        })?;
    }
    world.account()
}
