//! Dead letters are moved back to the work queue and fail again; RabbitMQ 3 reads a published `x-death` and drops a message
//! that seems to go round in a circle.

use std::collections::BTreeMap;

use anyhow::ensure;

use crate::client::{self, Headers};
use crate::contract::Contract;
use crate::load::Plan;
use crate::scenario::{On, Scenario, Size};
use crate::wait::SOON;
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "dead letters of the broker, with `x-death`, and of the host are moved back with all headers or with none, \
                again and again: each that fails is dead again, once, with its class",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 1000, faults: 0 },
    run,
};

const TURNS: [Headers; 5] =
    [Headers::Kept, Headers::Kept, Headers::Stripped, Headers::Kept, Headers::Stripped];

fn run(world: &World) -> anyhow::Result<()> {
    world.write_contract(&Contract { queue: "deliveryLimit: 4", ..Contract::default() })?;
    world.host()?.kill9()?;
    let Size { messages, .. } = world.size;
    let load = world.load(Plan { per_second: 2000, ..Plan::mixed(messages) });
    load.until_confirmed(messages, SOON)?;
    let rounds = client::drop_all(&world.direct(), "work")?;
    world.note(&format!("the broker has dead-lettered everything after {rounds} deliveries"));
    world.until_drained()?;
    let host = world.host()?;
    for headers in TURNS {
        let moved = client::move_all(&world.direct(), "dead", "work", headers)?;
        world.note(&format!("{} dead letters moved back, headers {headers:?}", moved.len()));
        ensure!(!moved.is_empty(), "there was nothing to move");
        moved.iter().for_each(|id| load.sent_again(id));
        world.until_drained()?;
    }
    world.account()?;
    ensure!(host.readies()? == 1, "the host had to connect again");
    world.with_evidence(|evidence| {
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        evidence.dead.iter().for_each(|dead| *ends.entry(&dead.id).or_default() += 1);
        evidence.echoes.iter().for_each(|echo| *ends.entry(&echo.input).or_default() += 1);
        let twice: Vec<_> = ends.iter().filter(|(_, count)| **count != 1).collect();
        ensure!(twice.is_empty(), "{} have come to more than one end: {:?}", twice.len(), twice.first());
        Ok(())
    })
}
