//! The `warren` binary with failpoints, for the fault harness.

use std::process::ExitCode;

#[path = "src/main.rs"]
mod host;

fn main() -> ExitCode {
    host::main()
}
