//! What the host does with a message, without a broker: decode, validate, instantiate, call, decide. `make bench-pipeline`.

mod bare;
mod cpu;
mod host;
mod steps;

use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Handle};

use steps::{Pipeline, Step};

fn main() -> anyhow::Result<()> {
    // One thread that runs calls, so that its CPU time is theirs.
    let guests = Builder::new_multi_thread().worker_threads(1).thread_name("guests").enable_all().build()?;
    let heavy =
        Builder::new_multi_thread().worker_threads(1).thread_name("heavy-guests").enable_all().build()?;
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["repeat", step, size, calls] => {
            let step = Step::named(step).with_context(|| format!("no step `{step}`"))?;
            let (size, calls) = (size.parse()?, calls.parse()?);
            guests.block_on(guests.spawn(repeat(step, size, calls, heavy.handle().clone())))?
        }
        _ => guests.block_on(guests.spawn(cpu::run(heavy.handle().clone())))?,
    }
}

/// Does one step many times, for a profiler.
async fn repeat(step: Step, size: usize, calls: u32, heavy: Handle) -> anyhow::Result<()> {
    let mut pipeline = Pipeline::new(size, &heavy).await?;
    let mut took = Duration::ZERO;
    let mut left = calls;
    while left > 0 {
        // Not all at once: what deliveries are made of would no longer be in the processor's caches.
        let some = left.min(64);
        took += pipeline.take(step, some).await?;
        left -= some;
    }
    println!("{step} {size}: {:.2} us of CPU each", took.as_secs_f64() * 1e6 / f64::from(calls));
    Ok(())
}
