//! How many messages a second each side handles, and with how much CPU and memory: all sides of a case in each round, one
//! after the other, and in each round another one first.

use anyhow::Result;

use crate::bench::Bench;
use crate::measure::{self, Body, Figure, Task};
use crate::results::{Results, Run};
use crate::sides::contract::Contract;
use crate::sides::{ALL, FRESH, Isolation, PREFETCH, Side, Warren};
use crate::titles::{CONSUME, MANY_CONSUMERS, ONE_CONSUMER, PUBLISH};

/// How long the measured part of a run should last at most, in seconds: a side that is slow gets fewer messages.
const RUN_SECONDS: f64 = 3.0;
/// The least that is measured, in messages.
const MESSAGES_MIN: usize = 1_200;
/// Of the messages of a run, how many warm up.
const WARM_UP_PART: usize = 6;

/// How many messages large orders wait with, of those that are handed over ahead: 256 of them would be all there are.
const PREFETCH_LARGE: u16 = 16;

/// What several sides do in turn.
pub(super) struct Case {
    pub(super) title: String,
    pub(super) task: Task,
    pub(super) sides: Vec<Side>,
}

pub(super) async fn consume(bench: &Bench, results: &mut Results) -> Result<()> {
    let parses = Warren {
        isolation: Isolation::Fresh,
        what: "handler parses too",
        component: Some(bench.guests.join("bench_parses.wasm")),
    };
    let sides = [&ALL[..], &[Side::Warren(parses)]].concat();
    let task = orders(bench, Contract::orders(bench)?, 1024, 0);
    compare(bench, results, vec![Case { title: CONSUME.to_owned(), task, sides }]).await
}

pub(super) async fn publish(bench: &Bench, results: &mut Results) -> Result<()> {
    let contract = Contract { publishes: true, guest: "bench_publishes", ..Contract::orders(bench)? };
    let task = orders(bench, contract, 1024, 0);
    compare(bench, results, vec![Case { title: PUBLISH.to_owned(), task, sides: ALL.to_vec() }]).await
}

/// 1 KiB is measured by `consume`.
pub(super) async fn sizes(bench: &Bench, results: &mut Results) -> Result<()> {
    for (title, bytes) in
        [("consume, 256 B", 256), ("consume, 16 KiB", 16 * 1024), ("consume, 256 KiB", 256 * 1024)]
    {
        let mut contract = Contract::orders(bench)?;
        if bytes > 64 * 1024 {
            contract.prefetch = PREFETCH_LARGE;
        }
        let task = orders(bench, contract, bytes, 0);
        compare(bench, results, vec![Case { title: title.to_owned(), task, sides: ALL.to_vec() }]).await?;
    }
    Ok(())
}

pub(super) async fn failure(bench: &Bench, results: &mut Results) -> Result<()> {
    for fail_percent in [1, 20] {
        let title = format!("consume, 1 KiB, {fail_percent} % fail once");
        let task = orders(bench, Contract::orders(bench)?, 1024, fail_percent);
        compare(bench, results, vec![Case { title, task, sides: ALL.to_vec() }]).await?;
    }
    Ok(())
}

/// The same messages from one queue, from ten, and from a hundred, and in sum about as many handed over ahead.
pub(super) async fn consumers(bench: &Bench, results: &mut Results) -> Result<()> {
    let case = |(title, queues, prefetch): (&str, usize, u16)| {
        let contract = Contract { queues, prefetch, ..Contract::orders(bench)? };
        let mut task = orders(bench, contract, 1024, 0);
        // It takes a while to look at a hundred queues, and some have to be left then.
        task.messages *= 4;
        Ok(Case { title: title.to_owned(), task, sides: vec![FRESH] })
    };
    let cases =
        [(ONE_CONSUMER, 1, PREFETCH), ("consume, 1 KiB, 10 consumers", 10, 26), (MANY_CONSUMERS, 100, 16)];
    compare(bench, results, cases.into_iter().map(case).collect::<Result<_>>()?).await
}

/// Orders of a size: fewer if they are large.
fn orders(bench: &Bench, contract: Contract, bytes: usize, fail_percent: usize) -> Task {
    let messages = match bytes {
        ..=4096 => bench.messages,
        4097..=65_536 => bench.messages / 5,
        _ => bench.messages / 50,
    };
    Task { contract, messages, body: Body::Orders { bytes, fail_percent } }
}

/// One of those that take turns.
struct Turn {
    title: String,
    task: Task,
    side: Side,
    /// Messages a second, as last seen.
    rate: f64,
}

/// Runs all sides of all cases in each round.
pub(super) async fn compare(bench: &Bench, results: &mut Results, cases: Vec<Case>) -> Result<()> {
    let mut turns = Vec::new();
    for Case { title, task, sides } in cases {
        for side in sides.into_iter().filter(|side| side.is_wanted(bench)) {
            match side.missing(bench) {
                Some(reason) => results.notes.push(format!("{title}: {side} is left out: {reason}")),
                None => turns.extend(warm_up(bench, results, &title, &task, side).await),
            }
        }
    }
    for round in 1..=bench.rounds {
        for index in 0..turns.len() {
            let turn = (index + round) % turns.len();
            let Turn { title, task, side, rate } = &mut turns[turn];
            let bound = (*rate * RUN_SECONDS) as usize;
            let task = Task { messages: task.messages.min(bound.max(least(task))), ..task.clone() };
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

/// The fewest messages that can be measured: some have to be left when as many as are handed over ahead were taken.
fn least(task: &Task) -> usize {
    MESSAGES_MIN.max(3 * usize::from(task.contract.prefetch) * task.contract.queues)
}

/// A run with few messages that does not count, but says how many a second there will be.
async fn warm_up(bench: &Bench, results: &mut Results, title: &str, task: &Task, side: Side) -> Option<Turn> {
    // Few messages in many queues would all be handed over ahead.
    let part = if task.contract.queues == 1 { WARM_UP_PART } else { 1 };
    let messages = (task.messages / part).max(least(task)).min(task.messages);
    match measure::run(bench, &side, &Task { messages, ..task.clone() }).await {
        Ok(Figure { rate, .. }) => {
            println!("[{title}] warm-up, {side}: {rate:.0} messages/s");
            Some(Turn { title: title.to_owned(), task: task.clone(), side, rate })
        }
        Err(error) => {
            fail(results, &format!("{title}, warm-up, {side}: {error:#}"));
            None
        }
    }
}

/// A run that is no figure.
pub(super) fn fail(results: &mut Results, what: &str) {
    println!("FAILED: {what}");
    results.failures.push(what.to_owned());
}
