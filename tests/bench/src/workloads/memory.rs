//! Memory of a host that has nothing to do, and how it grows by consumer; and over a backlog of a million messages, with
//! the throughput.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::latency::until_consumed;
use crate::bench::Bench;
use crate::measure::{self, Body, Task};
use crate::results::Results;
use crate::sides::FRESH;
use crate::sides::contract::Contract;
use crate::titles::{BACKLOG, FLAT, IDLE, IDLE_DATA, LAST_TENTH, MEMORY, PER_CONSUMER};

/// How many consumers more are measured.
const MORE: usize = 100;
/// The backlog, when a run has 30,000 messages.
const BACKLOG_PART: usize = 1_000_000 / 30_000;
/// How often a backlog is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn idle(bench: &Bench, results: &mut Results) -> Result<()> {
    for round in 1..=bench.rounds {
        let [one, data] = mib(bench, 1).await?;
        let [many, _] = mib(bench, 1 + MORE).await?;
        let each = (many - one) / MORE as f64;
        println!(
            "[{MEMORY}] round {round}/{}: {one:.1} MiB, {each:.2} MiB for each further consumer",
            bench.rounds
        );
        results.add(MEMORY, IDLE, one);
        results.add(MEMORY, IDLE_DATA, data);
        results.add(MEMORY, PER_CONSUMER, each);
    }
    Ok(())
}

/// All that it holds, and without the pages of the program's file.
async fn mib(bench: &Bench, queues: usize) -> Result<[f64; 2]> {
    let contract = Contract { queues, prefetch: 16, ..Contract::orders(bench)? };
    contract.declare(bench).await?;
    let process = FRESH.start(bench, &contract, &bench.url)?;
    until_consumed(bench, &contract).await?;
    process.until_idle().await?;
    let mib = [process.memory_kib("VmRSS")?, process.memory_kib("RssAnon")?].map(|kib| kib as f64 / 1024.0);
    let body = Body::Orders { bytes: 1024, fail_percent: 0 };
    measure::finish(bench, process, &Task { contract, messages: 0, body }).await?;
    Ok(mib)
}

/// Once: it takes minutes.
pub(crate) async fn backlog(bench: &Bench, results: &mut Results) -> Result<()> {
    let contract = Contract::orders(bench)?;
    let messages = if bench.messages == 30_000 { 1_000_000 } else { bench.messages * BACKLOG_PART };
    let body = Body::Orders { bytes: 256, fail_percent: 0 };
    contract.declare(bench).await?;
    println!("[{BACKLOG}] publishing {messages} messages");
    bench.client.fill(&contract.all_queues(), messages, |index| body.of(index)).await?;
    let mut process = FRESH.start(bench, &contract, &bench.url)?;
    let (mut tenths, mut moved, mut before) = (Vec::new(), Instant::now(), messages);
    // Where a tenth begins, so that each is measured from where the last one ended. The first is when it runs.
    loop {
        process.check()?;
        let left = bench.client.ready(&contract.queue(0)).await?;
        if left != before {
            (before, moved) = (left, Instant::now());
        }
        if moved.elapsed() > PROGRESS_TIMEOUT {
            bail!("nothing happens any more: {}", process.tail());
        }
        let begins = messages - messages * tenths.len() / 10;
        if left <= begins.min(messages - messages / 100) {
            let mib = process.memory_kib("VmRSS")? as f64 / 1024.0;
            tenths.push((Instant::now(), left, mib, process.cpu_us()?));
        }
        if left == 0 {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    process.until_idle().await?;
    measure::finish(bench, process, &Task { contract, messages, body }).await?;
    let mut rates = Vec::new();
    for (index, pair) in tenths.windows(2).enumerate() {
        let [(from, left_from, _, cpu_from), (to, left_to, mib, cpu_to)] = pair else { continue };
        let done = (left_from - left_to) as f64;
        let (rate, cpu) = (done / (*to - *from).as_secs_f64(), (cpu_to - cpu_from) as f64 / done);
        println!("[{BACKLOG}] tenth {}: {rate:.0} messages/s, {cpu:.1} us CPU each, {mib:.0} MiB", index + 1);
        results.add(BACKLOG, "CPU us by tenths", cpu);
        results.add(BACKLOG, "messages/s by tenths", rate);
        results.add(BACKLOG, "MiB by tenths", *mib);
        rates.push((rate, *mib));
    }
    let (first, last) = rates.first().zip(rates.last()).context("it went too fast to see")?;
    results.add(BACKLOG, LAST_TENTH, last.0 / first.0);
    results.add(BACKLOG, FLAT, last.1 / first.1);
    Ok(())
}
