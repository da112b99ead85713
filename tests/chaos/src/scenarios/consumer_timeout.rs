//! Some calls take longer than the broker lets a message be unsettled. RabbitMQ 3 closes the channel for it, RabbitMQ 4.3
//! cancels the consumer, and would leave a ghost that takes messages if the channel stayed.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use crate::contract::Contract;
use crate::evidence::Victim;
use crate::host::Host;
use crate::load::{Load, Plan, Task};
use crate::scenario::{On, Scenario, Size};
use crate::wait::{SOON, now_ms, until};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "calls of 8 s where the broker allows 5 s: after 5 times their messages are poison, or handled if the limit is \
                raised before; all others are handled, and the queue has one consumer in the end",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 400, faults: 2 },
    run,
};

/// The slow ones: of the first half for ever, of the second until the limit is raised.
const SLOW: &[(usize, Task)] =
    &[(20, Task::TooSlow), (60, Task::TooSlow), (220, Task::Slow), (260, Task::Slow), (300, Task::Slow)];
/// How long all of one half may take.
const HALF: Duration = Duration::from_secs(200);

fn run(world: &World) -> anyhow::Result<()> {
    world.write_contract(&Contract { queue: "deliveryLimit: 5", ..Contract::default() })?;
    limit(world, true)?;
    let ran = work(world);
    // On RabbitMQ 3 it is a setting of the whole node.
    limit(world, false)?;
    ran
}

/// Has the broker allow five seconds, or the half an hour that it allows by itself.
fn limit(world: &World, on: bool) -> anyhow::Result<()> {
    if world.broker.on != On::Three {
        let limit = json!({ "consumer-timeout": if on { 5_000 } else { 1_800_000 } });
        return world.management.set_policy("timeout", "^work$", &limit);
    }
    // It looks once a minute by itself.
    let (timeout, tick) = if on { (5_000, 1_000) } else { (1_800_000, 60_000) };
    world.broker.set("consumer_timeout", timeout)?;
    world.broker.set("channel_tick_interval", tick)
}

fn work(world: &World) -> anyhow::Result<()> {
    let host = world.host()?;
    let Size { messages, .. } = world.size;
    let plan = Plan { tasks: &[Task::Succeed], odd: SLOW, ..Plan::mixed(messages) };
    let load = world.load(Plan { allowed: messages / 2, ..plan });
    until_lost(world, &host, HALF, || poisoned(world, &load))?;
    let before = host.said(LOST)?;
    ensure!(before >= 5, "the consumer has lost its channel only {before} times");
    load.allow(messages);
    until_lost(world, &host, SOON, || Ok(host.said(LOST)? >= before + 2))?;
    limit(world, false)?;
    world.note("the broker allows more time");
    until_lost(world, &host, HALF, || {
        Ok(load.confirmed() == messages && world.management.messages()?.get("work") == Some(&0))
    })?;
    let consumers = world.management.consumers("work")?;
    // Its prefetch may be 1: the last to come were suspect, and nothing has come since.
    ensure!(consumers.len() == 1, "there are {} consumers", consumers.len());
    // An ack that crosses the closing of its channel can cost the whole connection, which is survived as any other loss.
    world.note(&format!("the host has connected {} times", host.readies()?));
    world.account()
}

const LOST: &str = "a consumer has lost its channel";

/// Both that are too slow are dead, and the rest of their half is handled.
fn poisoned(world: &World, load: &Load) -> anyhow::Result<bool> {
    let messages = world.management.messages()?;
    let half = world.size.messages / 2;
    Ok(load.confirmed() == half && messages.get("work") == Some(&0) && messages.get("dead") == Some(&2))
}

/// Waits, and takes each loss of the channel for a fault.
fn until_lost(
    world: &World,
    host: &Host,
    limit: Duration,
    mut done: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let mut seen = world.faults();
    until("the messages come to their end", limit, || {
        // What crosses the closing of a channel can cost the connection, too.
        let (now, lost) = (now_ms(), host.said(LOST)? + host.said("lost the broker")?);
        for _ in seen..lost {
            world.fault_was(Victim::Host, now.saturating_sub(1000), now);
        }
        seen = lost;
        Ok(done()?.then_some(()))
    })
}
