//! Connections are reset in the middle of a frame: of what the host sends, and of what it is sent.

use crate::evidence::Victim;
use crate::load::Plan;
use crate::proxy::{Way, Weather, Whose};
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "either connection is reset in the middle of a frame, in either direction: nothing is lost, and only what \
                was in flight is run again",
    on: On::SINGLE,
    quick: Some(Size { messages: 600, faults: 2 }),
    full: Size { messages: 4000, faults: 8 },
    run,
};

fn run(world: &World) -> anyhow::Result<()> {
    let proxy = world.proxy()?;
    let host = world.host_by(&proxy)?;
    let Size { messages, faults } = world.size;
    world.load(Plan::mixed(messages));
    for fault in 0..faults {
        world.until_worked(fault + 1, faults + 2)?;
        let (whose, back) = match fault % 2 {
            0 => (Whose::Consuming, "ready"),
            _ => (Whose::Publishing, "publishing again"),
        };
        let way = if fault / 2 % 2 == 0 { Way::ToHost } else { Way::ToBroker };
        let before = host.said(back)?;
        world.fault(Victim::Host, &format!("{whose:?} connection cut in a frame {way:?}"), || {
            proxy.set(Weather::CutMidFrame, whose, way);
            host.until_said("lost the", fault + 1)?;
            proxy.clear();
            host.until_said(back, before + 1)
        })?;
    }
    world.account()
}
