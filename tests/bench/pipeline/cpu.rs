//! The CPU time of each step, as a table and in `target/bench/pipeline.json`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Handle;

use crate::host::target;
use crate::step::{Guest, Isolation, Step};
use crate::steps::{Pipeline, cpu};

/// Rounds, in each of which every step has its turn.
const ROUNDS: usize = 15;
/// Samples of a step in a round.
const SAMPLES: usize = 400;

/// How many times a step is done for one sample: what takes less than the clock costs is done many times.
fn calls(step: Step) -> u32 {
    match step {
        Step::Deliver | Step::Decode | Step::Validate | Step::Print | Step::Decide => 64,
        Step::Call(..) | Step::Path(..) | Step::Bare(..) => 1,
    }
}

/// The samples of one step, in microseconds.
struct Samples {
    step: Step,
    all: Vec<f64>,
    /// The median of each round.
    medians: Vec<f64>,
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// What looking at the clock costs, which every sample has in it.
fn clock() -> Duration {
    let mut costs: Vec<Duration> = (0..10_001)
        .map(|_| {
            let began = cpu();
            cpu() - began
        })
        .collect();
    costs.sort();
    costs[costs.len() / 2]
}

/// Measures all steps with bodies of `size` bytes, and prints them.
async fn table(size: usize, heavy: &Handle) -> anyhow::Result<Vec<Samples>> {
    let mut pipeline = Pipeline::new(size, heavy).await?;
    let mut all: Vec<Samples> =
        Step::ALL.map(|step| Samples { step, all: Vec::new(), medians: Vec::new() }).into();
    for round in 0..=ROUNDS {
        for samples in &mut all {
            let calls = calls(samples.step);
            let mut took = Vec::with_capacity(SAMPLES);
            let clock = clock();
            for _ in 0..SAMPLES {
                let sample = pipeline.take(samples.step, calls).await?.saturating_sub(clock);
                took.push(sample.as_secs_f64() * 1e6 / f64::from(calls));
            }
            let took = sorted(took);
            // The first round is for caches and branch predictors.
            if round > 0 {
                samples.medians.push(percentile(&took, 50));
                samples.all.extend(took);
            }
        }
    }
    println!("\n{size} B: CPU of a call in us, {ROUNDS} rounds of {SAMPLES}");
    println!("{:<18} {:>8} {:>8} {:>8}   p50 of the rounds", "step", "p50", "p90", "p99");
    for Samples { step, all, medians } in &all {
        let (all, medians) = (sorted(all.clone()), sorted(medians.clone()));
        let [p50, p90, p99] = [50, 90, 99].map(|percent| percentile(&all, percent));
        let (least, most) = (medians[0], medians[medians.len() - 1]);
        println!("{step:<18} {p50:>8.2} {p90:>8.2} {p99:>8.2}   {least:.2} to {most:.2}");
    }
    Ok(all)
}

/// What the host adds to the guest's own work, in microseconds: the median of all rounds, and what it is between the
/// rounds that others on the machine disturbed least.
struct Own {
    p50: f64,
    quietest: f64,
}

impl Own {
    fn of(all: &[Samples], isolation: Isolation) -> anyhow::Result<Self> {
        let medians = |step: Step| {
            let samples = all.iter().find(|samples| samples.step == step);
            samples.map(|samples| &samples.medians).with_context(|| format!("{step} was not measured"))
        };
        let path = medians(Step::Path(Guest::Noop, isolation))?;
        let guest = medians(Step::Bare(Guest::Noop, isolation))?;
        // Of the same round, where the same others were at work.
        let own = sorted(path.iter().zip(guest).map(|(path, guest)| path - guest).collect());
        let least = |medians: &[f64]| medians.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Self { p50: percentile(&own, 50), quietest: least(path) - least(guest) })
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Prints the tables, and writes the figures of 256 B.
pub(crate) async fn run(heavy: Handle) -> anyhow::Result<()> {
    let small = table(256, &heavy).await?;
    table(1024, &heavy).await?;
    let (fresh, reuse) = (Own::of(&small, Isolation::Fresh)?, Own::of(&small, Isolation::Reuse)?);
    let steps: BTreeMap<String, f64> = small
        .iter()
        .map(|samples| (samples.step.to_string(), round(percentile(&sorted(samples.medians.clone()), 50))))
        .collect();
    println!("\nthe host's own cost, path less guest, 256 B, in us of CPU:");
    for (name, Own { p50, quietest }) in [("fresh", &fresh), ("reuse", &reuse)] {
        println!("{name}: p50 {p50:.1}, in the quietest rounds {quietest:.1}");
    }
    let pipeline = Pipeline::new(256, &heavy).await?;
    println!("the task of one delivery: {} bytes, which are moved as it begins", pipeline.task_bytes()?);
    let json = serde_json::json!({
        "fresh_us": round(fresh.p50),
        "reuse_us": round(reuse.p50),
        "steps_us": steps,
        "quietest_fresh_us": round(fresh.quietest),
        "quietest_reuse_us": round(reuse.quietest),
    });
    std::fs::write(target().join("pipeline.json"), format!("{json}\n")).context("cannot write the figures")
}
