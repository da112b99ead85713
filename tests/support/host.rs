//! The real binary, in a folder of its own with a contract.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::broker::Vhost;
use super::{SOON, eventually, guests};

/// A folder with a contract, `contract.yaml`, and the test guests in `handlers/`.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    folder: Arc<TempDir>,
}

/// A command that has come to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running host; killed when dropped.
#[derive(Debug)]
pub(crate) struct Host {
    child: RefCell<Child>,
    log: PathBuf,
    _project: Project,
}

impl Project {
    pub(crate) fn new(contract: &impl ToString) -> Self {
        let folder = tempfile::Builder::new().prefix("warren-test-").tempdir().expect("a new folder");
        std::os::unix::fs::symlink(guests::folder(), folder.path().join("handlers")).expect("a link");
        let project = Self { folder: Arc::new(folder) };
        project.write("contract.yaml", contract.to_string());
        project
    }

    /// Path of a file in the folder.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), content).expect("a new file");
    }

    /// The binary with these arguments, in the folder, and with nothing of the environment that means something to it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        // With as few open files as most systems let programs begin with.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 1024; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_warren")]);
        for name in [
            "WARREN_AMQP_URL",
            "WARREN_MANAGEMENT_URL",
            "WARREN_LOG",
            "WARREN_LOG_FORMAT",
            "WARREN_GRACE_SECONDS",
            "WARREN_TLS_CA",
            "WARREN_TLS_CERT",
            "WARREN_TLS_KEY",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ] {
            command.env_remove(name);
        }
        // Shared by all tests: what one has compiled, the next need not.
        command.env("WARREN_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
        // Each project's own, as its messages are.
        command.env("WARREN_DATA", self.path("data-of-the-host"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.spawn(self.command(arguments)).finish()
    }

    /// Starts a command of which the end matters.
    pub(crate) fn spawn(&self, mut command: Command) -> Running {
        let out = tempfile::NamedTempFile::new_in(self.folder.path()).expect("a new file");
        let err = tempfile::NamedTempFile::new_in(self.folder.path()).expect("a new file");
        command.stdout(out.reopen().expect("a file")).stderr(err.reopen().expect("a file"));
        Running { child: command.spawn().expect("the binary starts"), out, err }
    }

    /// Starts a host on a vhost and waits until it is ready.
    pub(crate) fn start(&self, vhost: &Vhost) -> Host {
        self.start_with(&vhost.url(), &[])
    }

    /// Starts a host with further environment variables and waits until it is ready.
    pub(crate) fn start_in(&self, vhost: &Vhost, environment: &[(&str, &str)]) -> Host {
        let host = self.launch_in(&vhost.url(), &[], environment);
        host.until_ready(1);
        host
    }

    /// Starts a host with further arguments and waits until it is ready.
    pub(crate) fn start_with(&self, url: &str, arguments: &[&str]) -> Host {
        let host = self.launch(url, arguments);
        host.until_ready(1);
        host
    }

    /// Starts a host, and does not wait for anything.
    pub(crate) fn launch(&self, url: &str, arguments: &[&str]) -> Host {
        self.launch_in(url, arguments, &[])
    }

    fn launch_in(&self, url: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Host {
        let log = tempfile::Builder::new().prefix("log-").tempfile_in(self.folder.path());
        let (log, path) = log.expect("a new file").keep().expect("a file");
        let mut command = self.command(&["run", "contract.yaml", "--amqp-url", url, "--log-format", "json"]);
        command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::null()).stderr(log);
        let child = RefCell::new(command.spawn().expect("the binary starts"));
        Host { child, log: path, _project: self.clone() }
    }
}

/// A command on its way; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    out: tempfile::NamedTempFile,
    err: tempfile::NamedTempFile,
}

