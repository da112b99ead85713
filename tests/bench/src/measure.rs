//! One run: a queue is filled, a side is started on it, and what it does is measured from outside, with the same clock
//! for all. A run in which not every message was settled, or published as often as it should be, is an error.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::bench::Bench;
use crate::broker::Client;
use crate::process::{self, Process};
use crate::sides::Side;
use crate::sides::contract::Contract;
use crate::{machine, order};

/// How often the queue is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The same for each of many queues.
const LOOK_AT_NEXT: Duration = Duration::from_millis(2);
/// The clock starts when so much of the messages was taken, in percent: what takes them is warm then. And not before more
/// was taken than is handed over ahead, so that what goes from the queue from then on was handled.
const WARM_PERCENT: usize = 5;
/// Of many queues, the clock stops when so much is left: each becomes empty at a time of its own.
const LEFT_PERCENT: usize = 5;
/// How long nothing may happen.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);
/// The same before the first message is taken: a component may have to be compiled.
const START_TIMEOUT: Duration = Duration::from_secs(300);
/// How long the broker may take to see that a side has gone.
const GONE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long messages may take to come back from a side that has ended.
const SETTLED_WITHIN: Duration = Duration::from_millis(100);

/// What is to be consumed.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// From where, and what is published.
    pub(crate) contract: Contract,
    /// How many messages.
    pub(crate) messages: usize,
    /// Size of each.
    pub(crate) body: Body,
}

/// What messages look like.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Orders.
    Orders {
        /// Size of each.
        bytes: usize,
        /// How many of a hundred fail once.
        fail_percent: usize,
    },
    /// All the same.
    Same(Vec<u8>),
}

