//! The broker of the benchmark: a node of its own, and the connection of the driver to it, which fills queues and looks
//! at them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, PublisherConfirm};

/// The name of the node for `scripts/broker`.
const NODE: &str = "bench";
/// How many messages are published and not yet confirmed.
const UNCONFIRMED_MAX: usize = 1_000;

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A running node, stopped when dropped.
#[derive(Debug)]
pub(crate) struct Node {
    version: &'static str,
    /// Its AMQP URL.
    pub(crate) url: String,
    /// Its RabbitMQ.
    pub(crate) release: String,
    /// Its process.
    pub(crate) pid: u32,
}

impl Node {
    /// Starts it with no data. `major` is 3 or 4.
    pub(crate) fn start(major: u8) -> Result<Self> {
        let version = if major == 4 { "4" } else { "" };
        script(version, &["wipe"])?;
        script(version, &["start"])?;
        let url = script(version, &["url"])?.trim().to_owned();
        let server = script(version, &["server"])?;
        let release = server.split_whitespace().next().unwrap_or("unknown").to_owned();
        let status = script(version, &["status"])?;
        let pid =
            status.split("process ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        let pid = pid.with_context(|| format!("no process in what scripts/broker says: {status}"))?;
        Ok(Self { version, url, release, pid })
    }

    /// Host and port.
    pub(crate) fn address(&self) -> Result<&str> {
        self.url.split(['@', '/']).nth(3).context("no address in the URL of the broker")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = script(self.version, &["stop"]) {
            eprintln!("the broker does not stop: {error:#}");
        }
    }
}

fn script(version: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(root().join("scripts/broker"));
    if !version.is_empty() {
        command.args(["--version", version]);
    }
    let output =
        command.args(["--name", NODE]).args(arguments).output().context("scripts/broker does not run")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("scripts/broker {}: {said}{complaint}", arguments.join(" "));
    }
    Ok(said)
}

/// The driver's own connection.
#[derive(Debug)]
pub(crate) struct Client {
    looking: Channel,
    publishing: Channel,
    _connection: Connection,
}

impl Client {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let properties = ConnectionProperties::default().with_connection_name("bench driver".into());
        let connection = Connection::connect(url, properties).await.context("no connection to the broker")?;
        let (looking, publishing) = (connection.create_channel().await?, connection.create_channel().await?);
        publishing.confirm_select(ConfirmSelectOptions { nowait: false }).await?;
        Ok(Self { looking, publishing, _connection: connection })
    }

    /// How many messages of a queue are ready, and how many consumers it has.
    pub(crate) async fn look(&self, queue: &str) -> Result<(usize, usize)> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let seen = self.looking.queue_declare(short(queue), passive, FieldTable::default()).await?;
        Ok((usize::try_from(seen.message_count())?, usize::try_from(seen.consumer_count())?))
    }

    /// How many messages of a queue are ready.
    pub(crate) async fn ready(&self, queue: &str) -> Result<usize> {
        Ok(self.look(queue).await?.0)
    }

    /// Deletes a queue; fine if there is none.
    pub(crate) async fn delete(&self, queue: &str) -> Result<()> {
        self.looking.queue_delete(short(queue), QueueDeleteOptions::default()).await?;
        Ok(())
    }

    /// Publishes messages to queues, one queue after the other, all confirmed in the end.
    pub(crate) async fn fill(
        &self,
        queues: &[String],
        messages: usize,
        body: impl Fn(usize) -> Vec<u8>,
    ) -> Result<()> {
        let mut confirms = FuturesUnordered::new();
        for index in 0..messages {
            confirms.push(
                self.publish(&queues[index % queues.len()], &body(index), &crate::order::id(index)).await?,
            );
            if confirms.len() >= UNCONFIRMED_MAX {
                let confirmed = confirms.next().await.context("no confirm")??;
                ensure!(confirmed.is_ack(), "the broker refuses a message");
            }
        }
        while let Some(confirmed) = confirms.next().await {
            ensure!(confirmed?.is_ack(), "the broker refuses a message");
        }
        self.until_there(queues, messages).await
    }

    /// Publishes one message to a queue; the answer comes when it is confirmed.
    #[expect(clippy::disallowed_methods, reason = "the driver is no part of the host")]
    pub(crate) async fn publish(&self, queue: &str, body: &[u8], id: &str) -> Result<PublisherConfirm> {
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(short(id));
        Ok(self.publishing.basic_publish("".into(), short(queue), options, body, properties).await?)
    }

    async fn until_there(&self, queues: &[String], messages: usize) -> Result<()> {
        for _ in 0..200 {
            let mut there = 0;
            for queue in queues {
                there += self.ready(queue).await?;
            }
            if there == messages {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the queues do not have the {messages} messages that were published")
    }
}

/// A name as AMQP has it.
pub(crate) fn short(name: &str) -> ShortString {
    ShortString::from(name)
}
