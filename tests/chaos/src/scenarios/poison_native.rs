//! As `poison_among_innocents`, where the broker counts attempts.

use crate::contract::{Contract, Retry};
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "one message kills its host each time, 100 are prefetched, attempts are counted by the broker, whose limit is \
                2: it is dead-lettered by that after 3 times, and of the innocents all are handled",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 1000, faults: 3 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    // The broker comes before the host here, which would say `poison`.
    world.dead_may_be("delivery_limit");
    let contract = Contract { retry: Retry::QuorumNative, ..Contract::default() };
    super::poison_among_innocents::crash(world, &contract)
}