impl Running {
    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it has written a text to stderr.
    pub(crate) fn until_said(&self, text: &str) {
        eventually(&format!("`{text}` on stderr"), SOON, || {
            let said = std::fs::read_to_string(self.err.path()).expect("a file");
            said.contains(text).then_some(())
        });
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Finished {
        let status = until_exit(&mut self.child, SOON);
        let read = |file: &tempfile::NamedTempFile| {
            String::from_utf8_lossy(&std::fs::read(file.path()).expect("a file")).into_owned()
        };
        Finished { code: status.code(), stdout: read(&self.out), stderr: read(&self.err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Host {
    /// Starts a host with a contract on a vhost and waits until it is ready.
    pub(crate) fn start(contract: &impl ToString, vhost: &Vhost) -> Self {
        Project::new(contract).start(vhost)
    }

    /// Events of the log with this message. To wait for, and not to judge behaviour by.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let events = log.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        events
            .filter(|event: &Value| event["message"].as_str().is_some_and(|said| said.contains(message)))
            .collect()
    }

    /// Every event that was logged after so many bytes.
    pub(crate) fn events_after(&self, bytes: u64) -> Vec<Value> {
        let mut log = Vec::new();
        let mut file = File::open(&self.log).expect("a log");
        file.seek(SeekFrom::Start(bytes)).and_then(|_| file.read_to_end(&mut log)).expect("a log");
        let lines = log.split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// All that has been logged.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("a log")).into_owned()
    }

    /// A number of the process, by its name in `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> usize {
        let path = format!("/proc/{}/status", self.child.borrow().id());
        let status = std::fs::read_to_string(path).expect("a running host");
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
        number.expect("a number")
    }

    /// How long the process has computed, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> usize {
        let path = format!("/proc/{}/stat", self.child.borrow().id());
        let stat = std::fs::read_to_string(path).expect("a running host");
        // After the name, which may hold spaces; in hundredths of a second.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let fields = after.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<usize>().expect("a number") * 10).sum()
    }

    /// How much has been logged, in bytes.
    pub(crate) fn log_bytes(&self) -> u64 {
        File::open(&self.log).and_then(|log| log.metadata()).expect("a log").len()
    }

    /// Waits until an event has happened `count` times.
    pub(crate) fn until_event(&self, message: &str, count: usize) {
        eventually(&format!("{count} times `{message}` in the log"), SOON, || {
            (self.events(message).len() >= count).then_some(())
        });
    }

    /// Waits until the host has been ready `count` times: once for each connection.
    pub(crate) fn until_ready(&self, count: usize) {
        self.until_ready_within(count, SOON);
    }

    /// As `until_ready`, for components that take long to compile.
    pub(crate) fn until_ready_within(&self, count: usize, limit: Duration) {
        eventually("the host is ready", limit, || {
            let ended = self.child.borrow_mut().try_wait().expect("a child");
            let said = self.events("ready");
            let ready = said.iter().filter(|event| event["message"] == "ready").count() >= count;
            assert!(ready || ended.is_none(), "the host has ended: {ended:?}");
            ready.then_some(())
        });
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child.borrow(), name);
    }

    /// Waits for the end, and gives the exit code.
    pub(crate) fn until_exit(&self, limit: Duration) -> Option<i32> {
        until_exit(&mut self.child.borrow_mut(), limit).code()
    }

    /// Stops the host as an operator does; it has to end well.
    pub(crate) fn finish(self) {
        self.signal("TERM");
        assert_eq!(self.until_exit(SOON), Some(0), "exit code");
    }

    /// Kills the host.
    pub(crate) fn kill9(self) {
        end(&mut self.child.borrow_mut());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        end(self.child.get_mut());
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(30)..];
            eprintln!("--- the end of the host's log:\n{}\n---", last.join("\n"));
        }
    }
}

fn until_exit(child: &mut Child, limit: Duration) -> ExitStatus {
    eventually("the program ends", limit, || child.try_wait().expect("a child"))
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(kill.expect("kill runs").success(), "the program is there to be signalled");
}

/// Ends a child of ours, if it still runs.
fn end(child: &mut Child) {
    if child.try_wait().is_ok_and(|status| status.is_none()) {
        drop(child.kill());
        drop(child.wait());
    }
}
