//! The commands: what they are called, what they say, and how they exit.

mod apply;
mod asyncapi;
mod broker;
mod check;
mod data;
mod diff;
mod explain;
mod heavy_threads;
mod import;
mod inspect;
mod plan;
mod publish;
mod run;
mod schema;
mod topology;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::contract::Problems;
use crate::load::{self, Loaded, Means};
use crate::metrics::Metrics;
use crate::sandbox::{Abi, COMPILE_COMMAND, Cache, CompileBounds, Compiler, Lanes, Premises, compile_child};

use broker::{BrokerArgs, ManagementArgs};
use data::DataArgs;

/// What the libraries may log unless asked otherwise: what goes wrong in them comes back to us as an error.
const LIBRARIES_LOG: &str = "lapin=off,cranelift=warn,wasmtime=warn,wasmtime_wasi=warn";

/// Run RabbitMQ consumers as WebAssembly components under one contract file.
///
/// A handler (a .wasm component) says what a message means; the contract (a YAML file) says what happens to it:
/// validation, retries with backoff, dead letters, acknowledgement.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// What to log: a level, TARGET=LEVEL, or several with commas. `debug` shows every handled message, `info,guest=off`
    /// hides the handlers' own logs
    #[arg(long, global = true, env = "WARREN_LOG", value_name = "FILTER", default_value = "info")]
    log: String,

    /// How to write logs (to stderr)
    #[arg(long, global = true, env = "WARREN_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

const AFTER_HELP: &str = "\
Start here:
  warren check contract.yaml    is it sound, and do the components fit? No broker needed
  warren run contract.yaml      declare the topology and consume, until Ctrl-C
  warren plan contract.yaml     what is missing or different on the broker? Changes nothing
  warren apply contract.yaml    create what is missing
  warren publish contract.yaml orderCreated -d '{\"id\":\"o-1\"}'
  warren inspect handler.wasm   what is this component, and what does it need? Nothing of it is run
  warren explain contract.yaml orderCreated    where does it go, and what if it fails? No broker needed

