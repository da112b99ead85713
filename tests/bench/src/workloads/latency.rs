//! How long a message is in hand, from the broker's delivery to the ack, at half of the load that the slower side can take;
//! and how long it takes from the start of a side to its first ack.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::throughput::fail;
use crate::bench::Bench;
use crate::measure::{self, Body, Task};
use crate::order;
use crate::proxy::Proxy;
use crate::results::Results;
use crate::sides::contract::Contract;
use crate::sides::{ALL, FRESH, REUSE, Side};
use crate::titles::{CONSUME, LATENCY, P99_RATIO, START};

/// How long a round is measured, after how long.
const MEASURED: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);
/// How often a run is tried.
const RUNS_MAX: usize = 3;
/// How often messages are published.
const TICK: Duration = Duration::from_millis(1);
/// How long the first ack may take.
const START_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) async fn half_load(bench: &Bench, results: &mut Results) -> Result<()> {
    let contract = Contract::orders(bench)?;
    let sides = [Side::LapinBatched, FRESH, REUSE];
    let mut peak = f64::MAX;
    for side in [Side::LapinBatched, FRESH] {
        let seen = results.spread(CONSUME, &side.to_string(), |figure| figure.rate);
        let rate = match seen {
            Some(spread) => spread.median,
            None => {
                let body = Body::Orders { bytes: 1024, fail_percent: 0 };
                let task = Task { contract: contract.clone(), messages: bench.messages, body };
                measure::run(bench, &side, &task).await?.rate
            }
        };
        peak = peak.min(rate);
    }
    let rate = peak / 2.0;
    results.add(LATENCY, "load, messages/s", rate.round());
    for round in 1..=bench.rounds {
        let mut p99 = Vec::new();
        for index in 0..sides.len() {
            let side = &sides[(index + round) % sides.len()];
            let latencies = match in_time(bench, &contract, side, rate).await {
                Ok(latencies) => latencies,
                Err(error) => {
                    fail(results, &format!("{LATENCY}, round {round}, {side}: {error:#}"));
                    continue;
                }
            };
            let [p50, p99_ms, most] = quantiles(latencies).context("no message was acked")?;
            println!(
                "[{LATENCY}] round {round}/{}, {side}: p50 {p50:.2} ms, p99 {p99_ms:.2} ms, most {most:.1} ms",
                bench.rounds
            );
            for (what, value) in [("p50 ms", p50), ("p99 ms", p99_ms), ("most ms", most)] {
                results.add(LATENCY, &format!("{side}: {what}"), value);
            }
            p99.push((side, p99_ms));
        }
        let of = |wanted: &Side| p99.iter().find(|(side, _)| *side == wanted).map(|(_, p99)| *p99);
        if let Some((fresh, batched)) = of(&FRESH).zip(of(&Side::LapinBatched)) {
            results.add(LATENCY, P99_RATIO, fresh / batched);
        }
    }
    Ok(())
}

/// The driver publishes on the same cores, and is late sometimes: such a run says nothing of the side, and is repeated.
async fn in_time(bench: &Bench, contract: &Contract, side: &Side, rate: f64) -> Result<Vec<Duration>> {
    for _ in 0..RUNS_MAX {
        if let Some(latencies) = one(bench, contract, side, rate).await? {
            return Ok(latencies);
        }
        println!("[{LATENCY}] {side}: the driver was late");
    }
    bail!("messages could not be published in time, {RUNS_MAX} times")
}

