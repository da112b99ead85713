//! Publishing with the host's own `warren publish`.

use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// What `warren publish` exits with when it refuses messages.
const REFUSED: i32 = 65;

/// Publishes every line of `file` unchecked, under the message ids `<run>-<line>`; what was said about it.
pub(crate) async fn publish(warren: &Path, contract: &Path, file: &Path, run: &str) -> Result<String> {
    let mut command = command(warren, contract, file);
    command.args(["--no-validate", "--message-id-prefix", run]);
    let output = output(command).await?;
    if !output.status.success() {
        bail!("`warren publish` ended with {}:\n{}", output.status, indented(&output.stderr));
    }
    Ok(format!("published all orders, unchecked:\n{}", indented(&output.stdout)))
}

/// Shows that invalid orders do not come past `warren publish` unless one insists.
pub(crate) async fn shows_refusal(warren: &Path, contract: &Path, file: &Path) -> Result<()> {
    let output = output(command(warren, contract, file)).await?;
    println!("published the invalid orders alone, checked:\n{}", indented(&output.stdout));
    if output.status.code() != Some(REFUSED) {
        bail!("`warren publish` of invalid orders ended with {}, not with {REFUSED}", output.status);
    }
    println!("  exit status {REFUSED}: none went out; from here on, checking is left to the host");
    Ok(())
}

fn command(warren: &Path, contract: &Path, file: &Path) -> Command {
    let mut command = Command::new(warren);
    command.arg("publish").arg(contract).arg("orderCreated").arg("--file").arg(file).kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> Result<Output> {
    command.output().await.with_context(|| format!("cannot run {:?}", command.as_std().get_program()))
}

/// What the program printed, indented.
fn indented(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
