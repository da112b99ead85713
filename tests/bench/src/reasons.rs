//! Why a target is short, in figures of the same run: who had the cores, and with how much the host would have to do. What
//! was found with a profiler beside that, and what was tried, is in ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use crate::broker::root;
use crate::machine;
use crate::measure::Figure;
use crate::results::Results;
use crate::sides::{FRESH, Side};
use crate::titles::{CONSUME, IDLE, IDLE_DATA, LATENCY, MEMORY};

/// Of what was not measured, or has no reason of its own.
pub(crate) const NONE: &str =
    "Nothing was looked into. Figures of each run are in `target/bench/results.json`.";

/// What the microbenchmark of the host's own path has left, if it ran; all in microseconds.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Pipeline {
    /// What the host adds to the guest's own work.
    pub(crate) fresh_us: f64,
    /// The same of an instance that is used again.
    pub(crate) reuse_us: f64,
    /// Each step.
    steps_us: BTreeMap<String, f64>,
}

impl Pipeline {
    /// Of the last `make bench-pipeline`.
    pub(crate) fn read() -> Option<Self> {
        let text = fs::read_to_string(root().join("target/bench/pipeline.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn step(&self, name: &str) -> f64 {
        self.steps_us.get(name).copied().unwrap_or_default()
    }
}

/// Why a side does not make `goal` messages a second.
pub(crate) fn rate(results: &Results, case: &str, side: &Side, goal: Option<f64>) -> String {
    let median = |quantity: fn(&Figure) -> f64| {
        results.spread(case, &side.to_string(), quantity).map(|spread| spread.median)
    };
    let seen = median(|figure| figure.rate).zip(median(|figure| figure.cpu_us));
    let beside = median(|figure| figure.broker_us).zip(median(|figure| figure.idle_us));
    let (Some((rate, host)), Some((broker, idle)), Some(goal)) = (seen, beside, goal) else {
        return NONE.to_owned();
    };
    let cores = machine::cores() as f64;
    let (now, then) = (cores * 1e6 / rate, cores * 1e6 / goal);
    let others = (now - host - broker - idle).max(0.0);
    let left = then - broker - others;
    let needed = if left >= host {
        "there is room for all of it: needed is that nobody waits for the broker".to_owned()
    } else if left > 0.0 {
        format!("needed is a host that takes at most {left:.1} us, with no core ever idle")
    } else {
        "broker, driver and system alone take more: no host on these cores can reach it".to_owned()
    };
    format!(
        "At {rate:.0} messages/s the {cores} cores have {now:.1} us for each message; the host took {host:.1} of them, the \
         broker {broker:.1}, driver and system {others:.1}, nobody {idle:.1}. At the goal, {goal:.0} messages/s, they have \
         {then:.1} us: {needed}."
    )
}

/// Why a message takes more CPU than `goal` microseconds.
pub(crate) fn cpu(results: &Results, goal: f64, pipeline: Option<&Pipeline>) -> String {
    let seen = results.spread(CONSUME, &FRESH.to_string(), |figure| figure.cpu_us);
    let Some((seen, pipeline)) = seen.zip(pipeline) else { return NONE.to_owned() };
    format!(
        "Of {:.1} us, {:.1} are the whole path of a message without a broker (`make bench-pipeline`, 256 B), a fresh guest's \
         {:.1} among them; the rest is frames, sockets, wakeups, and that same path in caches that the broker has used in \
         between. Needed: {:.1} us less.",
        seen.median,
        pipeline.step("path-noop-fresh"),
        pipeline.step("guest-noop-fresh"),
        (seen.median - goal).max(0.0)
    )
}

/// Where the host's own cost of a reused instance goes, when it should be `goal` microseconds.
pub(crate) fn own_cost(goal: f64, pipeline: Option<&Pipeline>) -> String {
    let Some(pipeline) = pipeline else { return NONE.to_owned() };
    let step = |name: &str| pipeline.step(name);
    let (path, call, guest) = (step("path-noop-reuse"), step("call-noop-reuse"), step("guest-noop-reuse"));
    let before = ["decode", "validate", "print", "decide"].map(step);
    let [decode, validate, print, decide] = before;
    format!(
        "Of {:.1} us, reading what lapin hands out takes {decode:.2}, the check against the schema {validate:.2}, the hash \
         that tells a message that comes again {print:.2}, the decision {decide:.2}; a call costs {:.2} more than under \
         wasmtime alone (limits, clocks, the message into the guest, the outcome out of it), and taking up and settling the \
         delivery {:.2}. None stands out: needed is all of it at {:.0} %.",
        path - guest,
        call - guest,
        path - call - before.iter().sum::<f64>(),
        100.0 * goal / (path - guest)
    )
}

/// Why the slowest of a hundred messages take longer than beside the native side.
pub(crate) fn latency(results: &Results) -> String {
    let value = |what: &str| results.value(LATENCY, what).map(|spread| spread.median);
    let side = |side: &Side| value(&format!("{side}: p50 ms")).zip(value(&format!("{side}: p99 ms")));
    let cpu = |side: &Side| results.spread(CONSUME, &side.to_string(), |figure| figure.cpu_us);
    let (Some(load), Some((fresh, native)), Some((host_us, native_us))) = (
        value("load, messages/s"),
        side(&FRESH).zip(side(&Side::LapinBatched)),
        cpu(&FRESH).zip(cpu(&Side::LapinBatched)),
    ) else {
        return NONE.to_owned();
    };
    let busy = |us: f64| 100.0 * load * us / 1e6;
    format!(
        "p50 and p99 are {:.1} and {:.1} ms, beside {:.1} and {:.1} of (b). At {load:.0} messages/s the host has a core for {:.0} % \
         of the time, (b) for {:.0} %; broker, driver and the proxy that takes the times want the same {} cores, so that a burst \
         waits the longer the more of them each message takes. Needed: less CPU for a message, or a core that is the host's own.",
        fresh.0,
        fresh.1,
        native.0,
        native.1,
        busy(host_us.median),
        busy(native_us.median),
        machine::cores()
    )
}

/// What an idle host holds.
pub(crate) fn idle_memory(results: &Results) -> String {
    let value = |what: &str| results.value(MEMORY, what).map(|spread| spread.median);
    let Some((all, data)) = value(IDLE).zip(value(IDLE_DATA)) else { return NONE.to_owned() };
    format!(
        "{:.1} MiB are pages of the program's file, which the system may take back at any time. Of the other {data:.1}, 8 are \
         two buffers of lapin's (32 frames of 128 KiB each) for the connection that publishes, which it fills with zeros before \
         it uses them. Needed: buffers that are only touched when they are used, as those of the connection that consumes are.",
        all - data
    )
}
