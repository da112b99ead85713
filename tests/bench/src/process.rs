//! Processes of the sides: started with a log, looked at from outside, stopped as an operator stops them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// How long a side may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(40);
/// Ticks of `/proc/PID/stat` in a second, on every Linux.
pub(crate) const TICKS: u64 = 100;
/// How long a side has to do nothing, and how long that is waited for.
const IDLE: Duration = Duration::from_millis(100);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A running side; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts it, with what it prints in the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let pid = child.id().context("it has no process id")?;
        Ok(Self { child, pid, log: log.to_path_buf() })
    }

    /// CPU time of all its threads so far, in microseconds; in steps of 10 ms.
    pub(crate) fn cpu_us(&self) -> Result<u64> {
        cpu_us(self.pid)
    }

    /// A line of `/proc/PID/status` in KiB: `VmRSS` is the memory that it holds, `VmHWM` the most that it ever held.
    pub(crate) fn memory_kib(&self, line: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).context("it has ended")?;
        let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        let kib = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
        kib.with_context(|| format!("no {line} in /proc/PID/status"))
    }

    /// Fails if it has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it has ended ({status}): {}", self.tail()),
        }
    }

    /// Waits until it computes nothing more: all that it has in hand is done.
    pub(crate) async fn until_idle(&self) -> Result<()> {
        let idle = async {
            loop {
                let before = self.cpu_us()?;
                tokio::time::sleep(IDLE).await;
                // Clocks tick in some of them.
                if self.cpu_us()? - before <= 1_000_000 / TICKS {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(IDLE_TIMEOUT, idle).await.context("it does not come to rest")?
    }

    /// Ends it with SIGTERM.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM).context("SIGTERM")?;
        let ended = tokio::time::timeout(END_TIMEOUT, self.child.wait()).await;
        Ok(ended.with_context(|| format!("it does not end: {}", self.tail()))??)
    }

    /// The end of what it has printed.
    pub(crate) fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

/// CPU time of all threads of a process so far, in microseconds; in steps of 10 ms.
pub(crate) fn cpu_us(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("it has ended")?;
    // The name may have blanks in it; what follows the last parenthesis has none.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("no CPU times in /proc/PID/stat")?;
    Ok((user + system) * (1_000_000 / TICKS))
}
