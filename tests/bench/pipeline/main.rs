//! What the host does with a message, without a broker: decode, validate, instantiate, call, decide. `make bench-pipeline`
//! measures the CPU time of each step (`cpu`) and their spread by the clock (`parts`, with divan); `make
//! bench-instructions` counts instructions (`instructions`).
//!
//! It goes through the host's own code: the contract is loaded as `warren run` loads it, a delivery is what lapin hands out,
//! and its path is decode, a task, `dispatch`, and the settlement as the settle task gets it. What is missing is the broker,
//! and with it the frames: reading them and writing acks. Nothing listens to the log.
//!
//! The guest's own work is a call of the same component with the same message under wasmtime alone: the host's engine, a
//! store with nothing in it, no limits, no WASI; of a fresh call, making the instance and dropping it included. The host's
//! own cost is the path less that. Of two guests, `noop` does nothing at all, and `rust` is what a toolchain makes: it
//! parses the payload and logs a line.
//!
//! Divan, because it brings four small crates and changes no feature of another; criterion 0.8 brings seventeen, and has
//! the JSON validator, and so this crate, built once more for tests than for the program.

mod bare;
mod cpu;
mod host;
mod instructions;
mod parts;
mod step;
mod steps;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Handle};

use step::Step;
use steps::Pipeline;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["instructions"] => {
            let met = instructions::run()?;
            return Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        ["divan", ..] => {
            divan::Divan::default().run_benches();
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    // One thread that runs calls, so that its CPU time is theirs.
    let guests = Builder::new_multi_thread().worker_threads(1).thread_name("guests").enable_all().build()?;
    let heavy =
        Builder::new_multi_thread().worker_threads(1).thread_name("heavy-guests").enable_all().build()?;
    let handle = heavy.handle().clone();
    match *arguments {
        ["repeat", step, size, calls] => {
            let step = Step::named(step).with_context(|| format!("no step `{step}`"))?;
            guests.block_on(guests.spawn(repeat(step, size.parse()?, calls.parse()?, handle)))??;
        }
        _ => guests.block_on(guests.spawn(cpu::run(handle)))??,
    }
    Ok(ExitCode::SUCCESS)
}

/// Does one step many times, for a profiler: `perf record`, or callgrind.
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
