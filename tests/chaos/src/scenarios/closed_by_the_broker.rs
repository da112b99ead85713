//! The broker closes connections, as an operator makes it from the management page, and channels, as it does for an error.

use anyhow::ensure;

use crate::evidence::Victim;
use crate::load::Plan;
use crate::proxy::{Proxy, Way, Weather, Whose};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "the broker closes each connection, and each channel with 406: consuming goes on by itself with the same \
                prefetch, and nothing is lost",
    on: On::SINGLE,
    quick: Some(Size { messages: 800, faults: 4 }),
    full: Size { messages: 6000, faults: 16 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let proxy = world.proxy()?;
    let host = world.host_by(&proxy)?;
    let Size { messages, faults } = world.size;
    let load = world.load(Plan { allowed: 0, ..Plan::mixed(messages) });
    for fault in 0..faults {
        // To find a connection in the broker's list takes seconds; there has to be work left then.
        load.allow(messages * (fault + 2) / (faults + 2));
        world.until_worked(fault + 1, faults + 2)?;
        let (what, back) = [
            ("consuming connection closed", "ready"),
            ("consuming channel closed with 406", "consuming again"),
            ("publishing connection closed", "publishing again"),
            // The messages of that channel go over others at once, which is not worth an event.
            ("publishing channel closed with 406", ""),
        ][fault % 4];
        let before = host.said(back)?;
        world.fault(Victim::Host, what, || {
            match fault % 4 {
                0 => close(world, "warren consumes")?,
                1 => wrong(&proxy, Whose::Consuming)?,
                2 => close(world, "warren publishes")?,
                _ => return wrong(&proxy, Whose::Publishing),
            }
            host.until_said(back, before + 1)
        })?;
    }
    ensure!(
        host.said("lost the broker")? == faults.div_ceil(4),
        "a channel's error has ended its connection"
    );
    consumes_once(world)?;
    world.account()
}

/// Has a channel acknowledge what was never delivered.
fn wrong(proxy: &Proxy, whose: Whose) -> anyhow::Result<()> {
    proxy.set(Weather::UnknownAck, whose, Way::ToBroker);
    until(&format!("a frame is slipped in ({whose:?})"), SOON, || Ok(proxy.is_fair().then_some(())))
}

fn close(world: &World, name: &str) -> anyhow::Result<()> {
    // The list of connections lags.
    until(&format!("the connection `{name}` can be closed"), SOON, || {
        Ok((world.management.close_connections(name)? > 0).then_some(()))
    })
}

/// One consumer with the contract's prefetch, and no ghost of an earlier one.
fn consumes_once(world: &World) -> anyhow::Result<()> {
    let consumers = until("the queue `work` has one consumer", SOON, || {
        let consumers = world.management.consumers("work")?;
        Ok((consumers.len() == 1).then_some(consumers))
    })?;
    ensure!(consumers == [50], "prefetch counts are {consumers:?}");
    Ok(())
}
