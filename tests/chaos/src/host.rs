//! Host processes: the real binary, in the scenario's folder, with a log each.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::log::Log;
use crate::nodes::root;
use crate::wait::{SOON, until};

/// How a host is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// Where the broker is: an AMQP URL.
    pub(crate) url: String,
    /// Failpoints, as `WARREN_FAILPOINTS` takes them; with any, it is the binary that has them.
    pub(crate) failpoints: String,
    /// How long it may take to finish when stopped, in seconds.
    pub(crate) grace_seconds: u64,
}

/// A host; killed when dropped.
#[derive(Debug)]
pub(crate) struct Host {
    child: Mutex<Child>,
    /// What it has logged.
    pub(crate) log: Mutex<Log>,
}

/// The binary: with failpoints or without.
pub(crate) fn binary(failpoints: bool) -> PathBuf {
    root().join("target/release").join(if failpoints { "warren-failpoints" } else { "warren" })
}

impl Host {
    /// Starts a host in a folder with a contract, `contract.yaml`; its log is a file of this name there.
    pub(crate) fn start(folder: &std::path::Path, log: &str, start: &Start) -> Result<Self> {
        let path = folder.join(log);
        let file = File::create_new(&path).with_context(|| format!("no new log {}", path.display()))?;
        let binary = binary(!start.failpoints.is_empty());
        let mut command = Command::new(&binary);
        for name in ["WARREN_AMQP_URL", "WARREN_MANAGEMENT_URL", "WARREN_LOG", "WARREN_LOG_FORMAT"] {
            command.env_remove(name);
        }
        command.env("WARREN_CACHE_DIR", root().join("target/tmp/chaos-cache"));
        if !start.failpoints.is_empty() {
            command.env("WARREN_FAILPOINTS", &start.failpoints);
        }
        let grace = start.grace_seconds.to_string();
        command.args(["run", "contract.yaml", "--log-format", "json", "--amqp-url", &start.url]);
        command.args(["--grace-seconds", &grace]).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().with_context(|| format!("{} does not start", binary.display()))?;
        Ok(Self { child: Mutex::new(child), log: Mutex::new(Log::new(&path)) })
    }

    /// How often it has been ready: once for each connection.
    pub(crate) fn readies(&self) -> Result<usize> {
        Ok(self.read_log(|log| log.said.iter().filter(|said| *said == "ready").count()))
    }

    /// How often it has said something that contains this.
    pub(crate) fn said(&self, text: &str) -> Result<usize> {
        Ok(self.read_log(|log| log.count(text)))
    }

    fn read_log<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        log.read().ok(); // an unreadable log says nothing, which whoever waits for something will tell
        look(&log)
    }

    /// Everything that has come of the log, read to its present end.
    pub(crate) fn with_log<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        self.read_log(look)
    }

    /// Waits until it has been ready `count` times.
    pub(crate) fn until_ready(&self, count: usize) -> Result<()> {
        until(&format!("the host is ready for the {count}. time"), SOON, || {
            if let Some(status) = self.ended()? {
                bail!("the host has ended: {status}");
            }
            Ok((self.readies()? >= count).then_some(()))
        })
    }

    /// Waits until it has said something that contains this `count` times.
    pub(crate) fn until_said(&self, text: &str, count: usize) -> Result<()> {
        until(&format!("the host says `{text}` for the {count}. time"), SOON, || {
            Ok((self.said(text)? >= count).then_some(()))
        })
    }

    /// A line of /proc/PID/status, in KiB: `VmRSS` is the memory that it holds, `VmHWM` the most that it ever held.
    pub(crate) fn memory_kib(&self, line: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child()?.id()))?;
        let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        let kib = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
        kib.with_context(|| format!("no {line} in the host's status"))
    }

    /// How it has ended; none while it runs.
    pub(crate) fn ended(&self) -> Result<Option<ExitStatus>> {
        Ok(self.child()?.try_wait()?)
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill9(&self) -> Result<()> {
        let mut child = self.child()?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks it to stop, with SIGTERM.
    pub(crate) fn terminate(&self) -> Result<()> {
        let child = self.child()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM).context("SIGTERM")
    }

    /// Waits for its end; the exit code.
    pub(crate) fn until_exit(&self, limit: Duration) -> Result<i32> {
        let status = until("the host ends", limit, || self.ended())?;
        status.code().ok_or_else(|| anyhow!("the host was ended by signal {:?}", status.signal()))
    }

    /// Whether SIGKILL has ended it.
    pub(crate) fn was_killed(&self) -> Result<bool> {
        Ok(self.ended()?.is_some_and(|status| status.signal() == Some(Signal::KILL.as_raw())))
    }

    fn child(&self) -> Result<std::sync::MutexGuard<'_, Child>> {
        self.child.lock().map_err(|_| anyhow!("a thread that had the host has panicked"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            child.kill().ok(); // it may have ended
            child.wait().ok();
        }
    }
}
