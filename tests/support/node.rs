//! The broker under test by `scripts/broker`, where it is one of the project's own: rabbitmqctl, and files that it can read.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::broker::broker;

/// Imports definitions with rabbitmqctl. None: the broker under test is not one of the project's own.
pub(crate) fn import_definitions(definitions: &str) -> Option<Output> {
    let script = OwnNode::under_test()?;
    // A place that rabbitmqctl sees as well, which for RabbitMQ 4 lives in a file system of its own.
    let state =
        std::fs::canonicalize(format!("{ROOT}/.warren/{}", script.state)).expect("the broker's folder");
    let file = tempfile::Builder::new().suffix(".json").tempfile_in(state).expect("a new file");
    std::fs::write(file.path(), definitions).expect("a new file");
    Some(script.run(&["ctl", "import_definitions", &file.path().display().to_string()]))
}

/// Runs rabbitmqctl. None: the broker under test is not one of the project's own.
pub(crate) fn try_ctl(arguments: &[&str]) -> Option<Output> {
    Some(OwnNode::under_test()?.run(&[&["ctl"], arguments].concat()))
}

/// Runs rabbitmqctl, which has to work, and gives what it says. None: the broker under test is not one of the project's
/// own.
pub(crate) fn ctl(arguments: &[&str]) -> Option<String> {
    let output = try_ctl(arguments)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rabbitmqctl: {complaint}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A new folder that the broker under test can read. None: it is not one of the project's own.
pub(crate) fn shared_folder() -> Option<tempfile::TempDir> {
    Some(
        tempfile::Builder::new()
            .prefix("test-")
            .tempdir_in(OwnNode::under_test()?.folder())
            .expect("a new folder"),
    )
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The broker under test, where it is one of the project's own.
struct OwnNode {
    version: &'static [&'static str],
    state: &'static str,
}

impl OwnNode {
    fn under_test() -> Option<Self> {
        let own = if broker().version.0 >= 4 {
            Self { version: &["--version", "4"], state: "broker-4" }
        } else {
            Self { version: &[], state: "broker" }
        };
        let url = String::from_utf8_lossy(&own.run(&["url"]).stdout).into_owned();
        url.starts_with(&broker().amqp).then_some(own)
    }

    /// A place that the node sees as well; RabbitMQ 4 lives in a file system of its own.
    fn folder(&self) -> PathBuf {
        std::fs::canonicalize(format!("{ROOT}/.warren/{}", self.state)).expect("the broker's folder")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut script = Command::new(format!("{ROOT}/scripts/broker"));
        script.args(self.version).args(arguments).output().expect("scripts/broker runs")
    }
}

/// Has the broker evaluate an Erlang expression. False: the broker under test is not one of the project's own.
pub(crate) fn evaluate(expression: &str) -> bool {
    ctl(&["eval", expression]).is_some()
}
