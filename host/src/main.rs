//! The `warren` binary: arguments -> logs -> command -> exit code, and nothing else.

use std::process::ExitCode;

use warren::cli::{Cli, Exit};

fn main() -> ExitCode {
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
