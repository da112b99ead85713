//! The `warren` binary: arguments -> logs -> command -> exit code, and nothing else.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use warren::cli::{Cli, Exit};

/// Messages are allocated on the thread that reads them and freed on another, thousands a second, which is what the system's
/// allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Room for what a publisher can nest into the headers of one frame, in bytes. lapin reads them recursively, on a thread
/// whose stack it does not let us size; at Rust's own 2 MiB, one such message ends the process. Costs address space only.
const STACK_BYTES: &str = "134217728";

pub(crate) fn main() -> ExitCode {
    deepen_stacks();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    cli.start_logs();
    let exit = cli.execute().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Internal
    });
    exit.into()
}

#[expect(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "first thing in `main`: there is no other thread yet"
)]
fn deepen_stacks() {
    if std::env::var_os("RUST_MIN_STACK").is_none() {
        // SAFETY: see the reason above.
        unsafe { std::env::set_var("RUST_MIN_STACK", STACK_BYTES) };
    }
}
