//! Compiling components, in a process of its own: what a component makes the compiler do is not known before, and a
//! process can be given a bound on time and memory, and be ended.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::cli::Exit;

use super::engine::{self, Abi};
use super::inspect::ComponentError;

/// How long compiling one component may take if nothing is said, in seconds. Python's takes 5 s on two
/// cores that do nothing else.
const SECONDS: u64 = 300;
/// How much memory compiling one component may take if nothing is said, in MiB. Python's takes less than 1,000.
const MEMORY_MIB: u64 = 3_072;
/// The most bytes of compiled code. Python's has 35 MB.
const CODE_BYTES_MAX: u64 = 1 << 30;
/// The most bytes of what a compiler says about a component it does not take.
const TEXT_BYTES_MAX: u64 = 16 * 1024;
/// The exit code of a compiler that does not take the component.
const REFUSED: i32 = Exit::Refused as i32;
/// The hidden command of `warren` that compiles.
pub const COMMAND: &str = "compile-component";
/// Its option for components that have asynchronous functions.
const ASYNCHRONOUS: &str = "--asynchronous";

/// Where components are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In a process of this program, which has the command `COMMAND`.
    Process {
        /// The program.
        program: PathBuf,
        /// What it may take.
        bounds: Bounds,
    },
    /// In this process, without bounds: for components of our own.
    Here,
}

/// What compiling one component may take.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Bounds {
    /// How long compiling one component may take, in seconds
    #[arg(long, env = "WARREN_COMPILE_SECONDS", value_name = "SECONDS", default_value_t = SECONDS, value_parser = clap::value_parser!(u64).range(1..=3600))]
    compile_seconds: u64,

    /// How much memory compiling one component may take, in MiB
    #[arg(long, env = "WARREN_COMPILE_MEMORY_MIB", value_name = "MIB", default_value_t = MEMORY_MIB, value_parser = clap::value_parser!(u64).range(16..=65536))]
    compile_memory_mib: u64,
}

impl Compiler {
    /// Gives the machine code of a component.
    pub(super) async fn compile(
        &self,
        engine: &wasmtime::Engine,
        abi: Abi,
        bytes: &[u8],
    ) -> Result<Vec<u8>, ComponentError> {
        match self {
            Self::Here => precompile(engine, bytes).map_err(|reason| ComponentError::Invalid { reason }),
            Self::Process { program, bounds } => {
                let most = Duration::from_secs(bounds.compile_seconds);
                match tokio::time::timeout(most, in_process(program, *bounds, abi, bytes)).await {
                    Ok(compiled) => compiled,
                    Err(_) => Err(too_hard(format!("it took longer than {} s", most.as_secs()))),
                }
            }
        }
    }
}

fn precompile(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    engine.precompile_component(bytes).map_err(|error| format!("{error:#}"))
}

fn too_hard(reason: String) -> ComponentError {
    ComponentError::TooHard { reason }
}

async fn in_process(
    program: &Path,
    bounds: Bounds,
    abi: Abi,
    bytes: &[u8],
) -> Result<Vec<u8>, ComponentError> {
    let broken =
        |error: std::io::Error| too_hard(format!("the compiler `{}` failed: {error}", program.display()));
    let mut command = Command::new(program);
    let Bounds { compile_seconds, compile_memory_mib } = bounds;
    command.arg(COMMAND).env_clear().kill_on_drop(true);
    command.arg(format!("--compile-seconds={compile_seconds}"));
    command.arg(format!("--compile-memory-mib={compile_memory_mib}"));
    command.args((abi == Abi::Asynchronous).then_some(ASYNCHRONOUS));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(broken)?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(too_hard("the compiler has no pipes".to_owned()));
    };
    let (mut code, mut text) = (Vec::new(), Vec::new());
    let give = async {
        // A compiler that ends early says why; that it does not read on is no news.
        drop(stdin.write_all(bytes).await);
        drop(stdin);
    };
    let (mut stdout, mut stderr) = (stdout.take(CODE_BYTES_MAX), stderr.take(TEXT_BYTES_MAX));
    let ((), out, err) = tokio::join!(give, stdout.read_to_end(&mut code), stderr.read_to_end(&mut text));
    out.and(err).map_err(broken)?;
    let status = child.wait().await.map_err(broken)?;
    let said = String::from_utf8_lossy(&text).trim().to_owned();
    match status.code() {
        Some(0) => Ok(code),
        Some(REFUSED) => Err(ComponentError::Invalid { reason: said }),
        _ => {
            let bound = format!("it may take {compile_seconds} s and {compile_memory_mib} MiB");
            let last = said.lines().last().unwrap_or("the compiler says nothing").to_owned();
            Err(too_hard(format!("the compiler ended with {status} ({bound}): {last}")))
        }
    }
}

/// The other side: a component from stdin, its code to stdout. False if the compiler does not take it, which it has said.
pub fn child(bounds: Bounds, abi: Abi) -> anyhow::Result<bool> {
    let engine = engine::for_compiling(abi)?;
    let bound = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Data, bound(bounds.compile_memory_mib << 20)).context("cannot bound the memory")?;
    setrlimit(Resource::Cpu, bound(bounds.compile_seconds.saturating_mul(4)))
        .context("cannot bound the time")?;
    setrlimit(Resource::Core, bound(0)).context("cannot turn off core dumps")?;
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read the component")?;
    match precompile(&engine, &bytes) {
        Ok(code) => {
            std::io::stdout().lock().write_all(&code).context("cannot write the code")?;
            Ok(true)
        }
        Err(reason) => {
            eprintln!("{}", &reason[..reason.floor_char_boundary(TEXT_BYTES_MAX as usize / 2)]);
            Ok(false)
        }
    }
}
