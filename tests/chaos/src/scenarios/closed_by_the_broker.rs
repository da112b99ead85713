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
    // Part by part: to find a connection in the broker's list takes seconds, and there has to be work in flight then.
    let part = messages / (faults + 1);
    let load = world.load(Plan { allowed: part, ..Plan::mixed(messages) });
    for fault in 0..faults {
        let (what, name) = [
            ("consuming connection closed", "warren consumes"),
            ("consuming channel closed with 406", "warren consumes"),
            ("publishing connection closed", "warren publishes"),
            ("publishing channel closed with 406", "warren publishes"),
        ][fault % 4];
        let comebacks = || match fault % 4 {
            // In about one of ten cases lapin lets a channel's error end its connection.
            0 | 1 => Ok::<_, anyhow::Error>(host.readies()? + host.said("consuming again")?),
            _ => host.said("publishing again"),
        };
        until(&format!("the broker lists `{name}`"), SOON, || {
            Ok(world.management.connections()?.iter().any(|(given, _)| given.starts_with(name)).then_some(()))
        })?;
        let before = comebacks()?;
        load.allow(part * (fault + 2));
        world.until_more_work()?;
        world.fault(Victim::Host, what, || {
            match fault % 4 {
                1 => wrong(&proxy, Whose::Consuming)?,
                // The messages of that channel go over others at once, which is not worth an event.
                3 => return wrong(&proxy, Whose::Publishing),
                _ => {
                    ensure!(world.management.close_connections(name)? > 0, "no connection `{name}` to close")
                }
            }
            until("the host comes back", SOON, || Ok((comebacks()? > before).then_some(())))
        })?;
    }
    load.allow(messages);
    let (connections, channels) = (host.said("lost the broker")?, host.said("lost its channel")?);
    world.note(&format!(
        "the host saw {connections} consuming connections end, and {channels} channels alone"
    ));
    consumes_once(world)?;
    world.account()
}

/// Has a channel acknowledge what was never delivered.
fn wrong(proxy: &Proxy, whose: Whose) -> anyhow::Result<()> {
    proxy.set(Weather::UnknownAck, whose, Way::ToBroker);
    until(&format!("a frame is slipped in ({whose:?})"), SOON, || Ok(proxy.is_fair().then_some(())))
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
