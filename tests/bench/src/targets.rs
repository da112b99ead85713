//! What the host is meant to reach, each as met or short. What was not measured is short.

use std::fs;

use serde::Deserialize;

use crate::broker::root;
use crate::measure::Figure;
use crate::results::{Results, Spread};
use crate::sides::{FRESH, REUSE, Side};
use crate::titles::{
    BACKLOG, CONSUME, FLAT, IDLE, IO_BOUND, LAST_TENTH, LATENCY, MANY_CONSUMERS, MEMORY, ONE_CONSUMER,
    P99_RATIO, PER_CONSUMER, PUBLISH, START,
};

/// One target.
#[derive(Debug)]
pub(crate) struct Target {
    /// What it is about.
    pub(crate) what: String,
    /// What it asks for.
    pub(crate) goal: Goal,
    /// What was measured; none if it was not.
    pub(crate) measured: Option<f64>,
}

/// A bound, with its unit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At least so much.
    AtLeast(f64, &'static str),
    /// At most so much.
    AtMost(f64, &'static str),
}

impl Target {
    /// Whether it is reached.
    pub(crate) fn is_met(&self) -> bool {
        match (self.goal, self.measured) {
            (_, None) => false,
            (Goal::AtLeast(bound, _), Some(value)) => value >= bound,
            (Goal::AtMost(bound, _), Some(value)) => value <= bound,
        }
    }
}

/// All of them.
pub(crate) fn all(results: &Results) -> Vec<Target> {
    let mut targets = throughput(results);
    targets.extend(own_cost());
    targets.extend(scale(results));
    targets
}

fn target(what: &str, goal: Goal, measured: Option<f64>) -> Target {
    Target { what: what.to_owned(), goal, measured }
}

fn median(spread: Option<Spread>) -> Option<f64> {
    spread.map(|spread| spread.median)
}

fn throughput(results: &Results) -> Vec<Target> {
    let ratio =
        |case: &str, side: &Side, to: &Side| median(results.ratio(case, &side.to_string(), &to.to_string()));
    let cpu = |side: &Side| median(results.spread(CONSUME, &side.to_string(), |figure| figure.cpu_us));
    let mut targets = vec![target(
        "consume 1 KiB, fresh against (b)",
        Goal::AtLeast(0.8, "times"),
        ratio(CONSUME, &FRESH, &Side::LapinBatched),
    )];
    for (side, name, bound) in [(FRESH, "fresh", [3.0, 1.8, 2.5]), (REUSE, "reuse", [3.5, 2.2, 3.0])] {
        for (to, letter, bound) in
            [(Side::LapinEach, 'a', bound[0]), (Side::Node, 'c', bound[1]), (Side::Python, 'd', bound[2])]
        {
            let what = format!("consume 1 KiB, {name} against ({letter})");
            targets.push(target(&what, Goal::AtLeast(bound, "times"), ratio(CONSUME, &side, &to)));
        }
    }
    let (fresh, node) = (cpu(&FRESH), cpu(&Side::Node));
    targets.push(target("CPU for each message, consume 1 KiB, fresh", Goal::AtMost(22.0, "us"), fresh));
    targets.push(target(
        "the same, against (c)",
        Goal::AtMost(1.0, "times"),
        fresh.zip(node).map(|(fresh, node)| fresh / node),
    ));
    targets.push(target(
        "consume and publish one confirmed, fresh against (b)",
        Goal::AtLeast(0.75, "times"),
        ratio(PUBLISH, &FRESH, &Side::LapinBatched),
    ));
    targets
}

/// What the microbenchmark of the host's own path has left, if it ran.
#[derive(Debug, Deserialize)]
struct Pipeline {
    fresh_us: f64,
    reuse_us: f64,
}

fn own_cost() -> [Target; 2] {
    let text = fs::read_to_string(root().join("target/bench/pipeline.json")).ok();
    let pipeline: Option<Pipeline> = text.and_then(|text| serde_json::from_str(&text).ok());
    let (fresh, reuse) = (pipeline.as_ref().map(|it| it.fresh_us), pipeline.as_ref().map(|it| it.reuse_us));
    [
        target(
            "the host's own cost, no-op guest, 256 B, no broker, fresh",
            Goal::AtMost(10.0, "us of CPU"),
            fresh,
        ),
        target("the same, reuse", Goal::AtMost(3.0, "us of CPU"), reuse),
    ]
}

/// Latency, waiting, memory, start, many consumers, many messages.
fn scale(results: &Results) -> Vec<Target> {
    let fresh = FRESH.to_string();
    let value = |case: &str, what: &str| median(results.value(case, what));
    let io = |quantity: fn(&Figure) -> f64| median(results.spread(IO_BOUND, &fresh, quantity));
    let many = results.ratio_of_cases((MANY_CONSUMERS, &fresh), (ONE_CONSUMER, &fresh));
    vec![
        target(
            "p99 from broker to ack at half of peak load, fresh against (b)",
            Goal::AtMost(2.0, "times"),
            value(LATENCY, P99_RATIO),
        ),
        target(
            "IO-bound, 100 ms, 1,000 in flight, fresh",
            Goal::AtLeast(8_000.0, "messages/s"),
            io(|figure| figure.rate),
        ),
        target("the same, memory", Goal::AtMost(1024.0, "MiB"), io(|figure| figure.peak_mib)),
        target("memory of an idle host", Goal::AtMost(40.0, "MiB"), value(MEMORY, IDLE)),
        target("memory of each further consumer", Goal::AtMost(1.0, "MiB"), value(MEMORY, PER_CONSUMER)),
        target(
            "start to first message, components compiled before",
            Goal::AtMost(250.0, "ms"),
            value(START, &format!("{fresh}: ms")),
        ),
        target("100 consumers against 1, same total load, fresh", Goal::AtLeast(0.9, "times"), median(many)),
        target(
            "backlog of 1,000,000: last tenth against first",
            Goal::AtLeast(0.9, "times"),
            value(BACKLOG, LAST_TENTH),
        ),
        target(
            "the same, memory at the end against after a tenth",
            Goal::AtMost(1.1, "times"),
            value(BACKLOG, FLAT),
        ),
    ]
}
