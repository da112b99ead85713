//! The broker nodes of the harness: its own, by name, through `scripts/broker`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::scenario::On;

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A broker: one node or three.
#[derive(Debug)]
pub(crate) struct Broker {
    /// What it is.
    pub(crate) on: On,
    /// Its version, such as `4.3.6`.
    pub(crate) version: String,
    /// Its nodes.
    pub(crate) nodes: Vec<Node>,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    on: On,
    name: &'static str,
    /// Host and port for AMQP.
    pub(crate) address: String,
    /// URL of the management API.
    pub(crate) management: String,
}

impl Broker {
    /// Starts it, with what is left of earlier runs deleted. An error in the result's `Ok` says why there is none on this
    /// machine.
    pub(crate) fn start(on: On) -> Result<Result<Self, String>> {
        if let Some(reason) = missing(on)? {
            return Ok(Err(reason));
        }
        let names: &[&'static str] = match on {
            On::Three | On::Four => &["chaos"],
            On::Cluster => &["chaos1", "chaos2", "chaos3"],
        };
        for name in names {
            script(on, Some(name), &["wipe"])?;
        }
        let settings = root().join("tests/chaos/broker");
        let settings = ["chaos.conf", "chaos.config"].map(|file| settings.join(file).display().to_string());
        let given = ["--conf", &settings[0], "--conf", &settings[1]];
        match on {
            On::Three | On::Four => script(on, Some(names[0]), &[&given[..], &["start"]].concat())?,
            On::Cluster => script(on, None, &[&given[..], &["cluster"], names].concat())?,
        };
        let nodes = names.iter().map(|name| Node::named(on, name)).collect::<Result<Vec<_>>>()?;
        let said = script(on, None, &["server"])?;
        let version = said.split_whitespace().next().unwrap_or("unknown").to_owned();
        Ok(Ok(Self { on, version, nodes }))
    }

    /// Stops every node.
    pub(crate) fn stop(&self) -> Result<()> {
        self.nodes.iter().try_for_each(Node::stop)
    }

    /// Sets one of RabbitMQ's settings in the running nodes, until they stop.
    pub(crate) fn set(&self, name: &str, value: u64) -> Result<()> {
        let set = format!("application:set_env(rabbit, {name}, {value}).");
        self.nodes.iter().try_for_each(|node| node.ctl(&["eval", &set]).map(drop))
    }

    /// The first node; of a broker that has one, the node.
    pub(crate) fn node(&self) -> &Node {
        &self.nodes[0]
    }
}

/// Why there is no such broker on this machine.
fn missing(on: On) -> Result<Option<String>> {
    if on != On::Three && !rustix::process::geteuid().is_root() {
        return Ok(Some("RabbitMQ 4 runs in a file system of its own, which takes root".to_owned()));
    }
    let output = command(on, None, &["server"]).output().context("scripts/broker does not run")?;
    let hint = if on == On::Three { "scripts/setup" } else { "scripts/setup --broker-4" };
    Ok((!output.status.success()).then(|| format!("it is not installed: run {hint}")))
}

impl Node {
    fn named(on: On, name: &'static str) -> Result<Self> {
        let url = script(on, Some(name), &["url"])?;
        let address =
            url.trim().split(['@', '/']).nth(3).context("no address in the URL of a node")?.to_owned();
        let management = script(on, Some(name), &["management-url"])?.trim().to_owned();
        Ok(Self { on, name, address, management })
    }

    /// Its name among those of the harness.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether RabbitMQ means this node by a name.
    pub(crate) fn is(&self, name: &str) -> bool {
        name.contains(&format!("-{}-", self.name))
    }

    /// Starts it, with the data it has, and waits until it takes connections.
    pub(crate) fn start(&self) -> Result<()> {
        script(self.on, Some(self.name), &["start"])?;
        let url = script(self.on, Some(self.name), &["url"])?;
        ensure!(url.contains(&self.address), "node {} has moved from {} to {url}", self.name, self.address);
        Ok(())
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(&self) -> Result<()> {
        script(self.on, Some(self.name), &["stop"]).map(drop)
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill9(&self) -> Result<()> {
        script(self.on, Some(self.name), &["kill9"]).map(drop)
    }

    /// Runs rabbitmqctl; what it printed.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Result<String> {
        script(self.on, Some(self.name), &[&["ctl"], arguments].concat())
    }
}

fn command(on: On, name: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(root().join("scripts/broker"));
    if on != On::Three {
        command.args(["--version", "4"]);
    }
    if let Some(name) = name {
        command.args(["--name", name]);
    }
    command.args(arguments);
    command
}

fn script(on: On, name: Option<&str>, arguments: &[&str]) -> Result<String> {
    let output = command(on, name, arguments).output().context("scripts/broker does not run")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!(anyhow!("scripts/broker {} ({on}, {name:?}): {said}{complaint}", arguments.join(" ")));
    }
    Ok(said)
}
