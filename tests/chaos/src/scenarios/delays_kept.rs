//! How long failed messages really wait, on a broker with work to do.

use std::collections::BTreeMap;

use anyhow::ensure;

use crate::contract::{Contract, Retry};
use crate::evidence::Evidence;
use crate::load::{Plan, RATE_LIMIT_MS, Task};
use crate::scenario::{On, Scenario, Size};
use crate::world::World;

pub(crate) const SCENARIO: Scenario = Scenario {
    criterion: "every delay is 0.5 to 1.5 times its base of 1 s or 2 s, and at most 1 s on top until its turn comes; who \
                asks for 10 s gets them, and delays nobody behind it",
    on: On::SINGLE,
    quick: None,
    full: Size { messages: 6000, faults: 0 },
    run,
};

/// What the delays of the contract below are before jitter, in milliseconds, by the attempt that failed.
const BASE_MS: [u64; 2] = [1000, 2000];
/// How long a message may wait for its turn and its call once the delay is over.
const TOLERANCE_MS: u64 = 1000;
/// How many delays of each kind are measured at least.
const MEASURED_MIN: usize = 100;

/// The longest waits first, with short ones behind.
const TASKS: &[Task] =
    &[Task::RateLimited, Task::SucceedLater, Task::Succeed, Task::FailAgain, Task::Trap, Task::Succeed];

fn run(world: &World) -> anyhow::Result<()> {
    let retry = Retry::Written(
        "mode: ttl-backoff, maxRetries: 2, initialDelayMs: 1000, maxDelayMs: 2000, backoffMultiplier: 2",
    );
    // There is a place at once for whatever comes back.
    world.write_contract(&Contract { retry, prefetch: 200, concurrency: 50, ..Contract::default() })?;
    world.host()?;
    let Size { messages, .. } = world.size;
    world.load(Plan { tasks: TASKS, per_second: 200, ms: 0..5, bytes: 0..1024, ..Plan::mixed(messages) });
    world.account()?;
    let told = world.with_evidence(judge)?;
    world.note(&told);
    Ok(())
}

fn judge(evidence: &Evidence) -> anyhow::Result<String> {
    let mut began: BTreeMap<(&str, u32), u64> = BTreeMap::new();
    for execution in &evidence.executions {
        began.insert((&execution.id, execution.attempt), execution.at_ms);
    }
    let mut told = Vec::new();
    for kind in [0, 1, 2] {
        let mut delays = Vec::new();
        for ((id, attempt), at_ms) in &began {
            let limited = evidence.sent.get(*id).is_some_and(|sent| sent.task == Task::RateLimited);
            let of = if limited { 2 } else { usize::try_from(*attempt)? - 1 };
            if let (true, Some(next)) = (of == kind, began.get(&(*id, attempt + 1))) {
                delays.push(next.saturating_sub(*at_ms));
            }
        }
        delays.sort_unstable();
        let (least, most) = match BASE_MS.get(kind) {
            Some(base) => (base / 2, base * 3 / 2 + TOLERANCE_MS),
            // The last wait of several is as long as any.
            None => (RATE_LIMIT_MS, RATE_LIMIT_MS + BASE_MS[1] * 3 / 2 + TOLERANCE_MS),
        };
        let count = delays.len();
        ensure!(count >= MEASURED_MIN, "only {count} delays of kind {kind} were measured");
        let (first, middle, last) = (delays[0], delays[count / 2], delays[count - 1]);
        let text = format!("{count} delays of {first} to {last} ms, half of them below {middle} ms");
        ensure!(first >= least && last <= most, "{text}, which should be {least} to {most} ms");
        told.push(text);
    }
    Ok(told.join("; "))
}
