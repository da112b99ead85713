//! What the host is meant to reach, each as met or short. What was not measured is short.

use crate::measure::Figure;
use crate::reasons::{self, Pipeline};
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
    /// What explains it where it is short, and what would be needed.
    pub(crate) reason: String,
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

impl Target {
    fn new(what: &str, goal: Goal, measured: Option<f64>) -> Self {
        Self { what: what.to_owned(), goal, measured, reason: reasons::NONE.to_owned() }
    }

    fn because(self, reason: String) -> Self {
        Self { reason, ..self }
    }
}

fn median(spread: Option<Spread>) -> Option<f64> {
    spread.map(|spread| spread.median)
}

/// A target for how many times the throughput of another side one has.
fn times(results: &Results, what: &str, case: &str, side: &Side, to: &Side, bound: f64) -> Target {
    let (name, to) = (side.to_string(), to.to_string());
    let rate = median(results.spread(case, &to, |figure| figure.rate));
    Target::new(what, Goal::AtLeast(bound, "times"), median(results.ratio(case, &name, &to)))
        .because(reasons::rate(results, case, side, rate.map(|rate| rate * bound)))
}

fn throughput(results: &Results) -> Vec<Target> {
    let cpu = |side: &Side| median(results.spread(CONSUME, &side.to_string(), |figure| figure.cpu_us));
    let mut targets =
        vec![times(results, "consume 1 KiB, fresh against (b)", CONSUME, &FRESH, &Side::LapinBatched, 0.8)];
    for (side, name, bound) in [(FRESH, "fresh", [3.0, 1.8, 2.5]), (REUSE, "reuse", [3.5, 2.2, 3.0])] {
        for (to, letter, bound) in
            [(Side::LapinEach, 'a', bound[0]), (Side::Node, 'c', bound[1]), (Side::Python, 'd', bound[2])]
        {
            let what = format!("consume 1 KiB, {name} against ({letter})");
            targets.push(times(results, &what, CONSUME, &side, &to, bound));
        }
    }
    let (fresh, node) = (cpu(&FRESH), cpu(&Side::Node));
    let goal = Goal::AtMost(22.0, "us");
    let reason = reasons::cpu(results, 22.0, Pipeline::read().as_ref());
    targets
        .push(Target::new("CPU for each message, consume 1 KiB, fresh", goal, fresh).because(reason.clone()));
    let against = fresh.zip(node).map(|(fresh, node)| fresh / node);
    targets.push(Target::new("the same, against (c)", Goal::AtMost(1.0, "times"), against).because(reason));
    let what = "consume and publish one confirmed, fresh against (b)";
    targets.push(times(results, what, PUBLISH, &FRESH, &Side::LapinBatched, 0.75));
    targets
}

fn own_cost() -> [Target; 2] {
    let pipeline = Pipeline::read();
    let (fresh, reuse) = (pipeline.as_ref().map(|it| it.fresh_us), pipeline.as_ref().map(|it| it.reuse_us));
    let what = "the host's own cost, no-op guest, 256 B, no broker, fresh";
    [
        Target::new(what, Goal::AtMost(10.0, "us of CPU"), fresh),
        Target::new("the same, reuse", Goal::AtMost(3.0, "us of CPU"), reuse)
            .because(reasons::own_cost(3.0, pipeline.as_ref())),
    ]
}

/// Latency, waiting, memory, start, many consumers, many messages.
fn scale(results: &Results) -> Vec<Target> {
    let fresh = FRESH.to_string();
    let value = |case: &str, what: &str| median(results.value(case, what));
    let io = |quantity: fn(&Figure) -> f64| median(results.spread(IO_BOUND, &fresh, quantity));
    let many = results.ratio_of_cases((MANY_CONSUMERS, &fresh), (ONE_CONSUMER, &fresh));
    vec![
        Target::new(
            "p99 from broker to ack at half of peak load, fresh against (b)",
            Goal::AtMost(2.0, "times"),
            value(LATENCY, P99_RATIO),
        )
        .because(reasons::latency(results)),
        Target::new(
            "IO-bound, 100 ms, 1,000 in flight, fresh",
            Goal::AtLeast(8_000.0, "messages/s"),
            io(|figure| figure.rate),
        )
        .because(reasons::rate(results, IO_BOUND, &FRESH, Some(8_000.0))),
        Target::new("the same, memory", Goal::AtMost(1024.0, "MiB"), io(|figure| figure.peak_mib)),
        Target::new("memory of an idle host", Goal::AtMost(40.0, "MiB"), value(MEMORY, IDLE))
            .because(reasons::idle_memory(results)),
        Target::new("memory of each further consumer", Goal::AtMost(1.0, "MiB"), value(MEMORY, PER_CONSUMER)),
        Target::new(
            "start to first message, components compiled before",
            Goal::AtMost(250.0, "ms"),
            value(START, &format!("{fresh}: ms")),
        ),
        Target::new(
            "100 consumers against 1, same total load, fresh",
            Goal::AtLeast(0.9, "times"),
            median(many),
        ),
        Target::new(
            "backlog of 1,000,000: last tenth against first",
            Goal::AtLeast(0.9, "times"),
            value(BACKLOG, LAST_TENTH),
        ),
        Target::new(
            "the same, memory at the end against after a tenth",
            Goal::AtMost(1.1, "times"),
            value(BACKLOG, FLAT),
        ),
    ]
}
