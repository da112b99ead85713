//! The host's user may no longer write to an exchange that it needs, and may again later.

use std::time::Duration;

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, pause, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "writing to the exchange of outputs, to the default exchange (wait queues) and to that of dead letters is \
                forbidden in turn for 10 s: nothing is lost, and work goes on by itself when it is allowed again",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 2000, faults: 3 },
    run,
};

/// An exchange with a pattern of all that is not it.
const EXCHANGES: [(&str, &str); 3] =
    [("out", "^(?!out$)"), ("the default exchange", r"^(?!amq\.default$)"), ("dlx", "^(?!dlx$)")];

fn run(world: &World) -> anyhow::Result<()> {
    let host = world.host_at(&world.user("secret")?)?;
    let Size { messages, faults } = world.size;
    let load = world.load(Plan { allowed: 0, ..Plan::mixed(messages) });
    for fault in 0..faults {
        let (exchange, others) = EXCHANGES[fault % EXCHANGES.len()];
        let refused = host.said("ACCESS_REFUSED")?;
        world.fault(Victim::Host, &format!("writing to {exchange} forbidden"), || {
            world.management.permit(others)?;
            // Its channels remember that it was allowed.
            until("the publishing connection can be closed", SOON, || {
                Ok((world.management.close_connections("warren publishes")? > 0).then_some(()))
            })?;
            let part = messages * (fault + 1) / faults;
            load.allow(part);
            until(
                "the host is refused",
                SOON,
                || Ok((host.said("ACCESS_REFUSED")? > refused).then_some(())),
            )?;
            pause(Duration::from_secs(10));
            world.management.permit(".*")?;
            load.until_confirmed(part, SOON)?;
            world.until_drained()
        })?;
    }
    world.account()?;
    ensure!(host.readies()? == 1, "the host had to begin anew");
    Ok(())
}
