//! The sides: what each is, and how its process is started.

pub(crate) mod contract;
pub(crate) mod lapin;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::bench::Bench;
use crate::broker::root;
use crate::process::Process;
use contract::Contract;

/// How many messages the broker hands over ahead, to every side.
pub(crate) const PREFETCH: u16 = 256;

/// One of those that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    /// Native, an ack for each message, each confirm awaited.
    LapinEach,
    /// Native, acks in batches, confirms pipelined: the limit.
    LapinBatched,
    /// Node with amqplib and zod.
    Node,
    /// Python with pika and pydantic.
    Python,
    /// The host.
    Warren(Warren),
}

/// How the host is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warren {
    pub(crate) isolation: Isolation,
    /// What to say beside the isolation, such as the language.
    pub(crate) what: &'static str,
    /// The component; none is the one that the workload is for.
    pub(crate) component: Option<PathBuf>,
}

/// What of an instance passes from one message to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Nothing: each message has an instance of its own.
    Fresh,
    /// The instance.
    Reuse,
}

impl Isolation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Reuse => "reuse",
        }
    }
}

/// The host with instances of this kind, and the workload's own handler.
pub(crate) const fn warren(isolation: Isolation) -> Side {
    Side::Warren(Warren { isolation, what: "", component: None })
}

/// Warren, fresh.
pub(crate) const FRESH: Side = warren(Isolation::Fresh);
/// Warren, reuse.
pub(crate) const REUSE: Side = warren(Isolation::Reuse);
/// All six, in the order of their letters.
pub(crate) const ALL: [Side; 6] =
    [Side::LapinEach, Side::LapinBatched, Side::Node, Side::Python, FRESH, REUSE];

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LapinEach => f.write_str("(a) lapin, ack each"),
            Self::LapinBatched => f.write_str("(b) lapin, batched"),
            Self::Node => f.write_str("(c) Node amqplib, zod"),
            Self::Python => f.write_str("(d) Python pika, pydantic"),
            Self::Warren(Warren { isolation, what: "", .. }) => {
                let letter = if *isolation == Isolation::Fresh { 'e' } else { 'f' };
                write!(f, "({letter}) Warren, {}", isolation.name())
            }
            Self::Warren(Warren { isolation, what, .. }) => write!(f, "Warren, {}, {what}", isolation.name()),
        }
    }
}

impl Side {
    /// The letter for it.
    fn letter(&self) -> Option<char> {
        match self {
            Self::LapinEach => Some('a'),
            Self::LapinBatched => Some('b'),
            Self::Node => Some('c'),
            Self::Python => Some('d'),
            Self::Warren(Warren { what: "", isolation: Isolation::Fresh, .. }) => Some('e'),
            Self::Warren(Warren { what: "", isolation: Isolation::Reuse, .. }) => Some('f'),
            Self::Warren(_) => None,
        }
    }

    /// Whether it is wanted in this run.
    pub(crate) fn is_wanted(&self, bench: &Bench) -> bool {
        bench.letters.is_empty() || self.letter().is_some_and(|letter| bench.letters.contains(&letter))
    }

    /// Why it cannot run on this machine; none if it can.
    pub(crate) fn missing(&self, bench: &Bench) -> Option<String> {
        let needed = match self {
            Self::LapinEach | Self::LapinBatched => return None,
            Self::Node => bench.clients.join("node/ready.json"),
            Self::Python => bench.clients.join("python/ready.txt"),
            Self::Warren(Warren { component: Some(component), .. }) => component.clone(),
            Self::Warren(_) => bench.warren.clone(),
        };
        (!needed.exists()).then(|| format!("there is no {}", needed.display()))
    }

    /// Starts it on the queues of a contract. `url` is where it finds the broker.
    pub(crate) fn start(&self, bench: &Bench, contract: &Contract, url: &str) -> Result<Process> {
        let log = bench.folder.join(format!("{}.log", self.slug()));
        let command = match self {
            Self::LapinEach => native("each", contract, url)?,
            Self::LapinBatched => native("batched", contract, url)?,
            Self::Node => {
                let script = bench.clients.join("node/consume.mjs");
                copy("tests/bench/node/consume.mjs", &script)?;
                with_arguments(Command::new("node").arg(&script), contract, url)
            }
            Self::Python => {
                let mut python = Command::new("python3");
                python.env("PYTHONPATH", bench.clients.join("python"));
                with_arguments(python.arg(root().join("tests/bench/python/consume.py")), contract, url)
            }
            Self::Warren(warren) => {
                let file = bench.folder.join(format!("{}.json", self.slug()));
                contract.write(&file, bench, warren)?;
                let mut command = bench.warren();
                command.args(["run", "--log", "warn", "--amqp-url", url]).arg(file);
                command
            }
        };
        Process::start(command, &log)
    }

    /// Its name for files.
    fn slug(&self) -> String {
        let name = self.to_string().to_lowercase();
        let words: Vec<_> =
            name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        words.join("-")
    }
}

/// This program as a side.
fn native(kind: &str, contract: &Contract, url: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program is not found")?);
    Ok(with_arguments(command.args(["side", kind]), contract, url))
}

fn with_arguments(command: &mut Command, contract: &Contract, url: &str) -> Command {
    command.arg(url).arg(contract.queue(0)).arg(contract.prefetch.to_string());
    if contract.publishes {
        command.arg("publish");
    }
    std::mem::replace(command, Command::new("true"))
}

fn copy(from: &str, to: &Path) -> Result<()> {
    std::fs::copy(root().join(from), to).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(())
}
