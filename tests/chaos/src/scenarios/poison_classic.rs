//! As `poison_among_innocents`, on a queue that does not count.

use crate::contract::Contract;
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "one message of a classic queue kills its host each time, 100 are prefetched: after 20 times it is a dead letter \
                of class `poison`, and of the innocents all are handled",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 1000, faults: 20 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let contract = Contract { queue: "type: classic", ..Contract::default() };
    super::poison_among_innocents::crash(world, &contract)
}