Exit codes:
   0  done
   1  `diff`: there is a change that `--fail-on` names
  64  wrong usage
  65  some messages were refused; nothing can be made of a file to `import`; for `explain`, the message reaches no queue
  69  no broker
  70  our own fault
  75  there is something to apply (`plan`, `apply --dry-run`), or to remove later (`apply --prune`)
  77  the broker refused us, or is not to be trusted (TLS)
  78  something is wrong with the contract, a component, or what exists on the broker
 130  interrupted before everything was done (`run` that is stopped once drains, and exits with 0)";

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Plan(plan::PlanArgs),
    Apply(apply::Apply),
    Publish(publish::Publish),
    Diff(diff::Diff),
    Schema(schema::Schema),
    Asyncapi(asyncapi::Asyncapi),
    Import(import::Import),
    Inspect(inspect::Inspect),
    Explain(explain::Explain),
    Topology(topology::Topology),
    /// Compiles a component from stdin to stdout; `run` and `check` start this for each that is not in the cache
    #[command(name = COMPILE_COMMAND, hide = true)]
    CompileComponent {
        #[command(flatten)]
        bounds: CompileBounds,

        /// The component has asynchronous functions
        #[arg(long)]
        asynchronous: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// The contract, for every command.
#[derive(Debug, Args)]
struct ContractArgs {
    /// The contract file
    #[arg(value_name = "CONTRACT")]
    path: PathBuf,
}

/// The compile cache, for commands that load components.
#[derive(Debug, Args)]
struct CacheArgs {
    /// Folder for compiled components; it must be writable by you alone [default: ~/.cache/warren]
    #[arg(long, env = "WARREN_CACHE_DIR", value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,

    /// Compile anew, and keep nothing
    #[arg(long)]
    no_cache: bool,

    #[command(flatten)]
    compile: CompileBounds,
}

/// How a command ended. One code for each kind of failure, after sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// What was compared differs more than it may.
    Differs = 1,
    /// The arguments were wrong.
    Usage = 64,
    /// Some of the input was refused.
    Refused = 65,
    /// There is no broker.
    Unavailable = 69,
    /// Something of ours broke.
    Internal = 70,
    /// There is something left to apply, now or later.
    Pending = 75,
    /// The broker does not want us.
    NoPermission = 77,
    /// The contract, a component or the broker's topology is not as it has to be.
    Contract = 78,
    /// Ctrl-C came before everything was done; what a shell reports for that.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Cli {
    /// Reads the arguments. Help and version are printed, and so is what is wrong with the arguments.
    pub fn read() -> Result<Self, Exit> {
        Self::try_parse().map_err(|error| {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            drop(error.print());
            exit
        })
    }

    /// Sends logs to stderr.
    pub fn start_logs(&self) {
        let filter = |asked: &str| format!("{LIBRARIES_LOG},{asked}").parse::<Targets>();
        let filter = filter(&self.log).unwrap_or_else(|error| {
            eprintln!("warning: `--log {}` is not a filter: {error}; using `info`", self.log);
            filter("info").unwrap_or_default()
        });
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let registry = tracing_subscriber::registry();
        match self.log_format {
            LogFormat::Text => {
                let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour);
                registry.with(layer.with_target(false).with_filter(filter)).init();
            }
            LogFormat::Json => {
                let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).json();
                registry.with(layer.flatten_event(true).with_filter(filter)).init();
            }
        }
    }

    /// Carries out the command.
    pub fn execute(self) -> anyhow::Result<Exit> {
        match self.command {
            Command::Run(run) => run.execute(),
            Command::Check(check) => check.execute(),
            Command::Plan(plan) => plan.execute(),
            Command::Apply(apply) => apply.execute(),
            Command::Publish(publish) => publish.execute(),
            Command::Diff(diff) => diff.execute(),
            Command::Schema(schema) => schema.execute(),
            Command::Asyncapi(asyncapi) => asyncapi.execute(),
            Command::Import(import) => import.execute(),
            Command::Inspect(inspect) => inspect.execute(),
            Command::Explain(explain) => explain.execute(),
            Command::Topology(topology) => topology.execute(),
            Command::CompileComponent { bounds, asynchronous } => {
                let abi = if asynchronous { Abi::Asynchronous } else { Abi::Synchronous };
                compile_child(bounds, abi).map(|compiled| if compiled { Exit::Done } else { Exit::Refused })
            }
        }
    }
}

impl ContractArgs {
    /// The contract, or what is wrong with it.
    fn read(&self) -> anyhow::Result<Result<Loaded, Box<Problems>>> {
        load::contract(&self.path)
    }

    /// The contract; none if it is not sound, which has been printed.
    fn load(&self) -> Option<Loaded> {
        match self.read() {
            Ok(read) => read.inspect_err(|problems| print_problems(problems)).ok(),
            Err(error) => {
                eprintln!("error: {error:#}");
                None
            }
        }
    }
}

impl CacheArgs {
    fn open(&self) -> anyhow::Result<Option<Cache>> {
        if self.no_cache {
            return Ok(None);
        }
        match &self.cache_dir {
            Some(folder) => Ok(Some(Cache::open(folder.clone())?)),
            // Nobody asked for it, so that it cannot be used is no reason not to run.
            None => Ok(Cache::default_folder().and_then(|folder| {
                Cache::open(folder).inspect_err(|error| tracing::warn!("no compile cache: {error:#}")).ok()
            })),
        }
    }
}

impl CacheArgs {
    /// What handlers are made with.
    fn means(
        &self,
        lanes: Lanes,
        metrics: Arc<Metrics>,
        premises: impl FnOnce(Option<&Cache>) -> anyhow::Result<Premises>,
    ) -> anyhow::Result<Means> {
        let program = std::env::current_exe().context("cannot find this program, to compile with it")?;
        let cache = self.open()?;
        let premises = premises(cache.as_ref())?;
        let compiler = Compiler::Process { program, bounds: self.compile };
        Ok(Means { cache, compiler, lanes, metrics, premises })
    }
}

fn print_problems(problems: &Problems) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprintln!("{}", problems.render(colour));
}

/// Prints what a command is asked for. A reader that has seen enough, such as `head`, is no error.
fn print_data(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The same where the command has more to do than to print, and does not end because nobody can read it.
fn to_stdout(text: &str) {
    drop(print_data(text));
}
