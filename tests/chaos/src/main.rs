//! The fault harness: the real host against real brokers, under load and faults, with every message accounted for.
//!
//! Every file in `scenarios/` is one scenario. What a scenario has in its hands is `world`; what is checked at the end of
//! each is `check`; README.md says how to write one.

mod check;
mod client;
mod contract;
mod evidence;
mod frames;
mod host;
mod load;
mod log;
mod management;
mod nodes;
mod proxy;
mod report;
mod scenario;
mod scenarios {
    //! The scenarios, found by `build.rs`.
    include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));
}
mod wait;
mod world;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use tokio::runtime::Runtime;

use check::Verdict;
use nodes::Broker;
use report::{End, Line, Record};
use scenario::{On, Scenario, Size};
use world::World;

/// Run the host under faults and account for every message
///
/// Brokers are started, and stopped in the end. The exit status is 0 if every scenario that ran has passed, else 1.
#[derive(Debug, Parser)]
#[command(name = "warren-chaos")]
struct Options {
    /// Only scenarios of these names; `*` stands for anything
    #[arg(long, value_name = "GLOB", value_delimiter = ',', default_value = "*")]
    only: Vec<String>,
    /// Only on these brokers
    #[arg(long, value_name = "BROKER", value_delimiter = ',')]
    broker: Vec<On>,
    /// The quick set: fewer scenarios, and smaller ones
    #[arg(long)]
    quick: bool,
    /// Print names and criteria, and run nothing
    #[arg(long)]
    list: bool,
    /// Put the results into this file, in Markdown, and into one beside it, in place of older ones of the same scenarios
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep vhosts, folders and brokers, also of scenarios that pass
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The runtime of the harness's own connections and proxies. Scenarios run on the main thread.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "there is no harness without threads")]
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("chaos").enable_all().build().expect("a runtime")
    })
}

/// Whether everything that ran has passed.
fn run(options: &Options) -> Result<bool> {
    let chosen: Vec<_> = scenarios::ALL
        .iter()
        .filter(|(name, scenario)| {
            options.only.iter().any(|only| matches(only, name)) && size(options, scenario).is_some()
        })
        .collect();
    if options.list {
        for (name, scenario) in chosen {
            let on: Vec<String> = scenario.on.iter().map(ToString::to_string).collect();
            println!(
                "{name} (on {}{})",
                on.join(", "),
                if scenario.quick.is_some() { "; quick" } else { "" }
            );
            println!("    {}", scenario.criterion);
        }
        return Ok(true);
    }
    println!("commit {}", report::commit());
    let record = options.report.as_ref().map(|file| {
        let command: Vec<String> = std::env::args().skip(1).collect();
        let command = format!("cargo run --release -p warren-chaos -- {}", command.join(" "));
        let criteria = scenarios::ALL.iter().map(|(name, scenario)| (*name, scenario.criterion)).collect();
        Record::new(file, command, criteria)
    });
    let brokers =
        On::ALL.iter().copied().filter(|on| options.broker.is_empty() || options.broker.contains(on));
    // Side by side: most of the time is waiting, for heartbeats, reconnections and restarts.
    let lines = std::thread::scope(|threads| {
        let (chosen, record) = (&chosen, record.as_ref());
        let running: Vec<_> =
            brokers.map(|on| threads.spawn(move || run_on(options, on, chosen, record))).collect();
        let ended =
            running.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a scenario panicked"))?);
        ended.collect::<Result<Vec<_>>>()
    })?;
    let lines = lines.concat();
    println!("\n{}\n", report::table(&lines));
    println!("{}", report::summary(&lines));
    Ok(report::passed(&lines))
}

fn size(options: &Options, scenario: &Scenario) -> Option<Size> {
    if options.quick { scenario.quick } else { Some(scenario.full) }
}

/// Runs scenarios on one broker, which is there only meanwhile.
fn run_on(
    options: &Options,
    on: On,
    chosen: &[&(&'static str, &'static Scenario)],
    record: Option<&Record>,
) -> Result<Vec<Line>> {
    let chosen: Vec<_> = chosen.iter().filter(|(_, scenario)| scenario.on.contains(&on)).collect();
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    println!("[{on}] starting");
    let _alone = alone(on)?;
    let broker = match Broker::start(on)? {
        Ok(broker) => Rc::new(broker),
        Err(reason) => {
            println!("[{on}] skipped: {reason}");
            let skipped = |name: &str| Line::new(name, on, "", End::Skipped(reason.clone()));
            let lines: Vec<_> = chosen.iter().map(|(name, _)| skipped(name)).collect();
            lines.iter().try_for_each(|line| record.map_or(Ok(()), |record| record.put(line)))?;
            return Ok(lines);
        }
    };
    let mut lines = Vec::new();
    for (name, scenario) in chosen {
        println!("[{on}] {name} on {}: {}", broker.version, scenario.criterion);
        let line = run_one(options, name, scenario, &broker)?;
        tell(&line);
        record.map_or(Ok(()), |record| record.put(&line))?;
        lines.push(line);
    }
    if !options.keep {
        broker.stop()?;
    }
    Ok(lines)
}

fn tell(line: &Line) {
    let Line { scenario, on, messages, faults, lost, duplicates, again, took_s, .. } = line;
    match &line.end {
        End::Failed(why) => println!("[{on}] {scenario} FAILED after {took_s} s: {why}"),
        End::Passed | End::Skipped(_) => println!(
            "[{on}] {scenario} passed after {took_s} s: {messages} messages, {faults} faults, {lost} lost, {duplicates} \
             duplicates, {again} run again"
        ),
    }
}

/// Two runs on one broker would wipe it under each other.
fn alone(on: On) -> Result<File> {
    let folder = nodes::root().join(".warren");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("chaos-{on}.lock"));
    let lock = File::create(&path).with_context(|| format!("no lock {}", path.display()))?;
    lock.try_lock().with_context(|| format!("another run has RabbitMQ {on}: {}", path.display()))?;
    Ok(lock)
}

fn run_one(options: &Options, name: &'static str, scenario: &Scenario, broker: &Rc<Broker>) -> Result<Line> {
    let began = Instant::now();
    let mut line = Line::new(name, broker.on, &broker.version, End::Passed);
    let world = match world(name, broker, size(options, scenario).unwrap_or(scenario.full)) {
        Ok(world) => world,
        Err(error) => {
            line.end = End::Failed(format!("it could not begin: {error:#}"));
            return Ok(line);
        }
    };
    if let Err(error) = (scenario.run)(&world) {
        let folder = world.folder().display();
        line.end = End::Failed(format!("{error:#}\n  everything is in {folder}\n{}", world.tails()));
    }
    (line.messages, line.faults) = (world.confirmed(), world.faults());
    let Verdict { lost, forgone, duplicates, again, .. } = world.verdict();
    (line.lost, line.forgone) = (lost, forgone);
    (line.duplicates, line.again, line.took_s) = (duplicates, again, began.elapsed().as_secs());
    world.end(options.keep || matches!(line.end, End::Failed(_)))?;
    Ok(line)
}

fn world(name: &str, broker: &Rc<Broker>, size: Size) -> Result<World> {
    // The one before may have left a node dead.
    for node in &broker.nodes {
        node.start()?;
    }
    World::new(name, broker, size)
}

/// Whether a name is meant by a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|end| rest.is_char_boundary(end) && matches(after, &rest[end..]))
        }),
    }
}
