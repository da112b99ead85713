//! How many messages a second each side handles, and with how much CPU and memory: all sides of a case in each round, one
//! after the other, and in each round another one first.

use anyhow::Result;

use crate::bench::Bench;
use crate::measure::{self, Body, Task};
use crate::results::{Results, Run};
use crate::sides::contract::Contract;
use crate::sides::{ALL, Side};

/// How long the measured part of a run should last at most, in seconds: a side that is slow gets fewer messages.
const RUN_SECONDS: f64 = 4.0;
/// The least that is measured, in messages.
const MESSAGES_MIN: usize = 500;
/// Of the messages of a run, how many warm up.
const WARM_UP_PART: usize = 6;

/// What several sides do in turn.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) task: Task,
    pub(crate) sides: Vec<Side>,
}

pub(crate) async fn consume(bench: &Bench, results: &mut Results) -> Result<()> {
    let task = orders(bench, Contract::orders()?, 1024, 0);
    compare(bench, results, Case { title: crate::titles::CONSUME.to_owned(), task, sides: ALL.to_vec() })
        .await
}

pub(crate) async fn publish(bench: &Bench, results: &mut Results) -> Result<()> {
    let contract = Contract { publishes: true, guest: "bench_publishes", ..Contract::orders()? };
    let task = orders(bench, contract, 1024, 0);
    compare(bench, results, Case { title: crate::titles::PUBLISH.to_owned(), task, sides: ALL.to_vec() })
        .await
}

/// Orders of a size: fewer if they are large.
fn orders(bench: &Bench, contract: Contract, bytes: usize, fail_percent: usize) -> Task {
    let messages = (bench.messages * 3 * 1024 / bytes.max(3 * 1024)).max(MESSAGES_MIN);
    Task { contract, messages, body: Body::Orders { bytes, fail_percent } }
}

/// Runs a case.
pub(crate) async fn compare(bench: &Bench, results: &mut Results, case: Case) -> Result<()> {
    let Case { title, task, mut sides } = case;
    sides.retain(|side| match side.missing(bench) {
        None => true,
        Some(reason) => {
            results.notes.push(format!("{title}: {side} is left out: {reason}"));
            false
        }
    });
    let mut ready = Vec::new();
    for side in sides {
        let messages = (task.messages / WARM_UP_PART).max(MESSAGES_MIN);
        match measure::run(bench, &side, &Task { messages, ..task.clone() }).await {
            Ok(figure) => {
                println!("[{title}] warm-up, {side}: {:.0} messages/s", figure.rate);
                ready.push((side, figure.rate));
            }
            Err(error) => fail(results, &format!("{title}, warm-up, {side}: {error:#}")),
        }
    }
    for round in 1..=bench.rounds {
        for index in 0..ready.len() {
            let turn = (index + round) % ready.len();
            let (side, rate) = &mut ready[turn];
            let bound = (*rate * RUN_SECONDS) as usize;
            let task = Task { messages: task.messages.min(bound).max(MESSAGES_MIN), ..task.clone() };
            match measure::run(bench, side, &task).await {
                Ok(figure) => {
                    *rate = figure.rate;
                    let (rate, cpu, mib) = (figure.rate, figure.cpu_us, figure.peak_mib);
                    println!(
                        "[{title}] round {round}/{}, {side}: {rate:.0} messages/s, {cpu:.1} us CPU each, {mib:.0} MiB",
                        bench.rounds
                    );
                    results.runs.push(Run { case: title.clone(), side: side.to_string(), round, figure });
                }
                Err(error) => fail(results, &format!("{title}, round {round}, {side}: {error:#}")),
            }
        }
    }
    Ok(())
}

fn fail(results: &mut Results, what: &str) {
    println!("FAILED: {what}");
    results.failures.push(what.to_owned());
}
