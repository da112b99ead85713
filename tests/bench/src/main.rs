//! The benchmark: the host beside native consumers and those of other languages, on one broker, with the same messages.
//!
//! Each side is a process of its own and is measured from outside (`measure`); what is measured is in `workloads`, what
//! should come of it in `targets`. README.md says how to read the results.

mod bench;
mod broker;
mod frames;
mod machine;
mod measure;
mod order;
mod process;
mod proxy;
mod reasons;
mod results;
mod sides;
mod table;
mod targets;
mod titles;
mod workloads;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use bench::{Bench, CONCURRENCY, Extent, Places};
use broker::{Node, root};
use results::Results;
use sides::lapin::Native;
use workloads::Workload;

/// Measure the host beside other consumers on one broker, with the same messages
///
/// The broker is started, and stopped in the end. A run of everything writes tests/bench/RESULTS.md, one of a part,
/// or with a run that failed, target/bench/RESULTS.md. The exit status is 0 if every run came to a figure, whatever the figures are.
#[derive(Debug, Parser)]
#[command(name = "warren-bench", args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    side: Option<Hidden>,
    /// Only these workloads, separated by commas
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    only: Vec<Workload>,
    #[command(flatten)]
    extent: Extent,
    /// Which RabbitMQ: 3 is the machine's own, 4 the one of `scripts/setup --broker-4`
    #[arg(long, value_name = "MAJOR", default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=4))]
    broker: u8,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// Be one of the native sides
    #[command(hide = true)]
    Side(Native),
    /// Be the server that handlers make requests to
    #[command(hide = true)]
    Answer,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = match &options.side {
        Some(Hidden::Side(native)) => side(native).map(|()| true),
        Some(Hidden::Answer) => answer().map(|()| true),
        None => run(&options),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn side(native: &Native) -> Result<()> {
    sides::lapin::run(native).await
}

#[tokio::main(flavor = "current_thread")]
async fn answer() -> Result<()> {
    workloads::io_bound::answer().await
}

/// Lets this program and what it starts open as many files as they may at all: a connection is one.
fn open_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("RLIMIT_NOFILE")
}

/// Whether every run came to a figure.
fn run(options: &Options) -> Result<bool> {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.try_lock().context("another benchmark is running")?;
    open_many_files()?;
    println!("starting RabbitMQ {}", options.broker);
    // Stopped when everything that uses it is gone.
    let node = Node::start(options.broker)?;
    measure_all(options, &node)
}

#[tokio::main]
async fn measure_all(options: &Options, node: &Node) -> Result<bool> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (began, mut results) = (Instant::now(), Results::default());
    // What a run that is broken off has measured is told all the same.
    let broken_off = tokio::select! {
        ended = work(options, node, &mut results) => ended.map(|()| false)?,
        _ = interrupt.recv() => true,
        _ = terminate.recv() => true,
    };
    results.took = began.elapsed();
    if broken_off {
        results.failures.push("the run was broken off".to_owned());
    }
    let tables = table::all(&results, &targets::all(&results));
    let file = report(options, node, &results, &tables)?;
    println!("\n{tables}");
    eprintln!("written: {}", file.display());
    Ok(results.failures.is_empty())
}

async fn work(options: &Options, node: &Node, results: &mut Results) -> Result<()> {
    let bench = Bench::new(&options.places, node, &options.extent).await?;
    results.busy_percent = machine::busy_percent().await;
    println!("{:.0} % of this machine is busy with other things", results.busy_percent);
    for workload in Workload::value_variants() {
        let is_chosen = options.only.is_empty() || options.only.contains(workload);
        if is_chosen && let Err(error) = workload.run(&bench, results).await {
            println!("FAILED: {workload:?}: {error:#}");
            results.failures.push(format!("{workload:?}: {error:#}"));
        }
    }
    Ok(())
}

/// Writes the results to where those of such a run go.
fn report(options: &Options, node: &Node, results: &Results, tables: &str) -> Result<PathBuf> {
    let Extent { rounds, messages, concurrency, sides } = &options.extent;
    let full = *rounds >= 5 && *messages >= 30_000 && *concurrency == CONCURRENCY;
    let whole = full && options.only.is_empty() && sides.is_empty() && results.failures.is_empty();
    let file = root().join(if whole { "tests/bench/RESULTS.md" } else { "target/bench/RESULTS.md" });
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = format!("target/release/warren-bench {}", arguments.join(" "));
    let text = format!(
        "# Results of the benchmark\n\nWhat is measured and how to read it is in [README.md](README.md).\n\n    {}\n\n{}\n- took {} min\n\n{tables}",
        command.trim(),
        machine::description(&node.release, results.busy_percent),
        results.took.as_secs().div_ceil(60),
    );
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    let all = serde_json::json!({ "runs": results.runs, "series": results.series });
    fs::write(root().join("target/bench/results.json"), serde_json::to_string_pretty(&all)?)?;
    Ok(file)
}