impl Body {
    /// The body of a message.
    pub(crate) fn of(&self, index: usize) -> Vec<u8> {
        match self {
            Self::Same(body) => body.clone(),
            // 37 and 100 have no common divisor: they are spread evenly.
            Self::Orders { bytes, fail_percent } => {
                order::body(index, *bytes, index * 37 % 100 < *fail_percent)
            }
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Figure {
    /// Messages a second.
    pub(crate) rate: f64,
    /// CPU time of the side for each message, in microseconds.
    pub(crate) cpu_us: f64,
    /// The same of the broker.
    pub(crate) broker_us: f64,
    /// For each message, how long the cores had nothing to do, all of them together, in microseconds.
    pub(crate) idle_us: f64,
    /// The most memory that it held, in MiB.
    pub(crate) peak_mib: f64,
}

/// What was seen at a time.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    left: usize,
    spent: Spent,
}

/// What the cores have spent so far, in microseconds: on the side, on the broker, on nothing.
#[derive(Debug, Clone, Copy)]
struct Spent {
    side: u64,
    broker: u64,
    idle: u64,
}

impl Spent {
    fn so_far(bench: &Bench, process: &Process) -> Result<Self> {
        let broker = process::cpu_us(bench.broker).context("the broker")?;
        Ok(Self { side: process.cpu_us()?, broker, idle: machine::idle_us() })
    }

    fn midpoint(self, other: Self) -> Self {
        Self {
            side: self.side.midpoint(other.side),
            broker: self.broker.midpoint(other.broker),
            idle: self.idle.midpoint(other.idle),
        }
    }
}

/// Fills the queues, and lets a side empty them.
pub(crate) async fn run(bench: &Bench, side: &Side, task: &Task) -> Result<Figure> {
    let Task { contract, messages, body } = task;
    contract.declare(bench).await?;
    let queues = contract.all_queues();
    bench.client.fill(&queues, *messages, |index| body.of(index)).await?;
    let mut process = side.start(bench, contract, &bench.url)?;
    let (first, last) = drain(bench, &mut process, task).await?;
    if contract.publishes {
        until_published(&bench.client, *messages).await?;
    }
    process.until_idle().await?;
    let peak_mib = process.memory_kib("VmHWM")? as f64 / 1024.0;
    finish(bench, process, task).await?;
    let done = first.left.saturating_sub(last.left);
    ensure!(
        done > 0 && last.at > first.at,
        "it was done before it could be measured: more messages are needed"
    );
    let seconds = (last.at - first.at).as_secs_f64();
    let each =
        |spent: fn(Spent) -> u64| spent(last.spent).saturating_sub(spent(first.spent)) as f64 / done as f64;
    Ok(Figure {
        rate: done as f64 / seconds,
        cpu_us: each(|spent| spent.side),
        broker_us: each(|spent| spent.broker),
        idle_us: each(|spent| spent.idle),
        peak_mib,
    })
}

/// Stops a side, and looks whether it has settled and published everything.
pub(crate) async fn finish(bench: &Bench, process: Process, task: &Task) -> Result<()> {
    process.stop().await?;
    tokio::time::sleep(SETTLED_WITHIN).await;
    for queue in task.contract.all_queues() {
        let ended = Instant::now();
        let ready = loop {
            let (ready, consumers) = bench.client.look(&queue).await?;
            if consumers == 0 {
                break ready;
            }
            ensure!(ended.elapsed() < GONE_TIMEOUT, "{queue} still has a consumer");
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        ensure!(ready == 0, "{ready} messages of {queue} came back: they were not settled");
    }
    let wanted = if task.contract.publishes { task.messages } else { 0 };
    let published = bench.client.ready("out").await?;
    ensure!(published == wanted, "{published} messages were published, and not {wanted}");
    let dead = bench.client.ready("dead").await?;
    ensure!(dead == 0, "{dead} messages were dead-lettered");
    Ok(())
}

/// Waits until so many messages were published: a side that waits for confirms looks idle.
async fn until_published(client: &Client, messages: usize) -> Result<()> {
    let began = Instant::now();
    while client.ready("out").await? < messages {
        ensure!(began.elapsed() < PROGRESS_TIMEOUT, "not all messages are published");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Looks on until the queues are empty; where the clock started, and where it stopped.
async fn drain(bench: &Bench, process: &mut Process, task: &Task) -> Result<(Look, Look)> {
    let (queues, messages) = (&task.contract.all_queues(), task.messages);
    let (mut first, mut last, mut moved) = (None, None, Instant::now());
    let ahead = usize::from(task.contract.prefetch) * queues.len();
    let taken = (messages * WARM_PERCENT / 100).max(ahead + ahead / 8);
    let (warm, left) = (messages.saturating_sub(taken), messages * LEFT_PERCENT / 100);
    let mut before = messages;
    loop {
        process.check()?;
        let look = look(bench, process, queues).await?;
        if look.left != before {
            (before, moved) = (look.left, Instant::now());
        }
        if first.is_none() && look.left < warm {
            first = Some(look);
        }
        if look.left >= left || queues.len() == 1 {
            last = Some(look);
        }
        if look.left == 0 {
            return first.zip(last).context("it was done before it was looked at");
        }
        let limit = if before == messages { START_TIMEOUT } else { PROGRESS_TIMEOUT };
        if moved.elapsed() > limit {
            bail!("nothing happens any more, with {} messages left: {}", look.left, process.tail());
        }
    }
}

/// Looks at all queues, with a pause before each.
async fn look(bench: &Bench, process: &Process, queues: &[String]) -> Result<Look> {
    let (began, spent_before) = (Instant::now(), Spent::so_far(bench, process)?);
    let mut left = 0;
    let pause = if queues.len() > 10 { LOOK_AT_NEXT } else { LOOK_AGAIN };
    for queue in queues {
        tokio::time::sleep(pause).await;
        left += bench.client.ready(queue).await?;
    }
    // Of one queue the moment counts, of many the middle of the time that it took to look at them.
    let (at, spent) = (Instant::now(), Spent::so_far(bench, process)?);
    if queues.len() == 1 {
        return Ok(Look { at, left, spent });
    }
    Ok(Look { at: began + (at - began) / 2, left, spent: spent_before.midpoint(spent) })
}
