//! The host as a child process: started, watched, killed, started again and stopped, as a supervisor would.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// How long a host may take until it consumes.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How long a host may take to finish after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);
/// What the host logs when it consumes.
const READY: &str = " ready ";

/// A `warren run` that lives, or lived a moment ago.
#[derive(Debug)]
pub(crate) struct Host {
    warren: PathBuf,
    contract: PathBuf,
    log: PathBuf,
    /// Where in the log the present life begins.
    log_from: u64,
    child: Child,
    born: Instant,
    ready: Option<Instant>,
}

impl Host {
    /// Starts `warren run`, which writes to `log`; what an earlier run left there goes.
    pub(crate) fn start(warren: &Path, contract: &Path, log: &Path) -> Result<Self> {
        File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
        let child = spawn(warren, contract, log)?;
        Ok(Self {
            warren: warren.to_owned(),
            contract: contract.to_owned(),
            log: log.to_owned(),
            log_from: 0,
            child,
            born: Instant::now(),
            ready: None,
        })
    }

    /// Starts it again, after the end of its last life.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.log_from = std::fs::metadata(&self.log)?.len();
        self.child = spawn(&self.warren, &self.contract, &self.log)?;
        self.born = Instant::now();
        self.ready = None;
        Ok(())
    }

    /// Waits until it consumes.
    pub(crate) async fn until_ready(&mut self) -> Result<()> {
        while self.ready_since()?.is_none() {
            if let Some(status) = self.child.try_wait()? {
                bail!("`warren run` ended with {status}; its last words:\n{}", self.last_words()?);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Since when it consumes, if it does already. An error if it should by now.
    pub(crate) fn ready_since(&mut self) -> Result<Option<Instant>> {
        if self.ready.is_none() && self.words()?.contains(READY) {
            self.ready = Some(Instant::now());
        }
        if self.ready.is_none() && self.born.elapsed() > READY_DEADLINE {
            let seconds = READY_DEADLINE.as_secs();
            bail!("`warren run` is not ready after {seconds} s; its last words:\n{}", self.last_words()?);
        }
        Ok(self.ready)
    }

    /// Resolves when it has ended by itself.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Kills it with SIGKILL, in the middle of whatever it is doing.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the host")
    }

    /// Asks it to finish, with SIGTERM. An error if it does not, or not with exit status 0.
    pub(crate) async fn stop(&mut self) -> Result<ExitStatus> {
        let pid = self.child.id().context("the host has ended by itself")?.to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await.context("cannot run `kill`")?;
        if !sent.success() {
            bail!("`kill -TERM {pid}` ended with {sent}");
        }
        let Ok(status) = tokio::time::timeout(STOP_DEADLINE, self.child.wait()).await else {
            bail!("the host has not finished {} s after SIGTERM", STOP_DEADLINE.as_secs());
        };
        let status = status?;
        if !status.success() {
            bail!("the host ended with {status} after SIGTERM; its last words:\n{}", self.last_words()?);
        }
        Ok(status)
    }

    /// The end of what it logged in its present life.
    pub(crate) fn last_words(&self) -> Result<String> {
        let words = self.words()?;
        let lines: Vec<&str> = words.lines().collect();
        Ok(lines[lines.len().saturating_sub(15)..].join("\n"))
    }

    fn words(&self) -> Result<String> {
        let mut log = File::open(&self.log)?;
        log.seek(SeekFrom::Start(self.log_from))?;
        let mut words = Vec::new();
        log.read_to_end(&mut words)?;
        Ok(String::from_utf8_lossy(&words).into_owned())
    }
}

fn spawn(warren: &Path, contract: &Path, log: &Path) -> Result<Child> {
    let log = File::options().append(true).open(log)?;
    Command::new(warren)
        .arg("run")
        .arg(contract)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            format!("cannot run `{}`; hint: build it with `cargo build --release`", warren.display())
        })
}