/// None if messages were not published in time.
async fn one(bench: &Bench, contract: &Contract, side: &Side, rate: f64) -> Result<Option<Vec<Duration>>> {
    contract.declare(bench).await?;
    let proxy = Proxy::start(&bench.address).await?;
    let mut process = side.start(bench, contract, &proxy.url(&bench.url, &bench.address))?;
    until_consumed(bench, contract).await?;
    let (queue, began) = (contract.queue(0), Instant::now());
    let mut confirms = FuturesUnordered::new();
    let mut sent = 0;
    let mut ticks = tokio::time::interval(TICK);
    while began.elapsed() < WARM_UP + MEASURED {
        ticks.tick().await;
        // As many as there should be by now: a tick that comes late makes up for it.
        let due = (began.elapsed().as_secs_f64() * rate) as usize;
        while sent < due {
            confirms
                .push(bench.client.publish(&queue, &order::body(sent, 1024, false), &order::id(sent)).await?);
            sent += 1;
        }
        while let Some(Some(confirmed)) = confirms.next().now_or_never() {
            ensure!(confirmed?.is_ack(), "the broker refuses a message");
        }
        process.check()?;
    }
    let ended = Instant::now();
    let wanted = (ended - began).as_secs_f64() * rate;
    let in_time = sent as f64 > 0.95 * wanted;
    while let Some(confirmed) = confirms.next().await {
        ensure!(confirmed?.is_ack(), "the broker refuses a message");
    }
    while bench.client.ready(&queue).await? > 0 {
        tokio::time::sleep(TICK).await;
    }
    process.until_idle().await?;
    let body = Body::Orders { bytes: 1024, fail_percent: 0 };
    measure::finish(bench, process, &Task { contract: contract.clone(), messages: sent, body }).await?;
    Ok(in_time.then(|| proxy.latencies(began + WARM_UP, ended)))
}

/// Waits until every queue has its consumer.
pub(crate) async fn until_consumed(bench: &Bench, contract: &Contract) -> Result<()> {
    for queue in contract.all_queues() {
        let began = Instant::now();
        while bench.client.look(&queue).await?.1 == 0 {
            ensure!(began.elapsed() < START_TIMEOUT, "{queue} is not consumed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}

/// Median, 99th percentile and the most, in milliseconds.
fn quantiles(mut latencies: Vec<Duration>) -> Option<[f64; 3]> {
    latencies.sort_unstable();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        latencies.get(index.min(latencies.len().saturating_sub(1)))
    };
    Some([at(0.5)?, at(0.99)?, at(1.0)?].map(|latency| latency.as_secs_f64() * 1000.0))
}

/// From the start of a side to its first ack, with a message that waits.
pub(crate) async fn start(bench: &Bench, results: &mut Results) -> Result<()> {
    let contract = Contract::orders(bench)?;
    let sides: Vec<Side> = ALL.into_iter().filter(|side| side.missing(bench).is_none()).collect();
    // The first time fills caches.
    for round in 0..=bench.rounds {
        for index in 0..sides.len() {
            let side = &sides[(index + round) % sides.len()];
            let took_ms = first_ack(bench, &contract, side).await?.as_secs_f64() * 1000.0;
            if round > 0 {
                println!("[{START}] round {round}/{}, {side}: {took_ms:.0} ms", bench.rounds);
                results.add(START, &format!("{side}: ms"), took_ms);
            }
        }
    }
    Ok(())
}

async fn first_ack(bench: &Bench, contract: &Contract, side: &Side) -> Result<Duration> {
    contract.declare(bench).await?;
    let body = Body::Orders { bytes: 1024, fail_percent: 0 };
    bench.client.fill(&contract.all_queues(), 1, |index| body.of(index)).await?;
    let proxy = Proxy::start(&bench.address).await?;
    let began = Instant::now();
    let mut process = side.start(bench, contract, &proxy.url(&bench.url, &bench.address))?;
    let acked = loop {
        if let Some(acked) = proxy.first_ack() {
            break acked;
        }
        process.check()?;
        ensure!(began.elapsed() < START_TIMEOUT, "no ack: {}", process.tail());
        tokio::time::sleep(TICK).await;
    };
    process.until_idle().await?;
    measure::finish(bench, process, &Task { contract: contract.clone(), messages: 1, body }).await?;
    Ok(acked - began)
}
